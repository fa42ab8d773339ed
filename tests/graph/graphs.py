"""What a graph should be, by plain Python and NumPy: the reference of the tests beside it."""

import numpy as np


def both_ways(source, target, weight):
    """Each edge followed by itself backwards, but for loops."""
    triples = []
    for s, t, w in zip(source.tolist(), target.tolist(), weight.tolist(), strict=True):
        triples.append((s, t, w))
        if s != t:
            triples.append((t, s, w))
    return triples


JOIN = {
    "sum": lambda ws: sum(ws[1:], ws[0]),
    "first": lambda ws: ws[0],
    "last": lambda ws: ws[-1],
    "max": max,
    "min": min,
}


def expected(source, target, weight, n, directed, duplicates):
    """(indptr, indices, weight) by a dictionary of lists."""
    weight = np.ones(len(source)) if weight is None else np.asarray(weight, np.float64)
    triples = (
        list(zip(source.tolist(), target.tolist(), weight.tolist(), strict=True))
        if directed
        else both_ways(source, target, weight)
    )
    rows = {}
    for s, t, w in triples:
        rows.setdefault((t, s), []).append(w)
    indptr, indices, values = np.zeros(n + 1, np.int64), [], []
    for (t, s), ws in sorted(rows.items()):
        found = ws if duplicates == "keep" else [JOIN[duplicates](ws)]
        indptr[t + 1] += len(found)
        indices += [s] * len(found)
        values += found
    return np.cumsum(indptr), np.array(indices, np.int64), np.array(values)


def assert_graph(graph, indptr, indices, weight):
    assert graph.indptr.dtype == graph.indices.dtype == np.int32
    np.testing.assert_array_equal(graph.indptr, indptr)
    np.testing.assert_array_equal(graph.indices, indices)
    found = np.ones(len(indices)) if graph.weight is None else graph.weight
    np.testing.assert_array_equal(found, weight)


def assert_same(one, other):
    """Bit for bit."""
    assert (one.n, one.directed) == (other.n, other.directed)
    for name in ("indptr", "indices", "weight", "ids"):
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None), name
        if a is not None:
            assert a.dtype == b.dtype, name
            np.testing.assert_array_equal(a, b)
