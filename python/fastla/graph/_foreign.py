"""Graphs of other libraries as edges."""

from __future__ import annotations

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


def edges_of_networkx(graph: Any, weight: str | None) -> Foreign:
    """Of NetworkX's graphs of any kind, in their order of nodes."""
    nodes = list(graph)
    number = {node: i for i, node in enumerate(nodes)}
    count = graph.number_of_edges()
    pairs = np.fromiter(
        (number[x] for u, v in graph.edges() for x in (u, v)), np.int64, 2 * count
    ).reshape(-1, 2)
    values = None
    if weight is not None:
        given = [w for _, _, w in graph.edges(data=weight, default=1)]
        try:
            values = _unless_ones(np.array(given, np.float64))
        except (TypeError, ValueError):
            wrong = next(e for e in graph.edges(data=weight, default=1) if not _is_number(e[2]))
            raise ValueError(
                f"from_networkx: the edge {wrong[:2]} has the {weight} {wrong[2]!r}; it must be a number"
            ) from None
    ids = None
    if not all(type(node) is int and node == i for i, node in enumerate(nodes)):
        ids = np.empty(len(nodes), object)
        ids[:] = nodes
    source, target = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
    return Foreign(source, target, values, len(nodes), ids, graph.is_directed())


def _unless_ones(weight: NDArray[Any]) -> NDArray[Any] | None:
    return None if np.all(weight == 1) else weight


def _is_number(x: Any) -> bool:
    try:
        float(x)
    except (TypeError, ValueError):
        return False
    return True
