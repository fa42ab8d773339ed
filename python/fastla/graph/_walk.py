"""Random walks along the edges of a graph: what each step reads, laid out once and kept with the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from ._arrays import CompressedGraph
from ._stream import Piece

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Ranks of fewer nodes lie in L2 in any order.
_FEW_NODES = 1 << 15


class Walk(NamedTuple):
    """Nodes in an order in which steps are fast; bits do not depend on it.

    `pieces` yields the edges, `weight` being the chance of each, None where all edges of a node have the
    same; `inverse`: by what a rank is multiplied before it goes along the edges, 0 where there are none.
    """

    pieces: Callable[[], Iterator[Piece]]
    indptr: NDArray[Any]
    degree: NDArray[Any] | None  # how many edges go out, if they have chances
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

    def placed(x: NDArray[Any]) -> NDArray[Any]:
        return x if order is None else x[order]

    if weight is None:
        strength = placed(degree)
        inverse = np.divide(1, strength, out=np.zeros(graph.n), where=strength > 0)
    else:
        strength = graph.out_strength()
        if not np.isfinite(strength).all():
            node = int(np.argmin(np.isfinite(strength)))
            raise ValueError(
                f"pagerank: the weights of the edges from node {node} add up to {strength[node]}"
            )
        strength = placed(strength)
        inverse = strength > 0

    # The chance of an edge: no weight is too small or too large for it. Edges of weight 0 go nowhere.
    def chances(indices: NDArray[Any], weight: NDArray[Any]) -> NDArray[Any]:
        made = np.empty(len(indices), dtype)
        _core.rank_chances(indices, weight, strength, made)
        return made

    pieces = _pieces(graph, indptr, indices, weight, chances)
    by_weight = None if weight is None else placed(degree)
    return Walk(pieces, indptr, by_weight, inverse.astype(dtype), order)


def _pieces(
    graph: CompressedGraph,
    indptr: NDArray[Any],
    indices: NDArray[Any],
    weight: NDArray[Any] | None,
    chances: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]],
) -> Callable[[], Iterator[Piece]]:
    """In memory chances are kept with the edges; of a file they are made anew for each piece."""
    if graph._file is None:
        kept = None if weight is None else chances(indices, weight)
        whole = Piece(0, graph.n, indptr, indices, kept)
        return lambda: iter([whole])
    file = graph._file  # not the graph: it keeps this
    if weight is None:
        return lambda: file.pieces(indptr, False)

    def with_chances() -> Iterator[Piece]:
        for piece in file.pieces(indptr, True):
            assert piece.weight is not None
            yield piece._replace(weight=chances(piece.indices, piece.weight))

    return with_chances
