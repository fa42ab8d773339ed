"""Functions of matrices by their products: `multi_dot`, `matrix_power`; and their transposes."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from ._dispatch import base, overridden

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


def matrix_transpose(x: ArrayLike, /) -> NDArray[Any]:
    """Transpose of a matrix or of each matrix of a stack, a view.

    Parameters
    ----------
    x : array_like
        (..., m, n).

    Returns
    -------
    ndarray
        (..., n, m).

    Raises
    ------
    ValueError
        If `x` has fewer than two dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> import fastla
    >>> fastla.matrix_transpose(np.ones((5, 2, 3))).shape
    (5, 3, 2)
    """
    y = np.asanyarray(x)
    if y.ndim < 2:
        raise ValueError(f"matrix_transpose: x is {y.shape}; it needs two dimensions")
    return y.swapaxes(-1, -2)


def multi_dot(arrays: Sequence[ArrayLike], *, out: NDArray[Any] | None = None) -> Any:
    """Product of two or more matrices in the order that takes the fewest operations.

    Parameters
    ----------
    arrays : sequence of array_like
        Matrices; the first may be one-dimensional, a row, and the last, a column.
    out : ndarray, optional
        Where to put the result, of its shape; may overlap the operands.

    Returns
    -------
    ndarray or scalar
        Without the dimension that a one-dimensional first or last array lacks.

    Raises
    ------
    ValueError
        If there are fewer than two arrays, or neighbours do not fit.
    LinAlgError
        If another array than the first and the last is not two-dimensional.

    See Also
    --------
    matmul, einsum, numpy.linalg.multi_dot

    Notes
    -----
    A product of p x q and q x r counts as 2 p q r operations. The order is found by dynamic programming, in
    O(n^3) for n arrays, from the shapes alone; of orders that cost the same, the one that splits earlier is
    taken, as in NumPy. The bits are those of `matmul` of the pairs. All products are computed in the dtype of
    the result; NumPy wraps where it first multiplies narrow integers among wider ones. Types with an
    ``__array_function__`` of their own go to NumPy.

    References
    ----------
    .. [1] T. Cormen, C. Leiserson, R. Rivest and C. Stein, "Introduction to Algorithms", 3rd ed. (2009),
           chapter 15.2.

    Examples
    --------
    >>> import numpy as np
    >>> import fastla
    >>> fastla.multi_dot([np.ones((4, 100)), np.ones((100, 3)), np.ones(3)])
    array([300., 300., 300., 300.])
    """
    theirs = overridden("linalg.multi_dot", "__array_function__", (*arrays, out))
    if theirs is not None:
        return theirs(arrays, out=out)
    matrices = [np.asarray(x) for x in arrays]
    shapes = [x.shape for x in matrices]
    if len(matrices) < 2:
        raise ValueError(f"multi_dot: needs at least two arrays, not {len(matrices)}")
    for i, x in enumerate(matrices):
        if x.ndim != 2 and not (x.ndim == 1 and i in (0, len(matrices) - 1)):
            raise np.linalg.LinAlgError(f"multi_dot: array {i} of the shapes {shapes} is not two-dimensional")
    sizes = [1 if len(shapes[0]) == 1 else shapes[0][0], *(s[0] for s in shapes[1:])]
    for i, (shape, n) in enumerate(zip(shapes, sizes[1:], strict=False)):
        if shape[-1] != n:
            raise ValueError(f"multi_dot: {shape[-1]} and {n} differ, of arrays {i} and {i + 1} of {shapes}")
    sizes.append(1 if len(shapes[-1]) == 1 else shapes[-1][1])
    splits, dtype = _splits(sizes), np.result_type(*matrices)
    held, shape = base("multi_dot", out), shapes[0][:-1] + shapes[-1][1:]
    if held is not None and held.shape != shape:
        raise ValueError(f"multi_dot: out is {held.shape}; the result is {shape}")

    def product(i: int, j: int, out: Any = None) -> Any:
        if i == j:
            return matrices[i]
        k = splits[i, j]
        return _core.matmul(product(i, k), product(k + 1, j), out, dtype=dtype)

    result = product(0, len(matrices) - 1, held)
    return result if out is None else out


def _splits(sizes: Sequence[int]) -> dict[tuple[int, int], int]:
    """After which matrix to split the product of i to j; matrix i is sizes[i] x sizes[i + 1]."""
    count = len(sizes) - 1
    cost = {(i, i): 0 for i in range(count)}
    splits = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            cost[i, j], splits[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )
    return splits


def matrix_power(a: ArrayLike, n: int) -> NDArray[Any]:
    """A square matrix, or each of a stack, to an integer power, as `numpy.linalg.matrix_power`.

    Parameters
    ----------
    a : array_like
        (..., m, m).
    n : int
        The power. 0 gives the identity; negative ones are those of `numpy.linalg.inv`'s result.

    Returns
    -------
    ndarray
        (..., m, m); `a` itself for a power of 1.

    Raises
    ------
    LinAlgError
        If `a` is not square, or is singular and `n` negative.
    TypeError
        If `n` is not an integer, or `numpy.linalg.inv` does not take the dtype.

    See Also
    --------
    multi_dot, matmul

    Notes
    -----
    At most 2 log2(abs(n)) products of 2 m^3 operations: squares, and the product of those that n has in
    binary, from the lowest on. The bits are those of `matmul`. Object arrays, and types with an
    ``__array_function__`` of their own, go to NumPy.

    Examples
    --------
    >>> import numpy as np
    >>> import fastla
    >>> fastla.matrix_power(np.array([[1, 1], [1, 0]]), 10)
    array([[89, 55],
           [55, 34]])
    """
    theirs = overridden("linalg.matrix_power", "__array_function__", (a,))
    if theirs is not None:
        return theirs(a, n)  # type: ignore[no-any-return]
    x = np.asarray(a)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise np.linalg.LinAlgError(f"matrix_power: a is {x.shape}; its last two dimensions must be equal")
    try:
        rest = operator.index(n)
    except TypeError:
        raise TypeError(f"matrix_power: n must be an integer, not {n!r}") from None
    if x.dtype == object:
        return np.linalg.matrix_power(x, rest)
    if rest == 0:
        return np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape).copy()
    square = x if rest > 0 else np.linalg.inv(x)
    rest = abs(rest)
    result = None
    while True:
        if rest & 1:
            result = square if result is None else _core.matmul(result, square)
        rest >>= 1
        if not rest:
            return np.asarray(result)
        square = _core.matmul(square, square)
