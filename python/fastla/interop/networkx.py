"""fastla as a backend of NetworkX, which finds it by itself: ``networkx.pagerank(graph, backend="fastla")``.

Arguments, results and exceptions are NetworkX's. Where a graph or an argument is not for fastla (negative
weights, say) NotImplementedError is raised, after which NetworkX goes on to the next backend, or to itself,
unless this one alone was asked for.
"""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Mapping
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from .. import graph as _graph
from ..graph import _iterations
from ._networkx_graph import ConvertedGraph, convert_from_nx, convert_to_nx

Nodes = Mapping[Any, Any]


def pagerank(
    G: ConvertedGraph,
    alpha: float = 0.85,
    personalization: Nodes | None = None,
    max_iter: int = 100,
    tol: float = 1.0e-6,
    nstart: Nodes | None = None,
    weight: Hashable | None = "weight",
    dangling: Nodes | None = None,
    *,
    l1_error: float | None = None,
) -> dict[Any, float]:
    """networkx.pagerank; with `l1_error` that many, proven, of |rank - exact rank| in all."""
    if len(G) == 0:
        return {}
    if not 0 <= alpha <= 1:
        raise NotImplementedError(f"pagerank: alpha is {alpha}; fastla's is from 0 to 1")
    alpha = float(alpha)
    jump = _distribution(G, "personalization", personalization)
    if jump is not None and not jump.any():
        raise ZeroDivisionError
    sink, start = _distribution(G, "dangling", dangling), _distribution(G, "nstart", nstart)
    if any(x is not None and not x.any() for x in (sink, start)):
        raise nx.PowerIterationFailedConvergence(max_iter)  # after steps of 0 / 0
    graph = G.compressed(weight)
    if not np.isfinite(graph.out_strength()).all():
        raise NotImplementedError("pagerank: the weights of the edges from a node add up to inf")
    if l1_error is not None:
        if alpha == 1:
            raise ValueError(
                f"pagerank: alpha is 1, l1_error is {l1_error}; without jumps nothing is proven"
            )
        found = _graph.pagerank(
            graph, alpha=alpha, tol=l1_error, personalization=jump, dangling=sink, nstart=start
        )
        return G.dictionary(found.ranks)
    moved = len(G) * tol
    return _settled(
        G, _iterations.ranks(graph, alpha, jump, sink, start, moved, max_iter), max_iter
    )


def _distribution(G: ConvertedGraph, name: str, given: Nodes | None) -> NDArray[np.float64] | None:
    """Over the nodes, with the sum 1, or 0 everywhere."""
    if given is None:
        return None
    values = G.vector(given, default=0)
    total = float(values.sum())
    if not (values >= 0).all() or not np.isfinite(total):
        raise NotImplementedError(
            f"pagerank: {name} has the values {values.min()} to {values.max()}; fastla's are finite and "
            "not negative"
        )
    return values / total if total else values


def _settled(
    G: ConvertedGraph, x: NDArray[Any] | None, max_iter: int, like: Nodes | None = None
) -> dict[Any, float]:
    if x is None:
        raise nx.PowerIterationFailedConvergence(max_iter)
    return G.dictionary(x, like)


def hits(
    G: ConvertedGraph,
    max_iter: int = 100,
    tol: float = 1.0e-8,
    nstart: Nodes | None = None,
    normalized: bool = True,
) -> tuple[dict[Any, float], dict[Any, float]]:
    """networkx.hits: max_iter are restarts, tol is relative to the squared singular value."""
    if len(G) == 0:
        return {}, {}
    if max_iter <= 0:
        raise nx.PowerIterationFailedConvergence(max_iter)
    start = np.ones(len(G)) if nstart is None else G.vector(nstart)
    if not start.any():
        raise nx.NetworkXError("initial vector cannot have all zero values")
    matrix = G.matrix("weight")
    found = _iterations.hubs_and_authorities(matrix, not G.is_directed(), start, tol, max_iter)
    if found is None:
        raise nx.PowerIterationFailedConvergence(max_iter)
    hubs, authorities = found
    if not hubs.any():
        raise NotImplementedError(f"hits: {len(G)} nodes, and no edges between those of the start")
    if normalized:
        hubs, authorities = hubs / hubs.sum(), authorities / authorities.sum()
    return G.dictionary(hubs), G.dictionary(authorities)


def eigenvector_centrality(
    G: ConvertedGraph,
    max_iter: int = 100,
    tol: float = 1.0e-6,
    nstart: Nodes | None = None,
    weight: Hashable | None = None,
) -> dict[Any, float]:
    """networkx.eigenvector_centrality."""
    if len(G) == 0:
        raise nx.NetworkXPointlessConcept("cannot compute centrality for the null graph")
    given = dict.fromkeys(G, 1) if nstart is None else nstart
    if all(value == 0 for value in given.values()):
        raise nx.NetworkXError("initial vector cannot have all zero values")
    total = sum(given.values())
    start = G.vector({node: value / total for node, value in given.items()})
    found = _iterations.eigenvector(G.matrix(weight or None), start, len(G) * tol, max_iter)
    return _settled(G, found, max_iter, given)


def katz_centrality(
    G: ConvertedGraph,
    alpha: float = 0.1,
    beta: float | Nodes = 1.0,
    max_iter: int = 1000,
    tol: float = 1.0e-6,
    nstart: Nodes | None = None,
    normalized: bool = True,
    weight: Hashable | None = None,
) -> dict[Any, float]:
    """networkx.katz_centrality."""
    if len(G) == 0:
        return {}
    start = np.zeros(len(G)) if nstart is None else G.vector(nstart)
    try:
        each = np.full(len(G), float(beta))  # type: ignore[arg-type]
    except (TypeError, ValueError, AttributeError) as error:
        if set(beta) != set(G):  # type: ignore[arg-type]
            raise nx.NetworkXError("beta dictionary must have a value for every node") from error
        each = G.vector(beta)  # type: ignore[arg-type]
    matrix = G.matrix(weight)
    found = _iterations.katz(matrix, alpha, each, start, len(G) * tol, max_iter)
    if found is not None and normalized:
        found = found / (_iterations.length(found) or 1)
    return _settled(G, found, max_iter, nstart)


FUNCTIONS = (pagerank, hits, eigenvector_centrality, katz_centrality)
_SIGNATURES = {function.__name__: inspect.signature(function) for function in FUNCTIONS}


class Backend:
    """What NetworkX asks of a backend; its functions are attributes."""

    convert_from_nx = staticmethod(convert_from_nx)
    convert_to_nx = staticmethod(convert_to_nx)
    pagerank = staticmethod(pagerank)
    hits = staticmethod(hits)
    eigenvector_centrality = staticmethod(eigenvector_centrality)
    katz_centrality = staticmethod(katz_centrality)

    @staticmethod
    def can_run(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool | str:
        """Whether there is the function, with these arguments; a text says why not."""
        if name not in _SIGNATURES:
            return f"fastla has no {name}"
        given = _SIGNATURES[name].bind(*args, **kwargs).arguments
        alpha = given.get("alpha", 0)
        if name == "pagerank" and not 0 <= alpha <= 1:
            return f"alpha is {alpha}; fastla's is from 0 to 1"
        return True

    @staticmethod
    def should_run(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Whether it is worth while: always."""
        return True


backend = Backend()
