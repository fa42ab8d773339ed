"""What is decomposed: a dense matrix, less its means if asked, in pieces that fit the caches; a sparse
one; an operator.

All have shape, dtype, matmat(q) = A q, rmatmat(y) = A^H y, normal(q) = A^H (A q), both(v, u) = (A v, A^H
u) and squared_norm(), the sum of squared magnitudes, None where entries are not seen. Each `turned` is A^H.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .. import _core
from .._dtypes import computed_dtype
from .._sparse import SparseMatrix
from ._checks import matrices, require_finite
from ._lapack import adjoint
from ._orthonormal import squares

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A piece is read from memory once, for both products with it: it should stay in L2. More rows make products
# efficient, but take memory for what is centred.
_PIECE_BYTES, _PIECE_ROWS, _MOST_BYTES = 1 << 19, 256, 2 << 20


class Operand(Protocol):
    shape: tuple[int, int]
    dtype: np.dtype[Any]

    def matmat(self, q: NDArray[Any]) -> NDArray[Any]: ...
    def rmatmat(self, y: NDArray[Any]) -> NDArray[Any]: ...
    def normal(self, q: NDArray[Any]) -> NDArray[Any]: ...
    def both(self, v: NDArray[Any], u: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]: ...
    def squared_norm(self) -> float | None: ...


class Dense:
    """Rows of an array, less `mean` (a vector for its columns); or, turned, its columns as rows,
    conjugated."""

    def __init__(self, a: NDArray[Any], mean: NDArray[Any] | None = None, name: str = "svd"):
        self.a, self.is_turned = np.asarray(a), False  # of a memmap too
        self.dtype = computed_dtype(name, a.dtype)
        self.shape = self.a.shape
        self._means = [] if mean is None else self._rounded(mean)
        self._as_is = mean is None and a.dtype == self.dtype
        self._norm: list[float] = []  # squared, once known; of the turned one too

    def _rounded(self, mean: NDArray[Any]) -> list[NDArray[Any]]:
        """A large mean is more exact than an element: what rounding it leaves is taken away apart, if it
        shows."""
        high = mean.astype(self.dtype)
        low = (mean - high).astype(self.dtype)
        sample = self.a[:: max(1, len(self.a) // 16)] - high
        shows = float(np.abs(low).max(initial=0)) > 1e-6 * float(np.abs(sample).max(initial=0))
        return [high, low] if shows else [high]

    def turned(self) -> Dense:
        other = copy.copy(self)
        other.is_turned, other.shape = not self.is_turned, self.shape[::-1]
        return other

    def pieces(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Some rows at a time, as they are computed with; to be used before the next ones."""
        rows, cols = self.shape
        row = max(cols, 1) * self.dtype.itemsize
        height = min(rows, max(16, min(max(_PIECE_ROWS, _PIECE_BYTES // row), _MOST_BYTES // row)))
        centred = (
            np.empty((cols, height) if self.is_turned else (height, cols), self.dtype)
            if self._means
            else None
        )
        for first in range(0, rows, max(height, 1)):
            part = slice(first, min(first + height, rows))
            yield part, self._rows(part, centred)

    def _rows(self, part: slice, centred: NDArray[Any] | None) -> NDArray[Any]:
        found = self.a[:, part] if self.is_turned else self.a[part]
        if centred is not None:
            to = centred[:, : found.shape[1]] if self.is_turned else centred[: len(found)]
            for mean in self._means:
                found = np.subtract(
                    found, mean[part] if self.is_turned else mean, out=to, dtype=self.dtype
                )
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

    def both(self, v: NDArray[Any], u: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """A v and A^H u, in one pass."""
        down, up = np.empty((self.shape[0], v.shape[1]), self.dtype), np.zeros(v.shape, self.dtype)
        for part, rows in self.pieces():
            _core.matmul(rows, v, down[part])
            up += _core.matmul(adjoint(rows), u[part])
        return down, up

    def squared_norm(self) -> float:
        if not self._norm:
            self.remember_norm(sum((squares(rows) for _, rows in self.pieces()), 0.0))
        return self._norm[0]

    def remember_norm(self, squared: float) -> None:
        self._norm.append(squared)


class Sparse:
    """A sparse matrix, less `mean` for its columns, which stays sparse; or, turned, its conjugate
    transpose."""

    def __init__(self, matrix: Any, mean: NDArray[Any] | None = None, turned: bool = False):
        self.matrix, self.mean, self.is_turned = matrix, mean, turned
        self.dtype = matrix.dtype
        self.shape = matrix.shape[::-1] if turned else matrix.shape

    @classmethod
    def of(cls, a: Any, name: str) -> Sparse:
        """Of anything like scipy.sparse's matrices."""
        a = a if getattr(a, "format", None) == "csc" else a.tocsr()
        require_finite(name, a.data, "the stored entries")
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

    def both(self, v: NDArray[Any], u: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return self.matmat(v), self.rmatmat(u)

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

    def both(self, v: NDArray[Any], u: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return self.matmat(v), self.rmatmat(u)

    def squared_norm(self) -> float | None:
        return None


def is_sparse(a: Any) -> bool:
    return hasattr(a, "tocsr") and hasattr(a, "nnz")


def operand(name: str, a: Any) -> Dense | Sparse | Operator:
    """Of whatever the user has; NaN and infinities are named."""
    if is_sparse(a):
        return Sparse.of(a, name)
    if not isinstance(a, np.ndarray) and hasattr(a, "matmat") and hasattr(a, "rmatmat"):
        return Operator(a, name=name)
    array = a if isinstance(a, np.ndarray) and a.ndim == 2 else matrices(name, a)
    dense = Dense(array, name=name)
    for part, rows in dense.pieces():
        if not np.isfinite(rows.sum()):
            require_finite(name, np.asarray(array[part]), f"a[{part.start}:{part.stop}]")
    return dense
