"""What a graph in compressed form knows of itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .._extra import package
from ._edges import Compressed

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Edges that are counted at a time.
_PORTION = 1 << 22


class CompressedGraph:
    """Edges by their targets; see `Graph`."""

    def __init__(
        self,
        arrays: Compressed,
        ids: NDArray[Any] | Callable[[], NDArray[Any] | None] | None,
        directed: bool,
    ) -> None:
        self.indptr, self.indices, self.weight = arrays
        self.n = len(self.indptr) - 1
        self.directed = directed
        self._ids = ids
        self.mapped = False  # arrays lie in a file

    @property
    def ids(self) -> NDArray[Any] | None:
        if callable(self._ids):
            self._ids = self._ids()
        return self._ids

    @property
    def number_of_edges(self) -> int:
        return len(self.indices) if self.directed else (len(self.indices) + self._loops) // 2

    @cached_property
    def _loops(self) -> int:
        return int(np.count_nonzero(self.indices == self._targets()))

    def _targets(self) -> NDArray[Any]:
        return np.repeat(np.arange(self.n, dtype=self.indices.dtype), np.diff(self.indptr))

    def edges(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
        """All edges by target and source; without directions each once, from the lower number to the higher.

        Returns
        -------
        source, target, weight : ndarray
            Each of an entry for each edge; weight is None where all are 1.
        """
        source, target, weight = self.indices, self._targets(), self.weight
        if self.directed:
            return source, target, weight
        once = source <= target
        return source[once], target[once], None if weight is None else weight[once]

    def out_strength(self) -> NDArray[Any]:
        """For each node the sum of the weights of the edges from it, found once and kept.

        Returns
        -------
        ndarray of float64
            (n,); where there are no weights, how many edges there are.
        """
        return self._out_strength

    def out_degree(self) -> NDArray[Any]:
        """For each node how many edges go out, found once and kept.

        Returns
        -------
        ndarray of int64
            (n,)
        """
        return self._out_degree

    @cached_property
    def _out_degree(self) -> NDArray[Any]:
        found = np.zeros(self.n, np.int64)
        for first in range(0, len(self.indices), _PORTION):  # bincount makes int64 of them
            found += np.bincount(self.indices[first : first + _PORTION], minlength=self.n)
        found.flags.writeable = False
        return found

    @cached_property
    def _out_strength(self) -> NDArray[Any]:
        if self.weight is None:
            found = self._out_degree.astype(np.float64)
        else:
            found = np.bincount(self.indices, self.weight, minlength=self.n).astype(np.float64)
        found.flags.writeable = False
        return found

    def to_scipy(self) -> Any:
        """The adjacency matrix: entry [i, j] is the weight of the edge from i to j.

        Returns
        -------
        scipy.sparse.csc_array
            (n, n), of this graph's own arrays; without directions symmetric.

        Raises
        ------
        ImportError
            Without SciPy, which the extra ``fastla[graph]`` brings.
        """
        sparse = package("scipy.sparse", "graph")
        data = np.ones(len(self.indices)) if self.weight is None else self.weight
        return sparse.csc_array((data, self.indices, self.indptr), shape=(self.n, self.n))

    def __getstate__(self) -> dict[str, Any]:
        arrays = Compressed(self.indptr, self.indices, self.weight)
        return {"arrays": arrays, "ids": self.ids, "directed": self.directed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __repr__(self) -> str:
        kind = "directed" if self.directed else "undirected"
        weights = "" if self.weight is None else f", {self.weight.dtype} weights"
        return f"Graph({kind}, {self.n} nodes, {self.number_of_edges} edges{weights})"
