"""Graphs of NetworkX's as fastla's functions read them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from .._sparse import SparseMatrix
from ..graph import Graph
from ..graph._foreign import Adjacency
from ..graph._iterations import matrix_of

_KINDS = {  # by whether it is directed, and whether a multigraph
    (False, False): nx.Graph,
    (True, False): nx.DiGraph,
    (False, True): nx.MultiGraph,
    (True, True): nx.MultiDiGraph,
}


class _Absent:
    """The value of an attribute that an edge does not have. A class is the same one after copy and pickle."""


class ConvertedGraph:
    """A copy of what a function needs of a graph; NetworkX keeps it with the graph until that is changed.

    Entries are those of `Adjacency`: attributes[name] has the values of one attribute in their order.
    """

    __networkx_backend__ = "fastla"

    def __init__(self, kind: type[nx.Graph], adjacency: Adjacency) -> None:
        self.__networkx_cache__: dict[str, Any] = {}
        self.kind, self.nodes = kind, adjacency.nodes
        self.source, self.target = adjacency.ends()
        self.keys = adjacency.keys() if self.is_multigraph() else None
        self.attributes: dict[Hashable, list[Any]] = {}
        self.node_data: dict[Hashable, dict[Any, Any]] = {}
        self.graph: dict[Any, Any] = {}
        self._compressed: dict[Hashable, Graph] = {}

    def is_directed(self) -> bool:
        return bool(issubclass(self.kind, nx.DiGraph))

    def is_multigraph(self) -> bool:
        return bool(issubclass(self.kind, nx.MultiGraph))

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.nodes)

    def number_of_nodes(self) -> int:
        return len(self.nodes)

    def compressed(self, weight: Hashable | None) -> Graph:
        """With an attribute as weight, 1 where an edge has none; parallel edges add up. Made once."""
        name = weight if weight in self.attributes else None
        if name not in self._compressed:
            self._compressed[name] = self._of(name)
        return self._compressed[name]

    def matrix(self, weight: Hashable | None) -> SparseMatrix:
        """Row i has the weights of edges that lead to node i. Made once, with its transposed."""
        known: dict[str, Any] = self.compressed(weight).__dict__
        if "_matrix" not in known:
            known["_matrix"] = matrix_of(self.compressed(weight))
        found: SparseMatrix = known["_matrix"]
        return found

    def _of(self, name: Hashable | None) -> Graph:
        try:
            values = None
            if name is not None:
                given = self.attributes[name]
                values = np.array([1 if value is _Absent else value for value in given], np.float64)
                values = None if (values == 1).all() else values
            return Graph.from_edges(
                self.source, self.target, weight=values, n=len(self.nodes), duplicates="sum"
            )
        except (TypeError, ValueError) as error:  # NetworkX goes on by itself then
            raise NotImplementedError(f"{error}; such graphs are left to NetworkX") from error

    def vector(self, given: Mapping[Any, Any], default: Any = None) -> NDArray[np.float64]:
        """A dictionary of nodes in their order; what it lacks is the default, or a KeyError."""
        if default is not None:
            return np.array([given.get(node, default) for node in self.nodes], np.float64)
        if extra := given.keys() - set(self.nodes):
            raise KeyError(next(iter(extra)))
        return np.array([given[node] for node in self.nodes], np.float64)

    def dictionary(
        self, x: NDArray[Any], like: Mapping[Any, Any] | None = None
    ) -> dict[Any, float]:
        """Of nodes in their order, or in that of another dictionary."""
        made = dict(zip(self.nodes, x.tolist(), strict=True))
        return made if like is None else {node: made[node] for node in like}


def convert_from_nx(
    graph: Any,
    *,
    edge_attrs: dict[Any, Any] | None = None,
    node_attrs: dict[Any, Any] | None = None,
    preserve_edge_attrs: bool = False,
    preserve_node_attrs: bool = False,
    preserve_graph_attrs: bool = False,
    name: str | None = None,
    graph_name: str | None = None,
) -> ConvertedGraph:
    """The nodes, the edges, and the attributes that are asked for: {name: default}, or all."""
    adjacency = Adjacency(graph)
    kind = _KINDS[graph.is_directed(), graph.is_multigraph()]
    made = ConvertedGraph(kind, adjacency)
    wanted = {} if edge_attrs is None else edge_attrs
    if preserve_edge_attrs:
        wanted = dict.fromkeys(key for data in adjacency.data() for key in data)
    for key, default in wanted.items():
        other = _Absent if default is None else default
        made.attributes[key] = [data.get(key, other) for data in adjacency.data()]
    if preserve_node_attrs:
        made.node_data = {node: dict(data) for node, data in graph.nodes(data=True)}
    elif node_attrs:
        made.node_data = {
            node: {
                key: data.get(key, default)
                for key, default in node_attrs.items()
                if default is not None or key in data
            }
            for node, data in graph.nodes(data=True)
        }
    if preserve_graph_attrs:
        made.graph = dict(graph.graph)
    return made


def convert_to_nx(obj: Any, *, name: str | None = None) -> Any:
    """A graph of NetworkX's own again, with the attributes that were kept; other objects as they are."""
    if not isinstance(obj, ConvertedGraph):
        return obj
    made = obj.kind()
    made.graph.update(obj.graph)
    made.add_nodes_from((node, obj.node_data.get(node, {})) for node in obj.nodes)
    ends = ([obj.nodes[i] for i in numbers.tolist()] for numbers in (obj.source, obj.target))
    keys = () if obj.keys is None else (obj.keys,)
    for i, edge in enumerate(zip(*ends, *keys, strict=True)):
        made.add_edge(*edge)
        data = made.edges[edge]
        for key, values in obj.attributes.items():
            if values[i] is not _Absent:
                data[key] = values[i]
    return made
