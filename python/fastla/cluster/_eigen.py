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
from ._laplacian import NormalizedLaplacian

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Blocks for the operator itself; what it has not found then is spread by a polynomial, and that again by a higher one
# for what is then known. A polynomial's growth beyond the interval, e^GROWTH / 2, tells eigenvalues there from
# others, and is little enough for rounding.
_PLAIN, _FILTERED, _BLOCKS = 8, 8, 300
_GROWTH, _GROWTH32 = 10.0, 5.0
_DEGREE = 4000


def leading(
    still: Still,
    k: int,
    tol: float | None,
    rng: np.random.Generator | int | None,
    max_iter: int | None,
) -> tuple[NDArray[Any], int]:
    """Vectors of the k smallest eigenvalues but the components' own, and how often the Laplacian was
    applied."""
    wide = still.dtype == np.float64
    wanted = (1e-6 if wide else 1e-4) if tol is None else float(tol)
    left, applied, inner = _BLOCKS if max_iter is None else max_iter, 0, wanted
    operator: Any = still
    while True:
        blocks = min(left, _PLAIN if operator is still else _FILTERED)
        try:
            found = eigh_topk(operator, k, tol=inner, rng=rng, max_iter=blocks)
            stopped = None
        except NotConverged as error:
            found, stopped = error.result, error
        applied, left = applied + found.iterations * operator.degree, left - found.iterations
        if stopped is None:
            # Beside the largest value of a polynomial a residual may be little, and yet not beside the others.
            if (
                operator is still
                or still.worst(found.vectors) <= 2 * wanted
                or inner < _least(still)
            ):
                return found.vectors, applied
            inner /= 10
        if left <= 0:
            raise stopped or NotConverged(
                f"spectral_embedding: the largest residual is {still.worst(found.vectors):.3g} after {applied} "
                f"products; asked for was {2 * wanted:.3g}",
                found,
            )
        operator = still.filtered(still.quotients(found.vectors))


def _least(still: Still) -> float:
    return 64 * float(np.finfo(still.dtype).eps)


class Still:
    """I + D^(-1/2) W D^(-1/2), but for the components' own vectors, whose eigenvalue becomes -1, the least."""

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
        made: NDArray[Any] = x - self._null.matmat(self._null.rmatmat(x))
        return made

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
