"""Random walks along the edges of a graph: what each step reads, laid out once and kept with the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from ._arrays import CompressedGraph

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Ranks of fewer nodes lie in L2 in any order.
_FEW_NODES = 1 << 15


class Walk(NamedTuple):
    """Nodes in an order in which steps are fast; bits do not depend on it.

    `weights`: the chance of each edge, None where all edges of a node have the same; `inverse`: by what a
    rank is multiplied before it goes along the edges, 0 where there are none.
    """

    indptr: NDArray[Any]
    indices: NDArray[Any]
    weights: NDArray[Any] | None
    inverse: NDArray[Any]
    order: NDArray[Any] | None  # order[here] = the graph's number; None: the same

    def inside(self, x: NDArray[Any]) -> NDArray[Any]:
        """Rows of nodes in the graph's order, in this one."""
        return x if self.order is None else np.ascontiguousarray(x[self.order])

    def outside(self, x: NDArray[Any]) -> NDArray[Any]:
        """And back."""
        if self.order is None:
            return x
        found = np.empty_like(x)
        found[self.order] = x
        return found


def walk(graph: CompressedGraph, weighted: bool, dtype: np.dtype[Any]) -> Walk:
    """Of a graph's edges, by their weights or all alike; kept for the next call."""
    key = (weighted and graph.weight is not None, np.dtype(dtype).str)
    known: dict[Any, Walk] = graph.__dict__.setdefault("_walks", {})
    if key not in known:
        known.clear()  # one at a time: it is as large as the graph
        known[key] = _laid_out(graph, key[0], np.dtype(dtype))
    return known[key]


def _laid_out(graph: CompressedGraph, weighted: bool, dtype: np.dtype[Any]) -> Walk:
    degree = graph.out_degree()
    indptr, indices, order = graph.indptr, graph.indices, None
    weight = graph.weight if weighted else None
    if graph.n > _FEW_NODES and not graph.mapped:
        order, indptr, indices, weight = _core.rank_reorder(indptr, indices, weight, degree)
    if weight is None:
        out = degree if order is None else degree[order]
        inverse = np.divide(1, out, out=np.zeros(graph.n), where=out > 0).astype(dtype)
        return Walk(indptr, indices, None, inverse, order)
    strength = graph.out_strength()
    if not np.isfinite(strength).all():
        node = int(np.argmin(np.isfinite(strength)))
        raise ValueError(
            f"pagerank: the weights of the edges from node {node} add up to {strength[node]}"
        )
    strength = strength if order is None else strength[order]
    # The chance of an edge: no weight is too small or too large for it. Edges of weight 0 go nowhere.
    chances = np.divide(
        weight, strength[indices], out=np.zeros(len(indices)), where=strength[indices] > 0
    )
    return Walk(
        indptr, indices, chances.astype(dtype, copy=False), (strength > 0).astype(dtype), order
    )
