"""Random graphs of every kind, and ranks by a dense solve: the reference of the tests beside it."""

import numpy as np

from fastla.graph import Graph

KINDS = ("plain", "weighted", "dangling", "isolated", "loops", "duplicates", "undirected", "empty")


def random_graph(seed):
    rng = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    n = int(rng.integers(1, 40))
    m = 0 if kind == "empty" else int(rng.integers(1, 5 * n + 1))
    s, t = rng.integers(0, n, m), rng.integers(0, n, m)
    weight = (
        rng.random(m) * 10.0 ** rng.integers(-3, 4) if kind in ("weighted", "duplicates") else None
    )
    if kind == "weighted" and m > 3:
        weight[:2] = 0
    if kind == "dangling":
        s = s // 2
    if kind == "isolated":
        n += 5
    if kind == "loops":
        t = np.where(rng.random(m) < 0.3, s, t)
    duplicates = "keep" if kind == "duplicates" else None
    return Graph.from_edges(
        s, t, weight=weight, n=n, directed=kind != "undirected", duplicates=duplicates
    )


def google_matrix(graph, alpha, jump=None, sink=None, weighted=True):
    """F(r) = M r + c: (M, c), in float64."""
    n = graph.n
    a = np.zeros((n, n))
    targets = np.repeat(np.arange(n), np.diff(graph.indptr))
    values = graph.weight if weighted and graph.weight is not None else np.ones(len(targets))
    np.add.at(a, (targets, graph.indices), values)
    jump = np.full(n, 1 / n) if jump is None else np.asarray(jump, float) / np.sum(jump)
    sink = jump if sink is None else np.asarray(sink, float) / np.sum(sink)
    out = a.sum(axis=0)
    a = np.divide(a, out, out=np.zeros_like(a), where=out > 0)
    a[:, out == 0] = sink[:, None]
    return alpha * a, (1 - alpha) * jump


def exact_ranks(graph, alpha=0.85, **others):
    m, c = google_matrix(graph, alpha, **others)
    return np.linalg.solve(np.eye(len(c)) - m, c)
