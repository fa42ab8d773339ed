"""Edges to compressed form: against a dictionary, SciPy, and other threads; wrong edges are named."""

import pickle
import re

import numpy as np
import pytest
from graphs import assert_graph, assert_same, expected
from hypothesis import given
from hypothesis import strategies as st

from fastla.graph import Graph, rmat

POLICIES = ["sum", "keep", "first", "last", "max", "min"]


def some_edges(rng, n, m):
    return rng.integers(0, n, m), rng.integers(0, n, m)


@pytest.mark.parametrize("duplicates", POLICIES)
@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize(
    ("n", "m"), [(0, 0), (1, 0), (1, 5), (2, 9), (5, 0), (40, 600), (3000, 2000)]
)
def test_edges_are_sorted_and_joined(rng, n, m, duplicates, directed, weighted):
    source, target = some_edges(rng, max(n, 1), m)
    weight = rng.random(m) if weighted else None
    graph = Graph.from_edges(
        source, target, weight=weight, n=n, directed=directed, duplicates=duplicates
    )
    assert_graph(graph, *expected(source, target, weight, n, directed, duplicates))
    assert graph.n == n


edge = st.tuples(st.integers(0, 6), st.integers(0, 6), st.floats(0, 1e6, width=32))


@given(
    st.lists(edge, max_size=40), st.booleans(), st.sampled_from(POLICIES), st.sampled_from([1, 3])
)
def test_any_small_graph(edges, directed, duplicates, threads):
    source, target, weight = (
        np.array([e[i] for e in edges], d) for i, d in enumerate([np.int64, np.int32, np.float64])
    )
    graph = Graph.from_edges(
        source,
        target,
        weight=weight,
        n=7,
        directed=directed,
        duplicates=duplicates,
        num_threads=threads,
    )
    assert_graph(graph, *expected(source, target, weight, 7, directed, duplicates))


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("duplicates", ["sum", "keep", "last"])
@pytest.mark.parametrize("weighted", [True, False])
def test_threads_and_widths_change_nothing(directed, duplicates, weighted, rng):
    """Enough edges for several pieces and parts, and nodes with most of them."""
    source, target = rmat(14, 24, permute=False)
    weight = rng.random(len(source)) if weighted else None

    def made(threads, index=np.int32):
        return Graph.from_edges(
            source.astype(index),
            target.astype(index),
            weight=weight,
            directed=directed,
            duplicates=duplicates,
            num_threads=threads,
        )

    one = made(1)
    for threads in (2, 3, 8):
        assert_same(one, made(threads))
    assert_same(one, made(2, np.int64))


@pytest.mark.parametrize("n", [2**16 + 1, 2**20, 3_000_001])
def test_many_nodes_against_scipy(rng, n):
    sparse = pytest.importorskip("scipy.sparse")
    source, target = some_edges(rng, n, 300_000)
    target[:100_000] = 7  # one part has a third of all
    weight = rng.integers(1, 9, len(source)).astype(np.float64)  # sums are exact
    wanted = sparse.coo_array((weight, (target, source)), shape=(n, n)).tocsr()
    wanted.sum_duplicates()
    for threads in (1, 4):
        graph = Graph.from_edges(source, target, weight=weight, n=n, num_threads=threads)
        assert_graph(graph, wanted.indptr, wanted.indices, wanted.data)


def test_all_edges_at_one_node():
    source = np.arange(200_000)[::-1].copy()
    graph = Graph.from_edges(source, np.zeros_like(source), num_threads=3)
    np.testing.assert_array_equal(graph.indices, np.arange(200_000))
    assert (graph.indptr[1:] == 200_000).all()


def test_nodes_near_2_32():
    with pytest.raises(
        ValueError, match=r"from_edges: n is 4294967296; it must be from 0 to 2\^32 - 1"
    ):
        Graph.from_edges([0], [1], n=2**32)
    with pytest.raises(
        ValueError, match="the largest number of a node is 5000000000; they must be below 2"
    ):
        Graph.from_edges([0], [5_000_000_000])


def test_duplicates_by_default():
    source, target = [0, 0, 1], [1, 1, 0]
    assert Graph.from_edges(source, target).weight is None
    assert Graph.from_edges(source, target).number_of_edges == 2
    np.testing.assert_array_equal(Graph.from_edges(source, target, weight=[1, 2, 3]).weight, [3, 3])
    np.testing.assert_array_equal(Graph.from_edges(source, target, duplicates="sum").weight, [1, 2])
    assert Graph.from_edges([0, 1], [1, 0], duplicates="sum").weight is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_that_overflow_are_named(dtype):
    most = np.finfo(dtype).max
    source, target, weight = [0, 3, 3], [1, 2, 2], np.array([1, most, most], dtype)
    message = f"the weights of the edge from 3 to 2 add up to more than {np.dtype(dtype)} holds"
    with pytest.raises(ValueError, match=message):
        Graph.from_edges(source, target, weight=weight)
    assert Graph.from_edges(source, target, weight=weight, duplicates="max").weight[1] == most


def test_sums_are_in_order_and_in_float64():
    weight = np.array([1e16, 1, -0.0, 1, 1e-3])
    graph = Graph.from_edges([0] * 5, [1] * 5, weight=weight)
    assert graph.weight[0] == (((1e16 + 1) + 0.0) + 1) + 1e-3
    narrow = Graph.from_edges([0] * 3, [1] * 3, weight=np.array([1, 2**-24, 2**-24], np.float32))
    assert narrow.weight.dtype == np.float32
    assert narrow.weight[0] == np.float32(1 + 2**-23)  # in float32 it would stay 1


@pytest.mark.parametrize(
    "dtype",
    [
        np.int8,
        np.uint8,
        np.int16,
        np.uint16,
        np.int32,
        np.uint32,
        np.int64,
        np.uint64,
        ">i4",
        np.float64,
        np.float32,
    ],
)
def test_ids_of_any_number(dtype):
    source, target = np.array([3, 0, 2], dtype), np.array([1, 1, 0], dtype)
    assert_graph(Graph.from_edges(source, target), [0, 1, 3, 3, 3], [2, 0, 3], np.ones(3))


def test_ids_in_any_memory():
    pairs = np.array([[3, 1], [0, 1], [2, 0]])
    odd = np.zeros(25, np.uint8)[1:].view(np.int64)
    odd[...] = pairs[:, 1]
    assert_graph(Graph.from_edges(pairs[:, 0], odd), [0, 1, 3, 3, 3], [2, 0, 3], np.ones(3))


@pytest.mark.parametrize(
    "names", [["d", "a", "c", "b"], [(1, 2), "x", 5, 2.5], ["b", None, "a", "ü"]]
)
def test_names_are_numbered_by_first_appearance(names):
    a, b, c, d = names
    graph = Graph.from_edges([a, c, a], [b, a, d])
    assert graph.ids.tolist() == [a, b, c, d]
    assert_graph(graph, [0, 1, 2, 2, 3], [2, 0, 0], np.ones(3))


def test_names_in_an_array():
    graph = Graph.from_edges(np.array(["x", "y"]), np.array(["yy", "x"]))
    assert graph.ids.tolist() == ["x", "yy", "y"]
    with pytest.raises(ValueError, match="from_edges: n is 5; source and target name 3 nodes"):
        Graph.from_edges(["x", "y"], ["yy", "x"], n=5)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        (7, "source", -1),
        (200_001, "target", 50),
        (299_999, "source", -(2**31)),
        (150_000, "target", 2**31 - 1),
    ],
)
def test_the_first_wrong_node_is_named(rng, threads, place, name, value):
    source, target = (x.astype(np.int32) for x in some_edges(rng, 50, 300_000))
    ends = {"source": source, "target": target}
    ends[name][place] = value
    target[-1] = -5  # a later one
    message = (
        rf"from_edges: {name} of shape \(300000,\), dtype int32 has {value} at {place}; "
        "for 50 nodes it must be from 0 to 49"
    )
    with pytest.raises(ValueError, match=message):
        Graph.from_edges(source, target, n=50, num_threads=threads)


def test_negative_nodes_where_n_is_not_given():
    with pytest.raises(
        ValueError, match=r"source of shape \(2,\), dtype int64 has -2 at 1; for 2 nodes"
    ):
        Graph.from_edges([0, -2], [1, 1])
    with pytest.raises(ValueError, match=r"has -1 at 0; for 0 nodes it must be empty"):
        Graph.from_edges([-1], [-1])


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_wrong_weights_are_named(value, dtype):
    weight = np.array([1, 2, value, np.nan], dtype)
    with pytest.raises(
        ValueError,
        match=re.escape(f"weight of shape (4,), dtype {np.dtype(dtype)} has ")
        + r".* at 2; weights must be finite and not negative",
    ):
        Graph.from_edges([0, 1, 2, 0], [1, 2, 0, 2], weight=weight)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: Graph.from_edges([0, 1], [1]),
            ValueError,
            r"source is (2,), target is (1,); they must be alike",
        ),
        (
            lambda: Graph.from_edges([[0, 1]], [[1, 0]]),
            ValueError,
            r"source is (1, 2); it must have one dimension",
        ),
        (
            lambda: Graph.from_edges([0.5], [1]),
            ValueError,
            "has 0.5 at 0; a node's number must be an integer",
        ),
        (
            lambda: Graph.from_edges([np.nan], [1]),
            ValueError,
            "has nan at 0; a node's number must be an integer",
        ),
        (
            lambda: Graph.from_edges([1e300], [1]),
            ValueError,
            "has 1e+300 at 0; a node's number must be an integer",
        ),
        (
            lambda: Graph.from_edges(np.array([2**64 - 1], np.uint64), [1]),
            ValueError,
            "has 18446744073709551615 at 0",
        ),
        (lambda: Graph.from_edges(np.array([1j]), [1]), TypeError, "source is of dtype complex128"),
        (
            lambda: Graph.from_edges([0], [1], weight=[1, 2]),
            ValueError,
            "weight is (2,) of dtype int64; for 1 edges",
        ),
        (lambda: Graph.from_edges([0], [1], weight=["x"]), TypeError, "weights are real numbers"),
        (
            lambda: Graph.from_edges([0], [1], duplicates="twice"),
            ValueError,
            "duplicates is 'twice'",
        ),
        (lambda: Graph.from_edges([0], [1], n=-1), ValueError, "n is -1"),
        (lambda: Graph.from_edges([0], [1], n=1.5), TypeError, "integer"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


@pytest.mark.parametrize("threads", [1, 4])
def test_a_refused_duplicate_is_named(threads):
    source, target = np.arange(150_000), np.arange(150_000)[::-1].copy()
    Graph.from_edges(source, target, duplicates="error", num_threads=threads)
    source[5], target[5] = source[100_000], target[100_000]
    message = "from_edges: the edge from 100000 to 49999 is given more than once"
    with pytest.raises(ValueError, match=message):
        Graph.from_edges(source, target, duplicates="error", num_threads=threads)


def test_what_a_graph_says(rng):
    source, target = some_edges(rng, 30, 200)
    weight = rng.random(200)
    graph = Graph.from_edges(source, target, weight=weight, n=32, duplicates="keep")
    np.testing.assert_allclose(graph.out_strength(), np.bincount(source, weight, 32), rtol=1e-14)
    assert graph.out_strength() is graph.out_strength()
    assert not graph.out_strength().flags.writeable
    count = Graph.from_edges(source, target, n=32, duplicates="keep").out_strength()
    np.testing.assert_array_equal(count, np.bincount(source, minlength=32))
    assert count.dtype == np.float64
    assert repr(graph) == "Graph(directed, 32 nodes, 200 edges, float64 weights)"


def test_edges_of_a_graph_without_directions():
    graph = Graph.from_edges([2, 1, 1], [0, 1, 2], weight=[1.0, 2.0, 3.0], directed=False)
    assert graph.number_of_edges == 3
    source, target, weight = graph.edges()
    assert list(zip(source, target, weight, strict=True)) == [(1, 1, 2.0), (0, 2, 1.0), (1, 2, 3.0)]
    assert_same(graph, Graph.from_edges(source, target, weight=weight, directed=False))
    assert repr(graph) == "Graph(undirected, 3 nodes, 3 edges, float64 weights)"


def test_edges_give_the_graph_again(rng):
    graph = Graph.from_edges(*some_edges(rng, 100, 1000), weight=rng.random(1000))
    source, target, weight = graph.edges()
    assert_same(graph, Graph.from_edges(source, target, weight=weight, n=100))


def test_pickles():
    graph = Graph.from_edges(["a", "b"], ["b", "c"], weight=[1.0, 2.0], directed=False)
    graph.out_strength()
    assert_same(graph, pickle.loads(pickle.dumps(graph)))
