"""Least squares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from .._vectors import vecdot
from ._checks import matrices, require_finite
from ._cholesky_qr import tall_svd
from ._lapack import adjoint, r_of_qr, reciprocals, svd

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray


class LstsqResult(NamedTuple):
    """A solution of least squares, as `lstsq` gives it; the same four as `numpy.linalg.lstsq`'s.

    Attributes
    ----------
    x : ndarray
        (..., n, k), or (n,).
    residuals : ndarray
        (..., k): the squared lengths of the columns of b - a x; empty if m <= n, or if the rank of a single
        matrix is less than n.
    rank : int or ndarray of int
        Of `a`; (...) of a stack.
    s : ndarray
        Singular values of `a`, (..., min(m, n)), decreasing.

    Examples
    --------
    >>> from fastla import decomposition
    >>> x, residuals, rank, s = decomposition.lstsq([[2.0], [0.0]], [4.0, 1.0])
    >>> residuals
    array([1.])
    """

    x: NDArray[Any]
    residuals: NDArray[Any]
    rank: Any
    s: NDArray[Any]


def lstsq(
    a: ArrayLike, b: ArrayLike, rcond: float | None = None, *, num_threads: int | None = None
) -> LstsqResult:
    """The shortest of the x for which the length of b - a x is least, as `numpy.linalg.lstsq`.

    Parameters
    ----------
    a : array_like
        (..., m, n).
    b : array_like
        (..., m, k), or (m,); leading dimensions are broadcast with those of `a`.
    rcond : float, optional
        Singular values of at most `rcond` times the largest count as zero. Default: max(m, n) eps, eps the
        distance from 1 to the next number. 0 or less is eps / 2.
    num_threads : int, optional
        Of products; default: `get_num_threads()`.

    Returns
    -------
    LstsqResult
        ``x, residuals, rank, s``. float16 is computed as float32, integers as float64; `a` and `b` of two
        dtypes in the wider.

    Raises
    ------
    ValueError
        If shapes do not fit, or `a` or `b` has a NaN or infinity.
    TypeError
        If `a` or `b` is not of real or complex numbers of at most 64 bits a part.

    See Also
    --------
    pinv

    Notes
    -----
    By the singular value decomposition of `a`, or of R where a = Q R if that is much smaller, in
    O(m n min(m, n)) operations, and products of fastla. Large single matrices of at least eight rows for each
    column, whose condition is at most 100, are decomposed by products alone (CholeskyQR2, 4 m n^2 operations)
    and x refined once; the condition is checked, and if it is larger the other way is taken. NumPy computes
    float32 in float64, and its eps is always float64's.

    References
    ----------
    A. Bjorck, "Numerical Methods for Least Squares Problems", SIAM (1996).

    Examples
    --------
    A line through three points:

    >>> from fastla import decomposition
    >>> a = [[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]]
    >>> decomposition.lstsq(a, [1.0, 3.0, 5.0]).x.round(9)
    array([2., 1.])
    """
    left, right, column = _operands(a, b)
    m, n = left.shape[-2:]

    def product(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        made: NDArray[Any] = _core.matmul(x, y, num_threads=num_threads)
        return made

    x, s, keep = _solved(left, right, rcond, product, num_threads)
    rank = keep.sum(axis=-1)
    residuals = np.zeros((*x.shape[:-2], 0), s.dtype)
    if m > n and (x.ndim > 2 or rank == n):
        rest = right - product(left, x)
        residuals = vecdot(rest, rest, axis=-2).real
    return LstsqResult(x[..., 0] if column else x, residuals, rank, s)


def _operands(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[Any], NDArray[Any], bool]:
    """Matrices of one dtype, and whether b was a column."""
    left, given = matrices("lstsq", a, stacks=True), np.asarray(b)
    column = given.ndim == 1
    right = matrices("lstsq", given[:, np.newaxis] if column else given, "b", stacks=True)
    try:
        np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        fit = left.shape[-2] == right.shape[-2]
    except ValueError:
        fit = False
    if not fit:
        raise np.linalg.LinAlgError(
            f"lstsq: a is {left.shape}, b is {given.shape}; they must have as many rows, and stacks "
            "that broadcast"
        )
    require_finite("lstsq", left)
    require_finite("lstsq", given if column else right, "b")
    dtype = np.result_type(left, right)
    return left.astype(dtype, copy=False), right.astype(dtype, copy=False), column


def _solved(
    a: NDArray[Any],
    b: NDArray[Any],
    rcond: float | None,
    product: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]],
    threads: int | None,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """x, the singular values, and which of them count."""
    eps = np.finfo(a.dtype).eps
    m, n = a.shape[-2:]
    small = max(m, n) * eps if rcond is None else eps / 2 if rcond <= 0 else rcond
    tall = tall_svd(a, threads)
    if tall is None and a.ndim == b.ndim == 2 and m > 2 * n and b.shape[1] <= n:
        r = r_of_qr(np.concatenate((a, b), axis=1))  # R beside Q^H b, without Q
        a, b = r[:n, :n], r[:n, n:]
    u, s, vt = svd(a) if tall is None else tall[2:]
    keep = s > small * s[..., :1]
    v = adjoint(vt) * reciprocals(s, keep)[..., np.newaxis, :]
    if tall is None:
        return product(v, product(adjoint(u), b)), s, keep
    back = product(v, product(adjoint(u), adjoint(tall.x)))
    x = product(back, product(adjoint(tall.q), b))
    return x + product(back, product(adjoint(tall.q), b - product(a, x))), s, keep
