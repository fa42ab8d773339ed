"""Sparse matrices in compressed rows, for products with dense ones."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import _core
from .decomposition._checks import computed_dtype, real_dtype

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray


class _Rows(NamedTuple):
    """Compressed rows; data is None where all stored entries are 1."""

    indptr: NDArray[Any]
    indices: NDArray[Any]
    data: NDArray[Any] | None
    shape: tuple[int, int]

    def transposed(self) -> _Rows:
        arrays = _core.csr_transpose(self.indptr, self.indices, self.data, self.shape)
        return _Rows(*arrays, self.shape[::-1])

    def times(self, x: NDArray[Any], out: NDArray[Any] | None, threads: int | None) -> NDArray[Any]:
        """The product with a real matrix of data's dtype, if there is data."""
        return _core.csr_matmul(self.indptr, self.indices, self.data, self.shape, x, out, threads)

    def canonical(self) -> bool:
        """Whether each row's columns rise, so that there are no duplicates."""
        rises = np.diff(self.indices) > 0
        ends = self.indptr[1:-1]
        rises[ends[(ends > 0) & (ends < len(self.indices))] - 1] = True
        return bool(rises.all())


class SparseMatrix:
    """A matrix of which only some entries are stored; duplicates add up.

    Parameters
    ----------
    indptr, indices : ndarray
        Compressed rows (CSR): row i has the stored entries ``indptr[i]`` to ``indptr[i + 1] - 1``, in the columns
        ``indices``, in any order.
    data : ndarray or None
        The stored values, of any dtype that is computed with; None: all are 1.
    shape : tuple of int
        Rows and columns.
    dtype : dtype, optional
        Of the matrix where `data` is None.

    Raises
    ------
    ValueError
        If the arrays do not make a matrix of that shape.
    TypeError
        If there is no computing with `data`.

    Notes
    -----
    Bits are those of docs/contract.md, "Sparse products". The transposed matrix is made once, when it is needed, and
    kept.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla._sparse import SparseMatrix
    >>> a = SparseMatrix(np.array([0, 2, 3]), np.array([0, 2, 1]), np.array([1.0, 2.0, 3.0]), (2, 3))
    >>> a.matmat(np.eye(3))
    array([[1., 0., 2.],
           [0., 3., 0.]])
    """

    def __init__(
        self,
        indptr: NDArray[Any],
        indices: NDArray[Any],
        data: NDArray[Any] | None,
        shape: tuple[int, int],
        *,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self._rows = _checked(indptr, indices, data, shape)
        self.shape = self._rows.shape
        self.dtype = np.dtype(dtype) if self._rows.data is None else self._rows.data.dtype

    @classmethod
    def of(cls, a: Any) -> SparseMatrix:
        """A matrix of SciPy's (csr, csc, coo or any other with ``tocsr``), or of its like, without copies if possible."""
        if getattr(a, "format", None) == "csc":
            return cls(a.indptr, a.indices, a.data, a.shape[::-1])._transposed()
        if not hasattr(a, "tocsr"):
            raise TypeError(f"SparseMatrix: a is {type(a).__name__}; it must have the method tocsr")
        if len(a.shape) != 2:
            raise ValueError(
                f"SparseMatrix: a is {a.shape}, dtype {a.dtype}; it must have two dimensions"
            )
        a = a.tocsr()
        return cls(a.indptr, a.indices, a.data, a.shape)

    def _transposed(self) -> SparseMatrix:
        """The transposed matrix, whose own transposed is known."""
        made = object.__new__(SparseMatrix)
        made.shape, made.dtype = self.shape[::-1], self.dtype
        made._columns = self._rows
        return made

    @cached_property
    def _rows(self) -> _Rows:
        return self._columns.transposed()

    @cached_property
    def _columns(self) -> _Rows:
        return self._rows.transposed()

    def matmat(
        self, x: ArrayLike, out: NDArray[Any] | None = None, num_threads: int | None = None
    ) -> NDArray[Any]:
        """The product with a dense matrix or a vector.

        Parameters
        ----------
        x : array_like
            (columns,) or (columns, n).
        out : ndarray, optional
            Where to put the result, of its shape and dtype; may overlap x. It is untouched if the call fails.
        num_threads : int, optional
            How many threads to use; no bit depends on it.

        Returns
        -------
        ndarray
            (rows,) or (rows, n), in the dtype that those of the matrix and x promote to.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        TypeError
            If there is no computing with x's dtype.

        Notes
        -----
        2 n operations for each stored entry, four times as many if both are complex.

        Examples
        --------
        >>> import numpy as np
        >>> from fastla._sparse import SparseMatrix
        >>> a = SparseMatrix(np.array([0, 2, 3]), np.array([0, 2, 1]), None, (2, 3))
        >>> a.matmat(np.array([1.0, 2.0, 3.0]))
        array([4., 2.])
        """
        return _product("matmat", self._rows, self.dtype, x, out, num_threads)

    def rmatmat(
        self, y: ArrayLike, out: NDArray[Any] | None = None, num_threads: int | None = None
    ) -> NDArray[Any]:
        """The product of the conjugate transposed matrix with a dense one or a vector; otherwise as `matmat`.

        Parameters
        ----------
        y : array_like
            (rows,) or (rows, n).
        out : ndarray, optional
            Where to put the result.
        num_threads : int, optional
            How many threads to use.

        Returns
        -------
        ndarray
            (columns,) or (columns, n).

        Examples
        --------
        >>> import numpy as np
        >>> from fastla._sparse import SparseMatrix
        >>> a = SparseMatrix(np.array([0, 2, 3]), np.array([0, 2, 1]), None, (2, 3))
        >>> a.rmatmat(np.array([1.0, 2.0]))
        array([1., 2., 1.])
        """
        return _product("rmatmat", self._columns, self.dtype, y, out, num_threads, conjugate=True)

    def squared_norm(self) -> float:
        """The sum of the entries' squared magnitudes, in float64.

        Returns
        -------
        float
            Of entries, not of stored ones: duplicates are added first.

        Examples
        --------
        >>> import numpy as np
        >>> from fastla._sparse import SparseMatrix
        >>> SparseMatrix(np.array([0, 2]), np.array([1, 1]), np.array([1.0, 2.0]), (1, 2)).squared_norm()
        9.0
        """
        known = self.__dict__
        rows: _Rows = known["_rows"] if "_rows" in known else known["_columns"]
        used = slice(int(rows.indptr[-1]))
        rows = rows._replace(indices=rows.indices[used])
        data = np.ones(len(rows.indices)) if rows.data is None else rows.data[used]
        wide = data.astype(np.complex128 if data.dtype.kind == "c" else np.float64, copy=False)
        if not rows.canonical():
            # By columns and back: by rows again, duplicates side by side.
            rows = rows._replace(data=wide).transposed().transposed()
            first = np.diff(rows.indices, prepend=-1) != 0
            first[rows.indptr[:-1][rows.indptr[:-1] < len(first)]] = True
            assert rows.data is not None
            wide = np.add.reduceat(rows.data, np.flatnonzero(first)) if len(first) else rows.data
        parts = wide.view(np.float64)
        return float(_core.matmul(parts, parts))

    def column_sums(self) -> NDArray[Any]:
        """The sum of each column, in the matrix's dtype.

        Returns
        -------
        ndarray
            (columns,)

        Examples
        --------
        >>> import numpy as np
        >>> from fastla._sparse import SparseMatrix
        >>> SparseMatrix(np.array([0, 2, 3]), np.array([0, 2, 0]), None, (2, 3)).column_sums()
        array([2., 0., 1.])
        """
        ones = np.ones(self.shape[0], real_dtype(self.dtype))
        return _product("column_sums", self._columns, self.dtype, ones, None, None)


def _checked(
    indptr: NDArray[Any], indices: NDArray[Any], data: NDArray[Any] | None, shape: tuple[int, int]
) -> _Rows:
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
    return _Rows(starts, places, values, (rows, columns))


def _product(
    name: str,
    rows: _Rows,
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
            f"{name}: out is {out.shape} of dtype {out.dtype}; it must be {shape} of dtype {result}, and writeable"
        )
    matrix = b[:, None] if b.ndim == 1 else b
    place = out[:, None] if out is not None and b.ndim == 1 else out
    made = _of_parts(rows, matrix, result, place, threads, conjugate)
    if out is None:
        return made[:, 0] if b.ndim == 1 else made
    return out


def _of_parts(
    rows: _Rows,
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
