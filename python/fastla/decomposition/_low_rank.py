"""The nearest matrix of low rank, as two factors, and how near it is."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._not_converged import NotConverged
from .._runtime import threads
from .._vectors import vecdot
from ._checks import matrices, require_finite
from ._lapack import svd
from ._operands import Dense
from ._scaling import exponent, scaled
from ._triplets import choose, decompose

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Residuals of large matrices' triplets, in terms of the largest singular value; the distance is longer
# by their squares.
_TOL = 1e-4


@dataclass(frozen=True, eq=False)
class LowRank:
    """A matrix of low rank near another; made by `low_rank`.

    Attributes
    ----------
    a, b : ndarray
        (m, r) and (r, n); the matrix is their product.
    error : float
        The Frobenius norm of w - a b, with what rounding may have hidden added: never less than the true one.
    relative_error : float
        The same beside the Frobenius norm of w; 0 for w = 0.
    s : ndarray
        The r largest singular values of w, decreasing.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import decomposition
    >>> decomposition.low_rank(np.diag([4.0, 3.0]), 1).b.shape
    (1, 2)
    """

    a: NDArray[Any]
    b: NDArray[Any]
    error: float
    relative_error: float
    s: NDArray[Any]


def low_rank(w: ArrayLike, r: int, *, num_threads: int | None = None) -> LowRank:
    """The matrix of rank r that is nearest to another, as two factors.

    Parameters
    ----------
    w : array_like
        (m, n).
    r : int
        From 0 to min(m, n).
    num_threads : int, optional
        Of products; default: `get_num_threads()`.

    Returns
    -------
    LowRank
        Factors a (m, r) and b (r, n) of the dtype that is computed in, float32 for float16 and float64 for
        integers; how far their product is from w; the singular values.

    Raises
    ------
    ValueError
        If `w` is not a matrix or has a NaN or infinity, or r is not from 0 to min(m, n).
    TypeError
        If `w` is not of real or complex numbers of at most 64 bits a part.

    See Also
    --------
    fastla.nn.linear : Applies updates of low rank beside weights, ``lora=(b, a, scale)``.

    Notes
    -----
    w = U S V^H; a = U_r S_r^1/2, b = S_r^1/2 V_r^H, so that neither factor is larger than the other. No
    matrix of rank r is nearer in the Frobenius norm or the 2-norm (Eckart and Young); the error is the root
    of the sum of the squares of the other singular values, but for rounding. Large matrices are decomposed by
    products (`svd`), and their error may be longer by a millionth. It is computed from w - a b, in float64:
    2 m n r operations more.

    References
    ----------
    C. Eckart and G. Young, "The approximation of one matrix by another of lower rank", Psychometrika 1
    (1936).

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import decomposition
    >>> near = decomposition.low_rank(np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), 1)
    >>> near.a.shape, near.b.shape, round(near.error, 9), near.s
    ((3, 1), (1, 2), 1.0, array([2.]))
    """
    x, rank = matrices("low_rank", w, "w"), operator.index(r)
    if not 0 <= rank <= min(x.shape):
        raise ValueError(f"low_rank: w is {x.shape}, r is {r}; r must be from 0 to {min(x.shape)}")
    require_finite("low_rank", x, "w")
    with threads(num_threads or _core.get_num_threads()):
        u, s, vt = truncated(x, rank)
    roots = np.sqrt(s)
    a, b = u * roots, vt * roots[:, np.newaxis]
    error, relative = _distance(x, a, b, num_threads)
    return LowRank(a, b, error, relative, s)


def truncated(w: NDArray[Any], r: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The r largest singular values with their vectors: U, s, V^H."""
    if r == 0 or choose(Dense(w), r, "auto")[0] == "full":
        u, s, vt = svd(w)
        return u[:, :r], s[:r], vt[:r]
    try:
        found = decompose(Dense(w), r, _TOL, "auto", None, None, lambda *_: None, "low_rank")
    except NotConverged as error:  # the distance is computed, and says how good it is
        found = error.result
    return found.u, found.s, found.vh


def _distance(
    w: NDArray[Any], a: NDArray[Any], b: NDArray[Any], threads: int | None
) -> tuple[float, float]:
    """Bounds from above of the norm of w - a b, and of its ratio to that of w.

    The product of factors with r terms is off by at most r u |a| |b| in each element, whose norm is at most
    r u times the norms of a and b; a sum of squares by a relative u for each addition in its longest chain.
    """
    wide, half = np.result_type(w.dtype, np.float64), exponent(w) // 2
    x = scaled(w.astype(wide), -2 * half)  # squares do not overflow
    left, right = (scaled(z.astype(wide), -half) for z in (a, b))
    u = np.finfo(wide).eps / 2
    slack = (min(w.size, 512) + w.size / 512 + 16) * u
    rest = _norm(x - _core.matmul(left, right, num_threads=threads)) * (1 + slack)
    rest += 4 * (a.shape[1] + 4) * u * _norm(left) * _norm(right)
    size = _norm(x) * (1 - slack)
    if rest == 0:  # of zeros alone
        return 0.0, 0.0
    # Upwards, as what is subnormal is rounded once more.
    return float(np.nextafter(np.ldexp(rest, 2 * half), np.inf)), float(rest / size)


def _norm(x: NDArray[Any]) -> float:
    flat = x.ravel()
    return math.sqrt(vecdot(flat, flat).real)
