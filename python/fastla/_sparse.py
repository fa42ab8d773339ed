"""Sparse matrices in compressed rows, for products with dense ones."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from ._compressed import Rows, checked, product
from ._dtypes import real_dtype

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray


class SparseMatrix:
    """A matrix of which only some entries are stored; duplicates add up.

    Parameters
    ----------
    indptr, indices : ndarray
        Compressed rows (CSR): row i has the stored entries ``indptr[i]`` to ``indptr[i + 1] - 1``, in
        the columns ``indices``, in any order.
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
    Bits are those of docs/contract.md, "Sparse products". The transposed matrix is made once, when it is
    needed, and kept.

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
        self._rows = checked(indptr, indices, data, shape)
        self.shape = self._rows.shape
        self.dtype = np.dtype(dtype) if self._rows.data is None else self._rows.data.dtype

    @classmethod
    def of(cls, a: Any) -> SparseMatrix:
        """A matrix of SciPy's (csr, csc, coo or any other with ``tocsr``), or of its like, without
        copies if possible."""
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
    def _rows(self) -> Rows:
        return self._columns.transposed()

    @cached_property
    def _columns(self) -> Rows:
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
        return product("matmat", self._rows, self.dtype, x, out, num_threads)

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
        return product("rmatmat", self._columns, self.dtype, y, out, num_threads, conjugate=True)

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
        rows: Rows = known["_rows"] if "_rows" in known else known["_columns"]
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
        return product("column_sums", self._columns, self.dtype, ones, None, None)
