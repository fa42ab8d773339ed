"""PCA and the SVD family: answers that state their errors, from dense, sparse and streamed matrices.

Every product in it is fastla's; numpy.linalg factorises what is small.
"""

from .._not_converged import NotConverged
from ._cov import corrcoef, cov
from ._eigh import EighResult, eigh_topk
from ._low_rank import LowRank, low_rank
from ._lstsq import lstsq
from ._nearest_orthogonal import nearest_orthogonal
from ._pca import pca
from ._pca_result import PCAResult
from ._pinv import pinv
from ._streaming import PCA
from ._svd import svd
from ._triplets import SVDResult
from ._whiten import WhitenResult, whiten

__all__ = [
    "PCA",
    "EighResult",
    "LowRank",
    "NotConverged",
    "PCAResult",
    "SVDResult",
    "WhitenResult",
    "corrcoef",
    "cov",
    "eigh_topk",
    "low_rank",
    "lstsq",
    "nearest_orthogonal",
    "pca",
    "pinv",
    "svd",
    "whiten",
]
