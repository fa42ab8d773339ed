"""PCA and the SVD family: answers that state their errors, from dense, sparse and streamed matrices.

Every product in it is fastla's; numpy.linalg factorises what is small.
"""

from ._cov import corrcoef, cov
from ._eigh import EighResult, eigh_topk
from ._pca import pca
from ._pca_result import PCAResult
from ._streaming import PCA
from ._svd import NotConverged, SVDResult, svd

__all__ = [
    "PCA",
    "EighResult",
    "NotConverged",
    "PCAResult",
    "SVDResult",
    "corrcoef",
    "cov",
    "eigh_topk",
    "pca",
    "svd",
]
