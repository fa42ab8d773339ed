"""PCA and the SVD family: answers that state their errors, from dense, sparse and streamed matrices.

Every product in it is fastla's; numpy.linalg factorises what is small.
"""

from ._low_rank import LowRank, low_rank
from ._lstsq import LstsqResult, lstsq
from ._nearest_orthogonal import nearest_orthogonal
from ._pinv import pinv
from ._whiten import WhitenResult, whiten

__all__ = [
    "LowRank",
    "LstsqResult",
    "WhitenResult",
    "low_rank",
    "lstsq",
    "nearest_orthogonal",
    "pinv",
    "whiten",
]
