"""Exact top-k: the best rows of a matrix for each row of another."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import _core
from ._dtypes import computed_dtype
from ._runtime import threads
from .decomposition._checks import require_finite
from .decomposition._rounding import gamma, unit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

METRICS = ("dot", "cosine", "l2")
# Multiply-adds after which Python looks whether somebody wants to stop; and rows that are enough for tasks.
_WORK, _ROWS = 3e10, 4096


class TopK(NamedTuple):
    """The best rows for each row; made by `topk`.

    Attributes
    ----------
    values : ndarray
        (m, k), best first: dot products or cosines, which fall, or distances, which rise.
    indices : ndarray of int64
        (m, k), which rows.

    Methods
    -------
    count, index
        Of tuples.

    Examples
    --------
    >>> import numpy as np
    >>> import fastla
    >>> fastla.topk(np.eye(2), np.array([[3.0, 1.0], [4.0, 0.0]]), 1).indices
    array([[1],
           [0]])
    """

    values: NDArray[Any]
    indices: NDArray[np.int64]


def topk(
    q: ArrayLike,
    x: ArrayLike,
    k: int,
    *,
    metric: str = "dot",
    exclude: ArrayLike | None = None,
    num_threads: int | None = None,
) -> TopK:
    """The k best rows of x for each row of q, exactly, without the matrix of all scores.

    Parameters
    ----------
    q : array_like
        (m, d), real.
    x : array_like
        (n, d), real.
    k : int
        1 to n; to n - 1 where rows are excluded.
    metric : {"dot", "cosine", "l2"}
        The largest dot products, the largest cosines, or the smallest Euclidean distances.
    exclude : array_like of int, optional
        (m,), for each row of q a row of x that is left out, such as itself; -1: none.
    num_threads : int, optional
        How many threads to use; no bit depends on it.

    Returns
    -------
    TopK
        With values and indices, (m, k), in float32 if both are float32 or narrower, else in float64. Of
        equals the lower index comes first.

    Raises
    ------
    ValueError
        If shapes do not fit, k or an index to exclude is out of range, or NaN or infinity is in q or x.
    TypeError
        If q or x is complex.

    Notes
    -----
    2 m n d operations, in tiles that are searched while they are in the cache: the memory is the result's.
    Of "l2" and "cosine" it is a copy of x, and of some rows of q, more.

    "dot": values have exactly the bits of ``fastla.matmul(q, x.T)``. "cosine": these, times 1 / |q|, times
    1 / |x|, each rounded; a row of zeros has the cosine 0 with all.

    "l2": |q|^2 - 2 q.x + |x|^2, of rows less the mean of x, says only which rows are near enough to
    matter, with a bound of its rounding errors. Of these sum (q - x)^2 is computed from q and x as they
    are, in float64. It decides, however near others are, and its square root is the value: right to rounding.

    Results depend neither on the number of threads nor on the other rows of q.

    Examples
    --------
    >>> import numpy as np
    >>> import fastla
    >>> x = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    >>> found = fastla.topk(x, x, 2, metric="l2", exclude=np.arange(3))
    >>> found.indices
    array([[2, 1],
           [2, 0],
           [0, 1]])
    >>> found.values[0]
    array([1., 5.])
    """
    if metric not in METRICS:
        raise ValueError(f"topk: metric is {metric!r}; it must be one of {METRICS}")
    rows, others = pair("topk", q, x)
    left_out = None if exclude is None else _excluded(exclude, rows, others)
    count = _checked(k, others, left_out)
    values = np.empty((len(rows), count), rows.dtype)
    indices = np.empty((len(rows), count), np.int64)
    with threads(num_threads or _core.get_num_threads()), np.errstate(all="ignore"):
        search = (
            _L2(others)
            if metric == "l2"
            else _Cosine(others)
            if metric == "cosine"
            else _Dot(others)
        )
        step = max(_ROWS, int(_WORK / (len(others) * (rows.shape[1] + 8))))
        for first in range(0, len(rows), step):
            part = slice(first, first + step)
            options = search.options(rows[part])
            if left_out is not None:
                options["exclude"] = left_out[part]
            _core.topk(
                options.pop("q", rows[part]), search.x, values[part], indices[part], **options
            )
    return TopK(values, indices)


def pair(name: str, q: ArrayLike, x: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as the core takes them, in one dtype."""
    given = {"q": np.asarray(q), "x": np.asarray(x)}
    for what, array in given.items():
        if array.ndim != 2:
            raise ValueError(f"{name}: {what} is {array.shape}; it must have two dimensions")
        if array.dtype.kind == "c":
            raise TypeError(f"{name}: {what} is of dtype {array.dtype}; it must be real")
    a, b = given["q"], given["x"]
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"{name}: q is {a.shape}, x is {b.shape}; rows must have the same length")
    dtype = np.result_type(*(computed_dtype(name, g.dtype, what) for what, g in given.items()))
    rows = [contiguous(array, dtype) for array in (a, b)]
    for what, array in zip(given, rows, strict=True):
        require_finite(name, array, what)
    return rows[0], rows[1]


def contiguous(x: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Rows of contiguous elements, native and aligned."""
    x = np.require(x, dtype, "A")
    return x if x.shape[1] <= 1 or x.strides[1] == x.itemsize else np.ascontiguousarray(x)


def row_distances(
    x: NDArray[Any], y: NDArray[Any], index: NDArray[np.int32] | None = None
) -> NDArray[np.float64]:
    """Of each row of x, squared, from its row of y, the first one unless said."""
    made = np.empty(len(x))
    _core.row_distances(x, y, index, made)
    return made


def row_squares(x: NDArray[Any]) -> NDArray[np.float64]:
    """Of each row, the sum of its squares."""
    return row_distances(x, np.zeros((1, x.shape[1]), x.dtype))


class _Dot:
    def __init__(self, x: NDArray[Any]):
        self.x = x

    def options(self, q: NDArray[Any]) -> dict[str, Any]:
        return {}


class _Cosine(_Dot):
    def __init__(self, x: NDArray[Any]):
        super().__init__(x)
        self._scale = _reciprocal_lengths(x)

    def options(self, q: NDArray[Any]) -> dict[str, Any]:
        return {"row_scale": _reciprocal_lengths(q), "col_scale": self._scale}


def _reciprocal_lengths(x: NDArray[Any]) -> NDArray[Any]:
    sizes = np.abs(x).max(axis=1, initial=0, keepdims=True).astype(np.float64)
    sizes[sizes == 0] = 1
    lengths = np.sqrt(row_squares(x / sizes)) * sizes[:, 0]
    made: NDArray[Any] = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return made.astype(x.dtype)


class _L2(_Dot):
    """Scores are q.x - |x|^2 / 2 of shifted rows: (|q|^2 - distance^2) / 2, but for rounding."""

    def __init__(self, x: NDArray[Any]):
        self._mean = x.mean(axis=0, dtype=np.float64).astype(x.dtype)
        super().__init__(x - self._mean)
        self._to, squares = x, row_squares(self.x)
        self._bias = (-squares / 2).astype(x.dtype)
        self._longest = float(np.sqrt(squares.max()))

    def options(self, q: NDArray[Any]) -> dict[str, Any]:
        shifted = q - self._mean
        squares, size, kind = row_squares(shifted), q.shape[1], q.dtype
        # Rounding of the shift, the product, the bias and, of float64, the distance: each within a few
        # units, or gamma, of (|q| + |x|)^2.
        wrong = 2 * gamma(size, kind, 4) + 16 * unit(kind)
        slack = wrong * np.square(np.sqrt(squares) + self._longest)
        slack += 8 * (size + 8) * float(np.finfo(kind).tiny)
        return {"q": shifted, "col_bias": self._bias, "rows_from": q, "rows_to": self._to,
                "half_square": squares / 2, "slack": slack}  # fmt: skip


def _excluded(given: ArrayLike, q: NDArray[Any], x: NDArray[Any]) -> NDArray[np.int64]:
    found = np.asarray(given)
    if found.shape != (len(q),) or found.dtype.kind not in "iu":
        raise ValueError(
            f"topk: exclude is {found.shape} of dtype {found.dtype}; it must be ({len(q)},), of integers"
        )
    wrong = np.flatnonzero((found < -1) | (found >= len(x)))
    if len(wrong):
        raise ValueError(
            f"topk: exclude has {found[wrong[0]]} at {wrong[0]}; x is {x.shape}, so it must be from -1 to "
            f"{len(x) - 1}"
        )
    return np.ascontiguousarray(found, np.int64)


def _checked(k: int, x: NDArray[Any], left_out: NDArray[np.int64] | None) -> int:
    try:
        count = operator.index(k)
    except TypeError:
        raise TypeError(f"topk: k must be an integer, not {type(k).__name__}") from None
    most = len(x) - (left_out is not None and len(left_out) > 0 and int(left_out.max()) >= 0)
    if not 1 <= count <= most:
        raise ValueError(f"topk: k is {count}; x is {x.shape}, so it must be from 1 to {most}")
    return count
