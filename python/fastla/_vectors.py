"""Products with vectors, and stacks of them: `vecdot`, `matvec`, `vecmat`."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from ._dispatch import base, holds, overridden

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def _operands(name: str, x1: Any, x2: Any, least: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
    x, y = np.asarray(x1), np.asarray(x2)
    if x.ndim < least[0] or y.ndim < least[1]:
        raise ValueError(f"{name}: x1 is {x.shape}, x2 is {y.shape}; they need dimensions, {least} at least")
    return x, y


def _length(name: str, x: NDArray[Any], y: NDArray[Any], n: int, other: int) -> None:
    if n != other:
        raise ValueError(f"{name}: x1 is {x.shape}, x2 is {y.shape}; {n} must equal {other}")


def _commute(x: NDArray[Any], y: NDArray[Any]) -> bool:
    return x.dtype != object and y.dtype != object


def _inserted(name: str, out: Any, axes: tuple[int, ...]) -> NDArray[Any] | None:
    """A view of `out` with axes of length 1 for those that the product of matrices has besides."""
    if isinstance(out, tuple):
        if len(out) != 1:
            raise ValueError(f"{name}: out must be one array, or a tuple of one")
        out = out[0]
    held = base(name, out)
    return None if held is None else np.expand_dims(held, axes)


def _product(
    name: str, x: NDArray[Any], y: NDArray[Any], axes: tuple[int, ...], out: Any, num_threads: int | None
) -> Any:
    """`matmul` of x and y, without these axes of length 1."""
    held = _inserted(name, out, axes)
    if held is not None:
        inner = x.shape[-2:-1] + (y.shape[-1:] if y.ndim > 1 else ())
        try:
            shape = np.broadcast_shapes(x.shape[:-2], y.shape[:-2]) + inner
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if not holds(held.shape, shape, len(inner)):
            want = tuple(n for i, n in enumerate(shape, -len(shape)) if i not in axes)
            raise ValueError(f"{name}: out is {np.squeeze(held, axes).shape}; the result is {want}")
    result = _core.matmul(x, y, held, num_threads=num_threads)
    if out is not None:
        return out[0] if isinstance(out, tuple) else out
    return np.squeeze(result, axes)[()] if axes else result


def vecdot(
    x1: ArrayLike,
    x2: ArrayLike,
    /,
    out: NDArray[Any] | None = None,
    *,
    axis: int = -1,
    num_threads: int | None = None,
) -> Any:
    """Dot products of vectors or stacks of them, with the semantics of `numpy.vecdot`.

    Parameters
    ----------
    x1, x2 : array_like
        Vectors along `axis`, of the same length; the other dimensions broadcast. The complex conjugate of
        `x1` is taken.
    out : ndarray, optional
        Where to put the result; may overlap the operands.
    axis : int, default -1
        Of each operand.
    num_threads : int, optional
        Threads to use at most, instead of `get_num_threads()`.

    Returns
    -------
    ndarray or scalar
        The broadcast shape without the vectors' dimension.

    Raises
    ------
    ValueError
        If an operand is 0-dimensional, or the shapes do not fit.
    TypeError
        If `out` is not an array, or the result cannot be cast to its dtype.

    See Also
    --------
    matmul, matvec, vecmat, einsum

    Notes
    -----
    2 n operations for each product of length n, 8 n if complex; then `x1` is copied. The bits are those of
    `matmul` of a row and a column: chains of multiply-adds. Types with an ``__array_ufunc__`` of their own go
    to `numpy.vecdot`.

    Examples
    --------
    >>> import numpy as np
    >>> import fastla
    >>> fastla.vecdot(np.array([[1, 2], [3, 4]]), np.array([10, 1]))
    array([12, 34])
    >>> fastla.vecdot([[1j, 2]], [1j, 1])
    array([3.+0.j])
    """
    theirs = overridden("vecdot", "__array_ufunc__", (x1, x2, out))
    if theirs is not None:
        return theirs(x1, x2, axis=axis, out=out)
    x, y = _operands("vecdot", x1, x2, (1, 1))
    axis = operator.index(axis)
    x, y = np.moveaxis(x, axis, -1), np.moveaxis(y, axis, -1)
    _length("vecdot", x, y, x.shape[-1], y.shape[-1])
    x = x.conj()
    if y.ndim == 1:
        return _product("vecdot", x, y, (), out, num_threads)
    if x.ndim == 1 and _commute(x, y):
        return _product("vecdot", y, x, (), out, num_threads)
    return _product("vecdot", x[..., np.newaxis, :], y[..., np.newaxis], (-2, -1), out, num_threads)


def matvec(
    x1: ArrayLike, x2: ArrayLike, /, out: NDArray[Any] | None = None, *, num_threads: int | None = None
) -> Any:
    """Matrices times vectors, or stacks of both, with the semantics of `numpy.matvec`.

    Parameters
    ----------
    x1 : array_like
        Matrices, (..., m, n).
    x2 : array_like
        Vectors, (..., n); the other dimensions broadcast with those of `x1`.
    out : ndarray, optional
        Where to put the result; may overlap the operands.
    num_threads : int, optional
        Threads to use at most, instead of `get_num_threads()`.

    Returns
    -------
    ndarray
        (..., m).

    Raises
    ------
    ValueError
        If the shapes do not fit.
    TypeError
        If `out` is not an array, or the result cannot be cast to its dtype.

    See Also
    --------
    vecmat, vecdot, matmul

    Notes
    -----
    2 m n operations a product, 8 m n if complex. The bits are those of `matmul` of a matrix and a column. One
    matrix and many vectors are multiplied as two matrices, which has the same bits. Types with an
    ``__array_ufunc__`` of their own go to `numpy.matvec`.

    Examples
    --------
    >>> import numpy as np
    >>> import fastla
    >>> fastla.matvec(np.array([[0, 1], [2, 0]]), np.array([[1, 2], [3, 4]]))
    array([[2, 2],
           [4, 6]])
    """
    theirs = overridden("matvec", "__array_ufunc__", (x1, x2, out))
    if theirs is not None:
        return theirs(x1, x2, out=out)
    x, y = _operands("matvec", x1, x2, (2, 1))
    _length("matvec", x, y, x.shape[-1], y.shape[-1])
    if y.ndim == 1:
        return _product("matvec", x, y, (), out, num_threads)
    if x.ndim == 2 and _commute(x, y):
        return _product("matvec", y, x.T, (), out, num_threads)
    return _product("matvec", x, y[..., np.newaxis], (-1,), out, num_threads)


def vecmat(
    x1: ArrayLike, x2: ArrayLike, /, out: NDArray[Any] | None = None, *, num_threads: int | None = None
) -> Any:
    """Vectors times matrices, or stacks of both, with the semantics of `numpy.vecmat`.

    Parameters
    ----------
    x1 : array_like
        Vectors, (..., n), of which the complex conjugate is taken.
    x2 : array_like
        Matrices, (..., n, m); the other dimensions broadcast with those of `x1`.
    out : ndarray, optional
        Where to put the result; may overlap the operands.
    num_threads : int, optional
        Threads to use at most, instead of `get_num_threads()`.

    Returns
    -------
    ndarray
        (..., m).

    Raises
    ------
    ValueError
        If the shapes do not fit.
    TypeError
        If `out` is not an array, or the result cannot be cast to its dtype.

    See Also
    --------
    matvec, vecdot, matmul

    Notes
    -----
    2 m n operations a product, 8 m n if complex. The bits are those of `matmul` of a row and a matrix. Many
    vectors and one matrix are multiplied as two matrices, which has the same bits. Types with an
    ``__array_ufunc__`` of their own go to `numpy.vecmat`.

    Examples
    --------
    >>> import numpy as np
    >>> import fastla
    >>> fastla.vecmat(np.array([1j, 1]), np.array([[1, 2], [3, 4]]))
    array([3.-1.j, 4.-2.j])
    """
    theirs = overridden("vecmat", "__array_ufunc__", (x1, x2, out))
    if theirs is not None:
        return theirs(x1, x2, out=out)
    x, y = _operands("vecmat", x1, x2, (1, 2))
    _length("vecmat", x, y, x.shape[-1], y.shape[-2])
    x = x.conj()
    if x.ndim == 1 or y.ndim == 2:
        return _product("vecmat", x, y, (), out, num_threads)
    return _product("vecmat", x[..., np.newaxis, :], y, (-2,), out, num_threads)
