"""The smallest eigenvalues of a Laplacian, when those that are 0 are known.

Zhou, Saad, Tiago and Chelikowsky, "Self-consistent-field calculations using Chebyshev-filtered subspace
iteration", J. Comput. Phys. 219 (2006): polynomials that are large at one end of the spectrum alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .._sparse import SparseMatrix
from ..decomposition import NotConverged, eigh_topk
from ..decomposition._orthonormal import lengths
from ..decomposition._rounding import unit
from ._laplacian import NormalizedLaplacian

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Blocks for the operator itself, and for a polynomial that spreads what is not found then; with more known
# there is a higher one. A spectrum that begins beyond FLAT has nothing to be spread. A polynomial's growth
# beyond the interval, e^GROWTH / 2, tells eigenvalues from others, and is little enough for rounding.
_FEW, _BLOCKS, _FLAT = 8, 300, 0.2
_GROWTH, _GROWTH32 = 10.0, 5.0
_DEGREE = 4000


def leading(
    still: Still,
    k: int,
    tol: float | None,
    rng: np.random.Generator | int | None,
    max_iter: int | None,
) -> tuple[NDArray[Any], int]:
    """Vectors of the k smallest eigenvalues but the components' own, and how often L was applied."""
    wide = still.dtype == np.float64
    wanted = (1e-6 if wide else 1e-4) if tol is None else float(tol)
    left, applied, inner = _BLOCKS if max_iter is None else max_iter, 0, wanted
    operator: Any = still
    blocks, before = _FEW, math.inf
    while True:
        blocks = min(left, blocks)
        try:
            found = eigh_topk(operator, k, tol=inner, rng=rng, max_iter=blocks)
            stopped = None
        except NotConverged as error:
            found, stopped = error.result, error
        applied, left = applied + found.iterations * operator.degree, left - found.iterations
        if stopped is None:
            # A residual may be little beside a polynomial's largest value, and not beside the others.
            if (
                operator is still
                or still.worst(found.vectors) <= 2 * wanted
                or inner < _least(still)
            ):
                return found.vectors, applied
            inner /= 10
        if left <= 0:
            raise stopped or NotConverged(
                f"spectral_embedding: the largest residual is {still.worst(found.vectors):.3g} after "
                f"{applied} products; asked for was {2 * wanted:.3g}",
                found,
            )
        quotients = still.quotients(found.vectors)
        last = float(quotients[-1])
        operator = still if last > _FLAT else still.filtered(quotients)
        # What gets no nearer takes more blocks.
        blocks = left if operator is still else 2 * blocks if last > before / 2 else _FEW
        before = last


def _least(still: Still) -> float:
    return 128 * unit(still.dtype)


class Still:
    """I + D^(-1/2) W D^(-1/2), with -1, the least, as eigenvalue of the components' own vectors."""

    degree = 1

    def __init__(self, laplacian: NormalizedLaplacian, labels: NDArray[np.int64]):
        self.laplacian = laplacian
        self.shape, self.dtype = laplacian.shape, laplacian.dtype
        self._sizes = np.bincount(labels)
        roots = np.sqrt(np.where(laplacian.degrees > 0, laplacian.degrees, 1))
        squares = np.bincount(labels, np.square(roots))
        unit = (roots / np.sqrt(squares)[labels]).astype(self.dtype)
        n = len(labels)
        self._null = SparseMatrix(np.arange(n + 1), labels, unit, (n, len(squares)))

    def vectors(self, k: int) -> NDArray[Any]:
        """Those of the k components with the most nodes, or of all."""
        chosen = np.sort(np.argsort(-self._sizes, kind="stable")[:k])
        picked = np.zeros((len(self._sizes), len(chosen)), self.dtype)
        picked[chosen, np.arange(len(chosen))] = 1
        return self._null.matmat(picked)

    def without(self, x: NDArray[Any]) -> NDArray[Any]:
        """x less its parts along the components' vectors."""
        return self.project(x.copy())

    def project(self, x: NDArray[Any]) -> NDArray[Any]:
        """The same, in place."""
        x -= self._null.matmat(self._null.rmatmat(x))
        return x

    def matmat(self, x: NDArray[Any]) -> NDArray[Any]:
        own = self._null.matmat(self._null.rmatmat(x))
        x = x - own
        y = self.laplacian.times_adjacency(x)
        y += x
        y -= own
        return y

    rmatmat = matmat

    def quotients(self, vectors: NDArray[Any]) -> NDArray[np.float64]:
        """Rayleigh's, of the Laplacian, increasing: none is below its eigenvalue."""
        x = self.without(vectors)
        sizes = np.square(x).sum(axis=0, dtype=np.float64)
        return np.sort((self.laplacian.matmat(x) * x).sum(axis=0, dtype=np.float64) / sizes)

    def worst(self, vectors: NDArray[Any]) -> float:
        """The largest residual of the Laplacian's."""
        turned = self.laplacian.matmat(vectors)
        values = (turned * vectors).sum(axis=0)
        return float(lengths(turned - vectors * values).max())

    def filtered(self, quotients: NDArray[np.float64]) -> Filtered:
        """The polynomial for eigenvalues of which these are upper bounds."""
        cut = min(1.25 * float(quotients[-1]), 1.5)
        # The interval [cut, 2] becomes [-1, 1], and 0 lies so far outside.
        beyond = math.acosh(1 + 2 * cut / (2 - cut)) if cut > 0 else 0.0
        growth = _GROWTH if self.dtype == np.float64 else _GROWTH32
        degree = max(2, min(_DEGREE, math.ceil(growth / max(beyond, 1e-12))))
        return Filtered(self, cut, degree)


class Filtered:
    """A Chebyshev polynomial of the operator: between -1 and 1 on [cut, 2], growing from there to 0."""

    def __init__(self, still: Still, cut: float, degree: int):
        self.shape, self.dtype = still.shape, still.dtype
        self.degree = degree
        self._still = still
        # (2 + cut - 2 L) / (2 - cut) = (2 N + cut) / (2 - cut), twice as the recurrence has it.
        self._slope, self._shift = 4 / (2 - cut), 2 * cut / (2 - cut)
        self._twice = self._of_adjacency()

    def _of_adjacency(self) -> Any:
        """What twice the operator is, in one sparse product; None where there is a dense one."""
        laplacian = self._still.laplacian
        if not isinstance(laplacian.adjacency, SparseMatrix):
            return None
        rows, n = laplacian.adjacency._rows, self.shape[0]
        assert rows.data is not None
        # A diagonal of its own in front of each row: duplicates add up.
        diagonal = np.where(laplacian.degrees > 0, self._shift, 0).astype(self.dtype)
        starts = rows.indptr[:-1]
        indices = np.insert(rows.indices, starts, np.arange(n))
        data = np.insert((rows.data * self._slope).astype(self.dtype), starts, diagonal)
        return SparseMatrix(rows.indptr + np.arange(n + 1), indices, data, self.shape)

    def _times_twice(self, x: NDArray[Any]) -> NDArray[Any]:
        if self._twice is not None:
            made: NDArray[Any] = self._twice.matmat(x)
            return made
        y = self._still.laplacian.times_adjacency(x)
        y *= self._slope
        y += x * x.dtype.type(self._shift)
        return y

    def matmat(self, x: NDArray[Any]) -> NDArray[Any]:
        before = self._still.without(x)
        now = self._times_twice(before) / 2
        for _ in range(self.degree - 1):
            after = self._times_twice(now)
            before, now = now, np.subtract(after, before, out=after)
        return self._still.without(now)

    rmatmat = matmat
