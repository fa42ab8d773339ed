"""PageRank with a certificate."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .._not_converged import NotConverged
from .._progress import show
from ._arrays import CompressedGraph
from ._checkpoint import Checkpoint, call_of
from ._rank_result import PageRankResult
from ._run import period, run
from ._steps import Problem
from ._teleport import distribution
from ._walk import walk

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

METHODS = ("auto", "power", "extrapolated", "gauss_seidel")
_TOL = {"float64": 1e-8, "float32": 1e-5}
_UNDAMPED_STEPS = 10_000


def pagerank(
    graph: CompressedGraph,
    *,
    alpha: float = 0.85,
    tol: float | None = None,
    max_iter: int | None = None,
    personalization: Any = None,
    dangling: Any = None,
    weight: bool = True,
    nstart: Any = None,
    dtype: DTypeLike = "float64",
    method: str = "auto",
    num_threads: int | None = None,
    progress: bool = False,
    callback: Callable[[int, NDArray[np.float64]], object] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 60.0,
) -> PageRankResult:
    """The stationary distribution of a random walk that now and then jumps, proven to within `tol`.

    Parameters
    ----------
    graph : Graph
        n nodes. Edges of a graph without directions are walked both ways.
    alpha : float
        From 0 to 1: how likely the walk goes on along an edge rather than jumps. At 1 it never jumps; there
        is no bound then, and no result where the graph is periodic.
    tol : float, optional
        The sum of |rank - exact rank| over all nodes is at most this. 1e-8 unless given, of float32 1e-5. At
        alpha 1: how far the last step moved.
    max_iter : int, optional
        Steps at most. As many as suffice in any case unless given: ln(2 / tol) / -ln(alpha), and some more
        for other methods than "power".
    personalization : array_like or dict, optional
        (n,), or (n, b) for b of them at once, or of nodes (those missing have 0): how likely a jump ends
        where, up to a factor. Everywhere alike unless given.
    dangling : array_like or dict, optional
        (n,) or (n, b): where the walk goes from nodes without edges, up to a factor. As it jumps unless
        given.
    weight : bool
        Whether edges are walked in proportion to their weights, if the graph has any, or all alike.
    nstart : array_like, dict or PageRankResult, optional
        Ranks to begin with, up to a factor; a result of a graph that was changed since saves steps. Nodes
        that a result does not have begin with their share of jumps. The personalisation unless given.
    dtype : {"float64", "float32"}
        Of the ranks. Sums are float64 in any case.
    method : {"auto", "power", "extrapolated", "gauss_seidel"}
        "power": one step after the other. "extrapolated": now and then a step is taken to its end, if steps
        shrink evenly. "gauss_seidel": in place, with fewer steps, on one thread. "auto": "power", above
        an alpha of 0.9 "extrapolated".
    num_threads : int, optional
        Threads; no bit depends on them.
    progress : bool
        Whether residuals are shown on stderr as they fall.
    callback : callable, optional
        callback(iterations, residuals) after each step, residuals (b,); an exception stops the work.
    checkpoint : str or path-like, optional
        A file for the state of the work, so that a call that was killed goes on where it was when it is made
        again with the same graph and arguments, and ends with the same bits. It is removed in the end.
    checkpoint_every : float
        Seconds from one state to the next; 0: each step has one.

    Returns
    -------
    PageRankResult
        With ranks, bound, iterations, residuals, method, top.

    Raises
    ------
    ValueError
        If the graph is empty, an argument out of range, a distribution negative, not finite or zero, `tol`
        below what the dtype can reach, alpha is 1 and the graph periodic, or `checkpoint` is of another
        graph or other arguments.
    NotConverged
        If max_iter steps do not do; its `result` is what there is, with its bound.

    See Also
    --------
    Graph

    Notes
    -----
    A step reads each edge once, 4 bytes and its rank, of b columns all b. Steps bring the exact ranks nearer
    by a factor of alpha, so that (alpha |last step| + rounding) / (1 - alpha) bounds what is left; rounding
    errors are counted into it, edge by edge. The first call keeps a copy of the graph in an order that suits
    the caches, as large as the graph. The bits depend on neither order nor threads, and each column has those
    that it has alone; but "gauss_seidel" goes by the order, and in place until all columns are near.

    Of a graph that was opened edges are read from its file in each step, a piece ahead of the work, and not
    kept: memory is some arrays of n numbers, of float64 less than 100 bytes a node, and 64 MiB, or the edges
    of the busiest node. A checkpoint has 8 bytes a node, 16 where steps are extrapolated.

    References
    ----------
    Page, Brin, Motwani and Winograd, "The PageRank citation ranking: bringing order to the web" (1999).
    Kamvar, Haveliwala, Manning and Golub, "Extrapolation methods for accelerating PageRank computations"
    (2003).

    Examples
    --------
    >>> from fastla.graph import Graph, pagerank
    >>> found = pagerank(Graph.from_edges([0, 1, 2], [2, 2, 0]))
    >>> found.ranks.round(4)
    array([0.4635, 0.05  , 0.4865])
    >>> found.bound < 1e-8
    True
    >>> found.top(1)
    [(2, 0.48648648...)]
    """
    if not isinstance(graph, CompressedGraph):
        raise TypeError(
            f"pagerank: graph is {type(graph).__name__}; it must be a fastla.graph.Graph"
        )
    if graph.n == 0:
        raise ValueError(f"pagerank: {graph!r} has no nodes")
    kind = np.dtype(dtype)
    if kind.name not in _TOL:
        raise ValueError(f"pagerank: dtype is {kind}; it must be float64 or float32")
    if method not in METHODS:
        raise ValueError(f"pagerank: method is {method!r}; it must be one of {METHODS}")
    alpha = float(alpha)
    if not 0 <= alpha <= 1:
        raise ValueError(f"pagerank: alpha is {alpha}; it must be from 0 to 1")
    if method == "auto":
        method = "extrapolated" if 0.9 < alpha < 1 else "power"
    if alpha == 1:
        method = "power"
    tol = _tolerance(tol, alpha, kind)
    columns = _distributions(graph, personalization, dangling, nstart)
    jump, sink, start = columns
    b = max([1] + [x.shape[1] for x in columns if x is not None])
    for name, x in zip(("personalization", "dangling", "nstart"), columns, strict=True):
        if x is not None and x.shape[1] not in (1, b):
            raise ValueError(f"pagerank: {name} is {x.shape}; others have {b} columns")
    way = walk(graph, weight, kind)
    to_jump = np.full((1, 1), 1 / graph.n) if jump is None else way.inside(jump)
    to_sink = None if sink is None else way.inside(sink)
    ranks = to_jump if start is None else way.inside(start)
    ranks = np.ascontiguousarray(np.broadcast_to(ranks, (graph.n, b))).astype(kind)
    # Of a start at the personalisation, r* - p = alpha (P r* - p).
    error = 2.0 * alpha if start is None else 2.0
    unit = 4 * float(np.finfo(kind).eps)
    problem = Problem(way, alpha, to_jump, to_sink, error + unit, method, num_threads)
    most = _steps(tol, alpha, method) if max_iter is None else int(max_iter)
    if most < 1:
        raise ValueError(f"pagerank: max_iter is {max_iter}; it must be positive")

    state_file = None
    if checkpoint is not None:
        if not checkpoint_every >= 0:
            raise ValueError(
                f"pagerank: checkpoint_every is {checkpoint_every}; it must not be negative"
            )
        call = call_of(graph, weight=bool(weight), dtype=kind.name, method=method, alpha=alpha, tol=tol,
                       max_iter=most, personalization=jump, dangling=sink, nstart=start)  # fmt: skip
        state_file = Checkpoint(checkpoint, checkpoint_every, call)

    def each(steps: int, residuals: NDArray[np.float64]) -> None:
        if progress:
            show(f"pagerank: step {steps}, moved by {residuals.max():.1e}")
        if callback is not None:
            callback(steps, residuals)

    found = run(problem, ranks, tol, most, each, state_file)
    if state_file is not None:
        state_file.remove()
    single = all(np.ndim(given) != 2 for given in (personalization, dangling, nstart))
    result = _result(found, way.outside(found.ranks), single, method, graph)
    if not found.converged:
        back = period(problem, found.ranks) if alpha == 1 else None
        if back:
            raise ValueError(
                f"pagerank: alpha is 1 and {graph!r} is periodic: ranks come back every {back} steps and "
                "never settle; alpha below 1 has a limit"
            )
        raise NotConverged(
            f"pagerank: the bound is {found.bound.max():.3g} after {found.iterations.max()} steps, the last "
            f"of which moved by {np.nanmax(found.residuals[-1]):.3g}; asked for was tol {tol:.3g}",
            result,
        )
    return result


def _tolerance(tol: float | None, alpha: float, kind: np.dtype[Any]) -> float:
    wanted = _TOL[kind.name] if tol is None else float(tol)
    if not wanted > 0:
        raise ValueError(f"pagerank: tol is {tol}; it must be positive")
    least = 2.5 * float(np.finfo(kind).eps) / max(1 - alpha, 1e-300) if alpha < 1 else 0.0
    if wanted <= least:
        raise ValueError(
            f"pagerank: tol is {wanted:.3g}; with alpha {alpha} ranks of {kind} are proven to {least:.2g} "
            "at best"
        )
    return wanted


def _steps(tol: float, alpha: float, method: str) -> int:
    if alpha == 1:
        return _UNDAMPED_STEPS
    needed = math.ceil(math.log(2 / min(tol, 1.0)) / -math.log(alpha)) if alpha > 0 else 1
    return needed + 2 if method == "power" else 2 * needed + 20


def _distributions(
    graph: CompressedGraph, personalization: Any, dangling: Any, nstart: Any
) -> tuple[NDArray[Any] | None, NDArray[Any] | None, NDArray[Any] | None]:
    jump, sink = (
        None if given is None else distribution("pagerank", name, given, graph)
        for name, given in (("personalization", personalization), ("dangling", dangling))
    )
    if isinstance(nstart, PageRankResult):
        ranks = nstart.ranks.reshape(len(nstart.ranks), -1).astype(np.float64)
        if len(ranks) < graph.n:  # new nodes
            new = (
                np.full((graph.n - len(ranks), 1), 1 / graph.n)
                if jump is None
                else jump[len(ranks) :]
            )
            new = np.broadcast_to(new, (len(new), max(new.shape[1], ranks.shape[1])))
            ranks = np.concatenate([np.broadcast_to(ranks, (len(ranks), new.shape[1])), new])
        nstart = ranks
    return jump, sink, None if nstart is None else distribution("pagerank", "nstart", nstart, graph)


def _result(
    found: Any, ranks: NDArray[Any], single: bool, method: str, graph: CompressedGraph
) -> PageRankResult:
    if not single:
        return PageRankResult(
            ranks, found.bound, found.iterations, found.residuals, method, graph.ids
        )
    return PageRankResult(ranks[:, 0], float(found.bound[0]), int(found.iterations[0]),
                          found.residuals[:, 0], method, graph.ids)  # fmt: skip
