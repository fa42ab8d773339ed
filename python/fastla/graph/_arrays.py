"""What a graph in compressed form knows of itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._extra import package
from ._store import pack_names, save
from ._stream import EdgeFile, Piece

if TYPE_CHECKING:
    from numpy.typing import NDArray


class CompressedGraph:
    """Edges by their targets; see `Graph`."""

    def __init__(
        self,
        indptr: NDArray[Any],
        indices: NDArray[Any],
        weight: NDArray[Any] | None = None,
        *,
        ids: NDArray[Any] | Callable[[], NDArray[Any] | None] | None = None,
        directed: bool = True,
    ) -> None:
        self.indptr, self.indices, self.weight = indptr, indices, weight
        self.n = len(indptr) - 1
        self.directed = directed
        self._ids = ids
        self._file: EdgeFile | None = None  # where arrays lie that are mapped
        self._checks: dict[str, int] | None = None  # their CRC-32

    @property
    def mapped(self) -> bool:
        return self._file is not None

    def _pieces(self, weighted: bool = False) -> Iterator[Piece]:
        """Edges in order, of a file a piece at a time."""
        if self._file is not None:
            return self._file.pieces(self.indptr, weighted)
        return iter(
            [Piece(0, self.n, self.indptr, self.indices, self.weight if weighted else None)]
        )

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
        return sum(int(np.count_nonzero(p.indices == _targets(p))) for p in self._pieces())

    def edges(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
        """All edges by target and source; without directions each once, from the lower number to the higher.

        Returns
        -------
        source, target, weight : ndarray
            Each of an entry for each edge; weight is None where all are 1.

        Examples
        --------
        >>> from fastla.graph import Graph
        >>> Graph.from_edges([2, 0], [0, 1], directed=False).edges()
        (array([0, 0], dtype=int32), array([1, 2], dtype=int32), None)
        """
        source, target, weight = (
            self.indices,
            _targets(Piece(0, self.n, self.indptr, self.indices, None)),
            self.weight,
        )
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

        Examples
        --------
        >>> from fastla.graph import Graph
        >>> Graph.from_edges([0, 0, 2], [1, 2, 0], weight=[0.5, 1.0, 3.0]).out_strength()
        array([1.5, 0. , 3. ])
        """
        return self._out_strength

    def out_degree(self) -> NDArray[Any]:
        """For each node how many edges go out, found once and kept.

        Returns
        -------
        ndarray of int64
            (n,)

        Examples
        --------
        >>> from fastla.graph import Graph
        >>> Graph.from_edges([0, 0, 1], [1, 2, 2]).out_degree()
        array([2, 1, 0])
        """
        return self._out_degree

    @cached_property
    def _out_degree(self) -> NDArray[Any]:
        return self._added(np.zeros(self.n, np.int64), weighted=False)

    @cached_property
    def _out_strength(self) -> NDArray[Any]:
        if self.weight is None:
            return self._out_degree.astype(np.float64)
        return self._added(np.zeros(self.n), weighted=True)

    def _added(self, sums: NDArray[Any], weighted: bool) -> NDArray[Any]:
        for piece in self._pieces(weighted):
            _core.rank_add_out(piece.indices, piece.weight, sums)
        sums.flags.writeable = False
        return sums

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

        Examples
        --------
        >>> from fastla.graph import Graph
        >>> Graph.from_edges([0, 0], [1, 2]).to_scipy().toarray()
        array([[0., 1., 1.],
               [0., 0., 0.],
               [0., 0., 0.]])
        """
        sparse = package("scipy.sparse", "graph")
        data = np.ones(len(self.indices)) if self.weight is None else self.weight
        return sparse.csc_array((data, self.indices, self.indptr), shape=(self.n, self.n))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the graph to a file, for `open`: all of it, or the file stays as it was.

        Parameters
        ----------
        path : str or path-like
            The file.

        Raises
        ------
        TypeError
            If the nodes' names are neither all texts nor all integers.

        Examples
        --------
        >>> import os, tempfile
        >>> from fastla.graph import Graph
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Graph.from_edges([0, 1], [1, 2]).save(os.path.join(folder, "small.graph"))
        ...     os.listdir(folder)
        ['small.graph']
        """
        arrays = {"indptr": self.indptr, "indices": self.indices}
        if self.weight is not None:
            arrays["weight"] = self.weight
        if self.ids is not None:
            arrays |= pack_names(self.ids)
        save(path, self.directed, arrays)

    def __getstate__(self) -> dict[str, Any]:
        names = ("indptr", "indices", "weight", "ids", "directed")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __repr__(self) -> str:
        kind = "directed" if self.directed else "undirected"
        weights = "" if self.weight is None else f", {self.weight.dtype} weights"
        return f"Graph({kind}, {self.n} nodes, {self.number_of_edges} edges{weights})"


def _targets(piece: Piece) -> NDArray[Any]:
    nodes = np.arange(piece.first, piece.end, dtype=piece.indices.dtype)
    return np.repeat(nodes, np.diff(piece.indptr))
