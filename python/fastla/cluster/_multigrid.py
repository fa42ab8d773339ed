"""Algebraic multigrid: what comes close to the inverse of a Laplacian, made of sparse products alone.

Vanek, Mandel and Brezina, "Algebraic multigrid by smoothed aggregation for second and fourth order elliptic
problems", Computing 56 (1996). A smoother that needs no spectral radius, whatever the matrix: Baker,
Falgout, Kolev and Yang, "Multigrid smoothers for ultraparallel computing", SIAM J. Sci. Comput. 33 (2011).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._sparse import SparseMatrix
from ..decomposition._lapack import eigh
from ..decomposition._rounding import unit
from ._laplacian import NormalizedLaplacian

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Couplings that are strong beside a node's strongest, and those that are nothing together. So few nodes are
# solved for directly; a level with more than FULL of the one above has no use.
_SHARE, _LEAST = 0.15, 0.1
_DIRECT, _FULL = 200, 0.7
# Jacobi's over sums of magnitudes, which bound eigenvalues by 1: smallest beyond a fourth of the spectrum
# at 4/3.
_RELAXED = 4 / 3


def laplacian_matrix(laplacian: NormalizedLaplacian) -> SparseMatrix | None:
    """A sparse Laplacian with its diagonal, each entry once; None if duplicates or their number forbid it."""
    rows, n = laplacian.adjacency._rows, laplacian.shape[0]
    starts = np.repeat(np.arange(n), np.diff(rows.indptr))
    used = np.flatnonzero(rows.data[: len(starts)])
    if len(used) + n >= 2**31 or not rows.canonical():
        return None
    indptr = np.concatenate([[0], np.cumsum(np.bincount(starts[used], minlength=n))]).astype(
        np.int32
    )
    ones = (laplacian.degrees > 0).astype(np.float64)
    indices = np.insert(
        rows.indices[used].astype(np.int32), indptr[:-1], np.arange(n, dtype=np.int32)
    )
    data = np.insert(-rows.data[used].astype(np.float64), indptr[:-1], ones)
    return SparseMatrix(indptr + np.arange(n + 1, dtype=np.int32), indices, data, (n, n))


class Multigrid:
    """V-cycles for a symmetric, positive semidefinite matrix, each of whose rows has its diagonal once.

    With the smoother's steps S = I - w A before and after, a cycle is w (I + S) b + Q C Q' b, where Q = S
    P, and C is the cycle of the level below: three sparse products.
    """

    def __init__(self, a: SparseMatrix, near: NDArray[np.float64], dtype: np.dtype[Any]):
        self._below: Multigrid | None = None
        self._dtype = dtype
        n = a.shape[0]
        if n <= _DIRECT:
            self._solve_directly(a)
            return
        rows = a._rows
        assert rows.data is not None
        starts = np.repeat(np.arange(n, dtype=np.int32), np.diff(rows.indptr))
        sums = np.bincount(starts, np.abs(rows.data), n)
        relaxed = np.divide(_RELAXED, sums, out=np.zeros(n), where=sums > 0)
        diagonal = rows.indices == starts
        step = -relaxed[starts] * rows.data
        step[diagonal] += 1
        twice = step.copy()
        twice[diagonal] += 1
        twice *= relaxed[rows.indices]
        self._matrix, self._smoother = with_dtype(a, dtype), with_dtype(a, dtype, twice)
        of, count = _core.csr_aggregates(rows.indptr, rows.indices, rows.data, _SHARE, _LEAST)
        if not 0 < count <= _FULL * n:
            return
        lengths = np.sqrt(np.bincount(of[of >= 0], np.square(near[of >= 0]), count))
        smooth = with_dtype(a, np.dtype(np.float64), step)
        self._prolongation = _product(smooth, _tentative(of, near, lengths))
        below = _product(self._prolongation._transposed(), _product(a, self._prolongation))
        self._correction = with_dtype(_product(smooth, self._prolongation), dtype)
        self._below = Multigrid(below, lengths, dtype)

    def _solve_directly(self, a: SparseMatrix) -> None:
        n = a.shape[0]
        values, self._vectors = eigh(a.matmat(np.eye(n)))
        large = values > 8 * n * unit(np.dtype(np.float64)) * max(float(values[-1]), 0)
        scale = np.divide(1, values, out=np.zeros(n), where=large)
        self._inverse = _core.matmul(self._vectors * scale, self._vectors.T).astype(self._dtype)

    def solve(self, b: NDArray[Any]) -> NDArray[Any]:
        """Close to the solutions of A x = b."""
        x = self.cycle(b)
        if not hasattr(self, "_inverse"):
            x += self.cycle(np.subtract(b, self._matrix.matmat(x)))
        return x

    def cycle(self, b: NDArray[Any]) -> NDArray[Any]:
        """About them."""
        if hasattr(self, "_inverse"):
            direct: NDArray[Any] = _core.matmul(self._inverse, b)
            return direct
        x = self._smoother.matmat(b)
        if self._below is not None:
            x += self._correction.matmat(self._below.cycle(self._correction.rmatmat(b)))
        return x

    def smooth_vectors(self, count: int) -> NDArray[np.float64]:
        """The last level's vectors of the smallest eigenvalues, as they are up here; as many as there are."""
        if hasattr(self, "_inverse"):
            return np.ascontiguousarray(self._vectors[:, :count])
        if self._below is None:
            return np.empty((self._smoother.shape[0], 0))
        return self._prolongation.matmat(self._below.smooth_vectors(count))


def with_dtype(
    a: SparseMatrix, dtype: np.dtype[Any], data: NDArray[Any] | None = None
) -> SparseMatrix:
    """With other values, or its own."""
    rows = a._rows
    values: Any = rows.data if data is None else data
    return SparseMatrix(rows.indptr, rows.indices, values.astype(dtype, copy=False), a.shape)


def _product(a: SparseMatrix, b: SparseMatrix) -> SparseMatrix:
    left, right = a._rows, b._rows
    assert left.data is not None and right.data is not None
    indptr, indices, data = _core.csr_product(
        left.indptr, left.indices, left.data, right.indptr, right.indices, right.data, b.shape[1]
    )
    return SparseMatrix(indptr, indices, data, (a.shape[0], b.shape[1]))


def _tentative(
    of: NDArray[np.int32], near: NDArray[np.float64], lengths: NDArray[np.float64]
) -> SparseMatrix:
    """Orthonormal columns, one for each aggregate, that have `near` in their span."""
    inside = of >= 0
    indptr = np.concatenate([[0], np.cumsum(inside)]).astype(np.int32)
    at = of[inside]
    return SparseMatrix(indptr, at, near[inside] / lengths[at], (len(of), len(lengths)))
