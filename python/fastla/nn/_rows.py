"""Arrays as the rows of a matrix, which the compiled operations take, and back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._runtime import _count

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

WIDE = (np.dtype(np.float32), np.dtype(np.float64))
_HALVES = ("float16", "bfloat16")


def floats(name: str, x: ArrayLike, what: str = "x") -> NDArray[Any]:
    """An array of a dtype that operations have, native and aligned."""
    if type(x) is np.ndarray and x.dtype in WIDE and x.flags.aligned:
        return x  # as a rule; a dtype's name takes microseconds
    array = np.asarray(x)
    if array.dtype.kind in "biu":
        array = array.astype(np.float64)
    native = array.dtype.newbyteorder("=")
    if native.name not in ("float32", "float64", *_HALVES):
        raise TypeError(
            f"{name}: {what} is {array.dtype}; it must be of floating point, 64 bits at most"
        )
    return np.require(array, native, "A")


def wide(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that elements of it are computed in."""
    return dtype if dtype in WIDE else WIDE[0]


def widened(x: Any) -> Any:
    """An array in the dtype that it is computed in; a packed matrix has it."""
    return x if x.dtype in WIDE else x.astype(wide(x.dtype))


def rounded(y: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
    """A result in the dtype of x, where that has 16 bits."""
    return y if x.dtype in WIDE else y.astype(x.dtype, copy=False)


def like(name: str, what: str, x: ArrayLike, other: NDArray[Any]) -> NDArray[Any]:
    """Another array of that shape, in that dtype."""
    array = floats(name, x, what)
    if array.shape != other.shape:
        raise ValueError(f"{name}: {what} is {array.shape}; it must be {other.shape}")
    return array.astype(other.dtype, copy=False)


def last_axis(name: str, x: NDArray[Any], axis: int) -> int:
    """The axis, counted from 0."""
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"{name}: x is {x.shape}; it has no axis {axis}")
    return axis % x.ndim


def threads_of(name: str, num_threads: int | None) -> int:
    return 0 if num_threads is None else _count(num_threads, name, "num_threads")


def matrix(x: NDArray[Any], columns: int, axis: int | None = None) -> NDArray[Any]:
    """Rows of so many contiguous elements: a view where that can be had. `axis` becomes the last one."""
    if x.ndim == 2 and x.flags.c_contiguous and x.shape[1] == columns and axis != 0:
        return x  # as a rule
    if axis is not None and axis != x.ndim - 1:
        x = np.moveaxis(x, axis, -1)
    rows = x.size // columns if columns else math.prod(x.shape[:-1])
    made = x.reshape(rows, columns)
    if columns > 1 and made.strides[1] != made.itemsize:
        made = np.ascontiguousarray(made)
    return made


class Output:
    """Where an operation's rows go: into `out` itself where they fit there, else beside it."""

    def __init__(
        self,
        name: str,
        out: NDArray[Any] | None,
        like: NDArray[Any],
        columns: int,
        axis: int | None,
        operands: tuple[NDArray[Any], ...],
    ):
        self.out = out
        self.axis = None if axis is None or axis == like.ndim - 1 else axis
        self.rows: NDArray[Any] | None = None
        if out is not None:
            check_out(name, out, like)
            if self.axis is None:
                self.rows = _rows_of(out, columns, operands)
        self.inside = self.rows is not None
        if self.rows is None:
            shape = like.shape
            if self.axis is not None:
                shape = (*shape[: self.axis], *shape[self.axis + 1 :], columns)
            self.made = np.empty(shape, like.dtype)
            self.rows = matrix(self.made, columns)

    def result(self) -> NDArray[Any]:
        if self.inside:
            assert self.out is not None
            return self.out
        made = self.made if self.axis is None else np.moveaxis(self.made, -1, self.axis)
        if self.out is None:
            return made
        self.out[...] = made
        return self.out


def check_out(name: str, out: Any, like: NDArray[Any]) -> None:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{name}: out is {type(out).__name__}; it must be an array")
    if out.shape != like.shape or out.dtype != like.dtype:
        raise ValueError(
            f"{name}: out is {out.shape}, {out.dtype}; it must be {like.shape}, {like.dtype}"
        )
    if not out.flags.writeable:
        raise ValueError(f"{name}: out {out.shape} is read-only")


def _rows_of(
    out: NDArray[Any], columns: int, operands: tuple[NDArray[Any], ...]
) -> NDArray[Any] | None:
    """Rows within `out`, if they are contiguous, and no operand lies there but in the same places."""
    if not out.flags.aligned or out.size == 0:
        return None
    rows = out if out.ndim == 2 and out.shape[1] == columns else out.reshape(-1, columns)
    if not out.flags.c_contiguous and not np.may_share_memory(rows, out):
        return None  # a copy
    if columns > 1 and rows.strides[1] != rows.itemsize:
        return None
    return None if any([_core.interferes(x, rows) for x in operands]) else rows


def run(name: str, *operands: Any, **others: Any) -> None:
    _core.row_op(name, *operands, **others)
