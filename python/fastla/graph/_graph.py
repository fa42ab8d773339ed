"""A graph in compressed form."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._extra import package
from ._edges import Compressed, compressed, edge_arrays, weight_array

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Graph:
    """Nodes 0 to n - 1 and the edges between them, sorted; made once, then only read.

    Parameters
    ----------
    indptr, indices : ndarray
        For each node as a target, the sources of its edges, increasing: ``indices[indptr[i] : indptr[i + 1]]``
        point to node i. int32 or int64.
    weight : ndarray, optional
        (m,), of each edge, float32 or float64, finite and not negative; all are 1 unless given.
    ids : array_like, optional
        (n,), the nodes' names.
    directed : bool
        Of a graph that is not, each edge is there in both directions.

    Attributes
    ----------
    n : int
        Nodes.
    indptr, indices : ndarray
        (n + 1,) and (m,), both int32, or both int64 where n or m is 2^31 or more.
    weight : ndarray or None
        (m,), or None where all are 1.
    ids : ndarray or None
        (n,), the nodes' names, or None where they have none but their numbers.
    directed : bool
        Whether an edge has a direction.
    """

    def __init__(
        self,
        indptr: NDArray[Any],
        indices: NDArray[Any],
        weight: NDArray[Any] | None = None,
        *,
        ids: Any = None,
        directed: bool = True,
    ) -> None:
        self.n = len(indptr) - 1
        self.indptr = indptr
        self.indices = indices
        self.weight = weight
        self.directed = directed
        self.ids = ids

    @classmethod
    def _of(cls, arrays: Compressed, ids: NDArray[Any] | None, directed: bool) -> Graph:
        return cls(*arrays, ids=ids, directed=directed)

    @classmethod
    def from_edges(
        cls,
        source: Any,
        target: Any,
        *,
        weight: Any = None,
        n: int | None = None,
        directed: bool = True,
        duplicates: str | None = None,
        num_threads: int | None = None,
    ) -> Graph:
        """A graph of edges given by their ends."""
        a, b, ids = edge_arrays("from_edges", source, target)
        if ids is not None and n is None:
            n = len(ids)
        w = weight_array("from_edges", weight, len(a))
        made = compressed("from_edges", a, b, w, n, directed, duplicates, num_threads)
        return cls._of(made, ids, directed)

    @property
    def number_of_edges(self) -> int:
        """How many edges there are; of a graph without directions each counts once."""
        return len(self.indices) if self.directed else (len(self.indices) + self._loops) // 2

    @cached_property
    def _loops(self) -> int:
        source, target, _ = self._stored()
        return int(np.count_nonzero(source == target))

    def _stored(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
        target = np.repeat(np.arange(self.n, dtype=self.indices.dtype), np.diff(self.indptr))
        return self.indices, target, self.weight

    def out_strength(self) -> NDArray[Any]:
        """For each node the sum of the weights of the edges from it."""
        return self._out_strength

    @cached_property
    def _out_strength(self) -> NDArray[Any]:
        found = np.bincount(self.indices, self.weight, minlength=self.n).astype(np.float64)
        found.flags.writeable = False
        return found

    def to_scipy(self) -> Any:
        """The adjacency matrix, of which entry [i, j] is the weight of the edge from i to j."""
        sparse = package("scipy.sparse", "graph")
        data = np.ones(len(self.indices)) if self.weight is None else self.weight
        return sparse.csc_array((data, self.indices, self.indptr), shape=(self.n, self.n))

    def __repr__(self) -> str:
        kind = "directed" if self.directed else "undirected"
        weights = "" if self.weight is None else f", {self.weight.dtype} weights"
        return f"Graph({kind}, {self.n} nodes, {self.number_of_edges} edges{weights})"
