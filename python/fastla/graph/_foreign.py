"""Graphs of other libraries as edges."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Foreign(NamedTuple):
    """Edges, their weights unless all are 1, and of how many nodes of what names they are."""

    source: NDArray[Any]
    target: NDArray[Any]
    weight: NDArray[Any] | None
    n: int
    ids: NDArray[Any] | None
    directed: bool


def edges_of_scipy(a: Any, directed: bool) -> Foreign:
    """Of a sparse matrix, or its like."""
    if not hasattr(a, "tocoo"):
        raise TypeError(f"from_scipy: a is {type(a).__name__}; it must have the method tocoo")
    if len(a.shape) != 2 or a.shape[0] != a.shape[1]:
        raise ValueError(
            f"from_scipy: a is {a.shape} of dtype {a.dtype}; it must be a square matrix"
        )
    entries = a.tocoo()
    row, col, data = entries.row, entries.col, entries.data
    weight = None if data.dtype == bool else _unless_ones(data)
    if not directed:
        if abs(a - a.T).nnz:
            raise ValueError(f"from_scipy: a is {a.shape} and not symmetric; directed must be True")
        once = row <= col
        row, col = row[once], col[once]
        weight = None if weight is None else weight[once]
    return Foreign(row, col, weight, a.shape[0], None, directed)


def edges_of_csr(indptr: Any, indices: Any, weight: Any) -> Foreign:
    """Of compressed rows, each a source."""
    starts, columns = np.asarray(indptr), np.asarray(indices)
    for name, x in (("indptr", starts), ("indices", columns)):
        if x.ndim != 1 or (x.dtype.kind not in "iu" and len(x)):
            raise TypeError(
                f"from_csr: {name} is {x.shape} of dtype {x.dtype}; it must be a vector of integers"
            )
    if len(starts) == 0:
        raise ValueError("from_csr: indptr is (0,); it must have one more than there are nodes")
    n = len(starts) - 1
    starts, columns = (np.ascontiguousarray(x, np.int64) for x in (starts, columns))
    _core.csr_check(starts, columns, (n, n))
    used = int(starts[-1])
    if used != len(columns):
        raise ValueError(
            f"from_csr: indptr ends with {used}, indices is {columns.shape}; they must agree"
        )
    source = np.repeat(np.arange(n), np.diff(starts))
    return Foreign(source, columns, weight, n, None, True)


class Adjacency:
    """The entries of a graph of NetworkX's, row after row in its order: without directions both ways of an
    edge, but a loop once."""

    def __init__(self, graph: Any) -> None:
        self.nodes = list(graph)
        rows = dict(graph.adjacency())
        self._rows = [rows[node] for node in self.nodes]
        self._multigraph = graph.is_multigraph()

    def ends(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of each entry the numbers of its source and its target."""
        number = {node: i for i, node in enumerate(self.nodes)}
        many = self._multigraph
        degrees = [sum(map(len, row.values())) if many else len(row) for row in self._rows]
        targets = (v for row in self._rows for v, keys in row.items() for _ in keys)
        following = targets if many else chain.from_iterable(self._rows)
        target = np.fromiter(map(number.__getitem__, following), np.int64, sum(degrees))
        return np.repeat(np.arange(len(degrees)), degrees), target

    def data(self) -> Iterator[dict[Any, Any]]:
        """The attributes of each entry."""
        return (entry for _, entry in self._keyed())

    def keys(self) -> list[Any]:
        """Of each entry which one of those between its ends it is, in a multigraph."""
        return [key for key, _ in self._keyed()]

    def _keyed(self) -> Iterator[tuple[Any, dict[Any, Any]]]:
        if self._multigraph:
            return chain.from_iterable(keys.items() for row in self._rows for keys in row.values())
        return ((None, entry) for row in self._rows for entry in row.values())


def edges_of_networkx(graph: Any, weight: str | None) -> Foreign:
    """Of NetworkX's graphs of any kind, in their order of nodes."""
    adjacency, directed = Adjacency(graph), graph.is_directed()
    nodes = adjacency.nodes
    source, target = adjacency.ends()
    once = slice(None) if directed else source <= target
    values = None
    if weight is not None:
        given = [entry.get(weight, 1) for entry in adjacency.data()]
        try:
            values = _unless_ones(np.array(given, np.float64)[once])
        except (TypeError, ValueError):
            place = next(i for i, value in enumerate(given) if not _is_number(value))
            raise ValueError(
                f"from_networkx: the edge {(nodes[source[place]], nodes[target[place]])} has the {weight} "
                f"{given[place]!r}; it must be a number"
            ) from None
    ids = None
    if not all(type(node) is int and node == i for i, node in enumerate(nodes)):
        ids = np.empty(len(nodes), object)
        ids[:] = nodes
    return Foreign(source[once], target[once], values, len(nodes), ids, directed)


def _unless_ones(weight: NDArray[Any]) -> NDArray[Any] | None:
    return None if np.all(weight == 1) else weight


def _is_number(x: Any) -> bool:
    try:
        float(x)
    except (TypeError, ValueError):
        return False
    return True
