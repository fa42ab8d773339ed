"""Compressed rows of sparse matrices as the core takes them, and their products with any operand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import _core
from ._dtypes import computed_dtype, real_dtype

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Rows(NamedTuple):
    """Compressed rows; data is None where all stored entries are 1."""

    indptr: NDArray[Any]
    indices: NDArray[Any]
    data: NDArray[Any] | None
    shape: tuple[int, int]

    def transposed(self) -> Rows:
        arrays = _core.csr_transpose(self.indptr, self.indices, self.data, self.shape)
        return Rows(*arrays, self.shape[::-1])

    def times(self, x: NDArray[Any], out: NDArray[Any] | None, threads: int | None) -> NDArray[Any]:
        """The product with a real matrix of data's dtype, if there is data."""
        return _core.csr_matmul(self.indptr, self.indices, self.data, self.shape, x, out, threads)

    def canonical(self) -> bool:
        """Whether each row's columns rise, so that there are no duplicates."""
        rises = np.diff(self.indices) > 0
        ends = self.indptr[1:-1]
        rises[ends[(ends > 0) & (ends < len(self.indices))] - 1] = True
        return bool(rises.all())


def checked(
    indptr: NDArray[Any], indices: NDArray[Any], data: NDArray[Any] | None, shape: tuple[int, int]
) -> Rows:
    """The arrays as the core takes them."""
    rows, columns = (int(n) for n in shape)
    starts, places = np.asarray(indptr), np.asarray(indices)
    for name, x in (("indptr", starts), ("indices", places)):
        if x.dtype.kind not in "iu" or x.ndim != 1:
            raise TypeError(
                f"SparseMatrix: {name} is {x.shape} of dtype {x.dtype}; it must be a vector of integers"
            )
    narrow = starts.dtype == places.dtype == np.int32 and max(rows, columns) < 2**31
    index = np.int32 if narrow else np.int64
    starts, places = (np.ascontiguousarray(x, index) for x in (starts, places))
    values = None
    if data is not None:
        values = np.asarray(data)
        values = np.ascontiguousarray(values, computed_dtype("SparseMatrix", values.dtype, "data"))
        if values.shape != places.shape:
            raise ValueError(
                f"SparseMatrix: data is {values.shape} of dtype {values.dtype}, indices {places.shape} "
                f"of dtype {places.dtype}; they must be alike"
            )
    _core.csr_check(starts, places, (rows, columns))
    return Rows(starts, places, values, (rows, columns))


def product(
    name: str,
    rows: Rows,
    dtype: np.dtype[Any],
    x: ArrayLike,
    out: NDArray[Any] | None,
    threads: int | None,
    conjugate: bool = False,
) -> NDArray[Any]:
    """Rows, or their conjugates, times a matrix or a vector."""
    b = np.asarray(x)
    if b.ndim not in (1, 2) or b.shape[0] != rows.shape[1]:
        raise ValueError(
            f"{name}: the matrix is {rows.shape} of dtype {dtype}, the operand {b.shape} of dtype {b.dtype}; "
            f"it must have {rows.shape[1]} rows"
        )
    result = np.result_type(dtype, computed_dtype(name, b.dtype, "the operand"))
    shape = (rows.shape[0], *b.shape[1:])
    if out is not None and (out.shape != shape or out.dtype != result or not out.flags.writeable):
        raise ValueError(
            f"{name}: out is {out.shape} of dtype {out.dtype}; it must be {shape} of dtype {result}, "
            "and writeable"
        )
    matrix = b[:, None] if b.ndim == 1 else b
    place = out[:, None] if out is not None and b.ndim == 1 else out
    made = _of_parts(rows, matrix, result, place, threads, conjugate)
    if out is None:
        return made[:, 0] if b.ndim == 1 else made
    return out


def _of_parts(
    rows: Rows,
    b: NDArray[Any],
    dtype: np.dtype[Any],
    out: NDArray[Any] | None,
    threads: int | None,
    conjugate: bool,
) -> NDArray[Any]:
    """By products of real numbers: a complex b is twice as many columns."""
    real = real_dtype(dtype)
    pairs = b.dtype.kind == "c"
    right = np.ascontiguousarray(b, dtype).view(real) if pairs else b.astype(real, copy=False)

    def times(data: NDArray[Any] | None, to: NDArray[Any] | None = None) -> NDArray[Any]:
        values = None if data is None else np.ascontiguousarray(data, real)
        return rows._replace(data=values).times(right, to, threads)

    if rows.data is None or rows.data.dtype.kind != "c":
        if not pairs:
            return times(rows.data, out)
        made = times(rows.data).view(dtype)
    else:
        with_real, with_imag = times(rows.data.real), times(rows.data.imag)
        if conjugate:
            np.negative(with_imag, out=with_imag)
        if pairs:
            made = with_real.view(dtype)
            imag = with_imag.view(dtype)
            made.real -= imag.imag
            made.imag += imag.real
        else:
            made = np.empty(with_real.shape, dtype)
            made.real, made.imag = with_real, with_imag
    if out is None:
        return made
    out[...] = made
    return out
