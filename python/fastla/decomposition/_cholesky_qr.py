"""QR of tall matrices of small condition by products: CholeskyQR2, and where it may be used.

R1 is Cholesky's factor of A^H A; the columns of Q1 = A R1^-1 are orthonormal but for an error of u k^2,
with k the condition of A and u the unit roundoff. Once more, from Q1, gives R2, and A = (Q1 R2^-1) (R2 R1).

References
----------
Y. Yamamoto, Y. Nakatsukasa, Y. Yanagisawa and T. Fukaya, "Roundoff error analysis of the CholeskyQR2
algorithm", Electronic Transactions on Numerical Analysis 44 (2015).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from ._lapack import adjoint, svd

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Inverses of triangles, where others solve, cost a factor of the condition in A - Q R: two digits at most.
LARGEST_CONDITION = 100.0
_TALL = 8  # rows for each column; below, factorising R is much of the work
_SMALL = 8192  # elements; below, the calls take longer than what they save


class TallSVD(NamedTuple):
    """A = (q x) u diag(s) vt, with (q x) u a matrix of orthonormal columns that is not formed."""

    q: NDArray[Any]
    x: NDArray[Any]
    u: NDArray[Any]
    s: NDArray[Any]
    vt: NDArray[Any]


def tall_svd(a: NDArray[Any], threads: int | None) -> TallSVD | None:
    """None where the matrix is not tall, or its condition not seen to be small."""
    if a.ndim != 2 or a.size < _SMALL or a.shape[0] < _TALL * a.shape[1]:
        return None
    with np.errstate(all="ignore"):  # squares may overflow; the checks see it
        try:
            r1 = _upper(a, threads)
            diagonal = np.abs(r1.diagonal())
            if not diagonal.max() <= LARGEST_CONDITION * diagonal.min():  # at most the condition
                return None
            q = _core.matmul(a, np.linalg.inv(r1), num_threads=threads)
            r2 = _upper(q, threads)
            # An R2 within 1/4 of the identity has a condition below 2: Q R2^-1 is orthonormal up to rounding.
            if not np.sum(np.abs(r2 - np.eye(len(r2))) ** 2) <= 1 / 16:
                return None
            u, s, vt = svd(_core.matmul(r2, r1))
        except np.linalg.LinAlgError:
            return None
        if not s[0] <= LARGEST_CONDITION * s[-1]:
            return None
        return TallSVD(q, np.linalg.inv(r2), u, s, vt)


def _upper(a: NDArray[Any], threads: int | None) -> NDArray[Any]:
    return adjoint(np.linalg.cholesky(_core.gram(a, num_threads=threads)))
