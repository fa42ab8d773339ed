"""What is decomposed: a dense matrix, less its means if asked, in pieces that fit the caches; a sparse
one; an operator.

All have shape, dtype, matmat(q) = A q, rmatmat(y) = A^H y, normal(q) = A^H (A q) and squared_norm(), the
sum of squared magnitudes, None where entries are not seen. Each `turned` is A^H.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .. import _core
from ._checks import computed_dtype, matrices, require_finite
from ._lapack import adjoint
from ._orthonormal import squares

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A piece is read from memory once, for both products with it: it should stay in L2. More rows make products
# efficient, but take memory for what is centred.
_PIECE_BYTES, _PIECE_ROWS, _MOST_BYTES = 1 << 20, 256, 2 << 20


class Operand(Protocol):
    shape: tuple[int, int]
    dtype: np.dtype[Any]

    def matmat(self, q: NDArray[Any]) -> NDArray[Any]: ...
    def rmatmat(self, y: NDArray[Any]) -> NDArray[Any]: ...
    def normal(self, q: NDArray[Any]) -> NDArray[Any]: ...
    def squared_norm(self) -> float | None: ...


class Dense:
    """Rows of an array, less `mean` (a vector for its columns); or, turned, its columns as rows,
    conjugated."""

    def __init__(
        self,
        a: NDArray[Any],
        mean: NDArray[Any] | None = None,
        turned: bool = False,
        name: str = "svd",
    ):
        self.a, self.mean, self.is_turned = np.asarray(a), mean, turned  # of a memmap too
        self.dtype = computed_dtype(name, a.dtype)
        # A large mean is more exact than an element: what rounding it leaves is taken away apart.
        self._means = []
        if mean is not None:
            high = mean.astype(self.dtype)
            self._means = [m for m in (high, (mean - high).astype(self.dtype)) if m.any()]
        self.shape = (a.shape[1], a.shape[0]) if turned else a.shape
        self._as_is = mean is None and a.dtype == self.dtype

    def turned(self) -> Dense:
        return Dense(self.a, self.mean, not self.is_turned)

    def pieces(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Some rows at a time, as they are computed with."""
        rows, cols = self.shape
        row = max(cols, 1) * self.dtype.itemsize
        height = max(16, min(max(_PIECE_ROWS, _PIECE_BYTES // row), _MOST_BYTES // row))
        for first in range(0, rows, height):
            part = slice(first, min(first + height, rows))
            yield part, self._rows(part)

    def _rows(self, part: slice) -> NDArray[Any]:
        found = self.a[:, part] if self.is_turned else self.a[part]
        for i, mean in enumerate(self._means):
            less = mean[part] if self.is_turned else mean
            found = np.subtract(found, less, out=found if i else None, dtype=self.dtype)
        found = found.astype(self.dtype, copy=False)
        return adjoint(found) if self.is_turned else found

    def matmat(self, q: NDArray[Any]) -> NDArray[Any]:
        if self._as_is and not self.is_turned:
            made: NDArray[Any] = _core.matmul(self.a, q)
            return made
        out = np.empty((self.shape[0], q.shape[1]), self.dtype)
        for part, rows in self.pieces():
            _core.matmul(rows, q, out[part])
        return out

    def rmatmat(self, y: NDArray[Any]) -> NDArray[Any]:
        if self._as_is and self.is_turned:
            made: NDArray[Any] = _core.matmul(self.a, y)
            return made
        out = np.zeros((self.shape[1], y.shape[1]), self.dtype)
        for part, rows in self.pieces():
            out += _core.matmul(adjoint(rows), y[part])
        return out

    def normal(self, q: NDArray[Any]) -> NDArray[Any]:
        out = np.zeros(q.shape, self.dtype)
        for _, rows in self.pieces():
            out += _core.matmul(adjoint(rows), _core.matmul(rows, q))
        return out

    def squared_norm(self) -> float:
        return sum((squares(rows) for _, rows in self.pieces()), 0.0)


class Sparse:
    """A sparse matrix, less `mean` for its columns, which stays sparse; or, turned, its conjugate
    transpose."""

    def __init__(self, matrix: Any, mean: NDArray[Any] | None = None, turned: bool = False):
        self.matrix, self.mean, self.is_turned = matrix, mean, turned
        self.dtype = matrix.dtype
        self.shape = matrix.shape[::-1] if turned else matrix.shape

    @classmethod
    def of(cls, a: Any) -> Sparse:
        """Of anything like scipy.sparse's matrices."""
        from .._sparse import SparseMatrix

        return cls(SparseMatrix.of(a))

    def turned(self) -> Sparse:
        return Sparse(self.matrix, self.mean, not self.is_turned)

    def _down(self, q: NDArray[Any]) -> NDArray[Any]:
        y: NDArray[Any] = self.matrix.matmat(q)
        if self.mean is not None:
            y -= _core.matmul(self.mean[np.newaxis], q)
        return y

    def _up(self, y: NDArray[Any]) -> NDArray[Any]:
        z: NDArray[Any] = self.matrix.rmatmat(y)
        if self.mean is not None:
            z -= self.mean.conj()[:, np.newaxis] * y.sum(axis=0)
        return z

    def matmat(self, q: NDArray[Any]) -> NDArray[Any]:
        return self._up(q) if self.is_turned else self._down(q)

    def rmatmat(self, y: NDArray[Any]) -> NDArray[Any]:
        return self._down(y) if self.is_turned else self._up(y)

    def normal(self, q: NDArray[Any]) -> NDArray[Any]:
        return self.rmatmat(self.matmat(q))

    def squared_norm(self) -> float:
        total: float = self.matrix.squared_norm()
        if self.mean is not None:  # sum |x - m|^2 = sum |x|^2 - n |m|^2, m being the mean
            total -= self.matrix.shape[0] * squares(self.mean)
        return max(total, 0.0)


class Operator:
    """An object with matmat and rmatmat, such as scipy.sparse.linalg's LinearOperator."""

    def __init__(self, a: Any, turned: bool = False, name: str = "svd"):
        self.a, self.is_turned, self.name = a, turned, name
        self.dtype = computed_dtype(name, np.dtype(getattr(a, "dtype", None) or np.float64))
        m, n = a.shape
        self.shape = (int(n), int(m)) if turned else (int(m), int(n))

    def turned(self) -> Operator:
        return Operator(self.a, not self.is_turned, self.name)

    def _call(self, method: str, x: NDArray[Any], rows: int) -> NDArray[Any]:
        made = np.asarray(getattr(self.a, method)(x))
        if made.shape != (rows, x.shape[1]):
            raise ValueError(
                f"{self.name}: {method} of the operator {self.a.shape} gave {made.shape} for {x.shape}; "
                f"it must give {(rows, x.shape[1])}"
            )
        return made.astype(self.dtype, copy=False)

    def matmat(self, q: NDArray[Any]) -> NDArray[Any]:
        return self._call("rmatmat" if self.is_turned else "matmat", q, self.shape[0])

    def rmatmat(self, y: NDArray[Any]) -> NDArray[Any]:
        return self._call("matmat" if self.is_turned else "rmatmat", y, self.shape[1])

    def normal(self, q: NDArray[Any]) -> NDArray[Any]:
        return self.rmatmat(self.matmat(q))

    def squared_norm(self) -> float | None:
        return None


def is_sparse(a: Any) -> bool:
    return hasattr(a, "tocsr") and hasattr(a, "nnz")


def operand(name: str, a: Any) -> Dense | Sparse | Operator:
    """Of whatever the user has; NaN and infinities are named."""
    if is_sparse(a):
        return Sparse.of(a)
    if not isinstance(a, np.ndarray) and hasattr(a, "matmat") and hasattr(a, "rmatmat"):
        return Operator(a, name=name)
    array = a if isinstance(a, np.ndarray) and a.ndim == 2 else matrices(name, a)
    dense = Dense(array, name=name)
    for part, rows in dense.pieces():
        if not np.isfinite(rows.sum()):
            require_finite(name, np.asarray(array[part]), f"a[{part.start}:{part.stop}]")
    return dense
