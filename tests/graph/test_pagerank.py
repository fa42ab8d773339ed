"""Ranks against a dense solve; bounds that hold; bits that depend on nothing."""

import math
import pickle

import numpy as np
import pytest

import fastla
from fastla.graph import Graph, NotConverged, PageRankResult, _walk, pagerank, rmat
from fastla.graph._steps import Problem, State
from tests.graph.walks import exact_ranks, google_matrix, random_graph

SLACK = 1e-13  # of the dense solve


def same_bits(a, b):
    assert a.dtype == b.dtype and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", ["power", "extrapolated", "gauss_seidel"])
def test_true_error_bound_tol_on_300_graphs(dtype, method):
    for seed in range(300):
        graph, rng = random_graph(seed), np.random.default_rng(seed)
        alpha = (0.85, 0.5, 0.99, 0.0)[seed % 4]
        jump = rng.random(graph.n) + 0.01 if seed % 3 == 0 else None
        sink = rng.random(graph.n) + 0.01 if seed % 5 == 0 else None
        tol = None if alpha < 0.9 else 1e-3
        found = pagerank(graph, alpha=alpha, personalization=jump, dangling=sink, dtype=dtype, method=method,
                         tol=tol)  # fmt: skip
        tol = tol or {"float64": 1e-8, "float32": 1e-5}[dtype]
        error = np.abs(found.ranks - exact_ranks(graph, alpha, jump=jump, sink=sink)).sum()
        assert error <= found.bound + SLACK, (seed, error, found.bound)
        assert found.bound <= tol, seed
        if method == "power" and (
            dtype == "float64" or alpha < 0.9
        ):  # float32's rounding is 4% of that tol
            most = math.ceil(math.log(2 / tol) / -math.log(alpha or 1e-9))
            assert found.iterations <= max(1, most), seed
        assert found.ranks.dtype == dtype and len(found.residuals) == found.iterations


def test_each_step_is_nearer_by_alpha():
    for seed in range(300):
        graph = random_graph(seed)
        exact = exact_ranks(graph)
        way = _walk.walk(graph, True, np.dtype(np.float64))
        jump = np.full((1, 1), 1 / graph.n)
        start = np.random.default_rng(seed).random((graph.n, 1))
        state = State(Problem(way, 0.85, jump, None, 2.0, "power", None), start / start.sum())
        before = np.abs(state.ranks[:, 0] - exact).sum()
        for _ in range(40):
            state.step()
            error, rounding = np.abs(state.ranks[:, 0] - exact).sum(), float(state.rounding()[0])
            assert error <= 0.85 * before + rounding + SLACK, seed
            assert error <= state.bound(state.rounding())[0] + SLACK, seed
            before = error


def test_unweighted_walks_and_names():
    graph = Graph.from_edges(["a", "a", "b"], ["b", "c", "c"], weight=[1.0, 3.0, 2.0])
    found = pagerank(
        graph, weight=False, personalization={"a": 2, "c": 1}, dangling={"b": 1}, tol=1e-12
    )
    exact = exact_ranks(graph, jump=[2, 0, 1], sink=[0, 1, 0], weighted=False)
    assert np.abs(found.ranks - exact).sum() < 1e-12
    order = np.argsort(-exact)
    assert [name for name, _ in found.top(3)] == [("a", "b", "c")[i] for i in order]


def test_ranks_of_2000_nodes_are_not_uniform():
    """rustworkx#1575: a criterion by the mean change per node stopped after one step."""
    rng = np.random.default_rng(1575)
    graph = Graph.from_edges(rng.integers(0, 2000, 6000), rng.zipf(1.5, 6000) % 2000, n=2000)
    found = pagerank(graph)
    assert found.ranks.max() > 20 * found.ranks.min()
    assert np.abs(found.ranks - exact_ranks(graph)).sum() <= found.bound <= 1e-8


@pytest.fixture(scope="module")
def web():
    source, target = rmat(16, 8, seed=3)
    return Graph.from_edges(source, target, n=1 << 16)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("weighted", [False, True])
def test_bits_depend_on_no_threads_order_or_instructions(
    web, dtype, weighted, tmp_path, monkeypatch, isa
):
    graph = web
    if weighted:
        s, t, _ = web.edges()
        graph = Graph.from_edges(s, t, weight=1 + np.arange(len(s)) % 7, n=web.n)
    first = pagerank(graph, dtype=dtype, num_threads=1)
    assert graph._walks and next(iter(graph._walks.values())).order is not None
    for threads in (2, 3):
        again = pagerank(graph, dtype=dtype, num_threads=threads)
        same_bits(again.ranks, first.ranks)
        same_bits(again.residuals, first.residuals)
    graph.save(tmp_path / "web.graph")
    mapped = Graph.open(tmp_path / "web.graph")
    found = pagerank(mapped, dtype=dtype)
    assert next(iter(mapped._walks.values())).order is None
    same_bits(found.ranks, first.ranks)
    assert found.bound == pytest.approx(first.bound, rel=1e-3)
    monkeypatch.setattr(_walk, "_FEW_NODES", 1 << 20)
    same_bits(pagerank(pickle.loads(pickle.dumps(graph)), dtype=dtype).ranks, first.ranks)
    with fastla.use_isa("generic"):
        same_bits(pagerank(graph, dtype=dtype).ranks, first.ranks)


@pytest.mark.parametrize("method", ["power", "extrapolated", "gauss_seidel"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("weighted", [False, True])
def test_each_column_has_the_bits_it_has_alone(method, dtype, weighted):
    rng = np.random.default_rng(0)
    s, t = rng.integers(0, 500, (2, 3000))
    graph = Graph.from_edges(s, t, weight=rng.random(3000) if weighted else None, n=500)
    jumps = rng.random((500, 21)) ** 20
    jumps[:, 3] = np.arange(500) == 7
    tol = 1e-6 if dtype == "float64" else 1e-4
    together = pagerank(graph, personalization=jumps, dtype=dtype, method=method, tol=tol)
    assert together.ranks.shape == (500, 21) and together.bound.shape == (21,)
    assert len(set(together.iterations.tolist())) > 1 or method == "gauss_seidel"
    for c in range(21):
        alone = pagerank(graph, personalization=jumps[:, c], dtype=dtype, method=method, tol=tol)
        if method != "gauss_seidel":  # which goes in place until all are near
            same_bits(together.ranks[:, c], alone.ranks)
            assert together.iterations[c] == alone.iterations and together.bound[c] == alone.bound
        exact = exact_ranks(graph, jump=jumps[:, c])
        assert np.abs(together.ranks[:, c] - exact).sum() <= together.bound[c] + SLACK
        assert together.bound[c] <= tol


def test_a_changed_graph_begins_where_the_old_one_ended(web):
    before = pagerank(web)
    s, t, _ = web.edges()
    changed = Graph.from_edges(np.append(s, [5, web.n]), np.append(t, [web.n, 9]), n=web.n + 1)
    cold, warm = pagerank(changed), pagerank(changed, nstart=before)
    assert warm.iterations < 0.7 * cold.iterations
    assert np.abs(warm.ranks - cold.ranks).sum() <= warm.bound + cold.bound


def test_other_methods_take_fewer_steps():
    rng = np.random.default_rng(5)
    n = 3000
    near = (np.repeat(np.arange(n), 3) + rng.integers(-3, 4, 3 * n)) % n
    graph = Graph.from_edges(np.repeat(np.arange(n), 3), near, n=n)
    jump = np.arange(n) < 5
    power, sweep, far = (
        pagerank(graph, alpha=0.99, personalization=jump, method=method)
        for method in ("power", "gauss_seidel", "extrapolated")
    )
    assert sweep.iterations < 0.95 * power.iterations
    assert far.iterations < 0.3 * power.iterations
    for found in (sweep, far):
        assert np.abs(found.ranks - power.ranks).sum() <= found.bound + power.bound
    assert pagerank(graph).method == "power"
    assert pagerank(graph, alpha=0.95).method == "extrapolated"


def test_undamped():
    aperiodic = Graph.from_edges([0, 1, 2, 0], [1, 2, 0, 2])
    found = pagerank(aperiodic, alpha=1, tol=1e-12)
    m, _ = google_matrix(aperiodic, 1.0)
    assert np.abs(m @ found.ranks - found.ranks).sum() < 1e-11
    assert found.bound == math.inf and found.ranks.sum() == pytest.approx(1)
    ring = Graph.from_edges([0, 1, 2], [1, 2, 0])
    assert pagerank(ring, alpha=1).ranks == pytest.approx([1 / 3] * 3)  # where it begins it stays
    with pytest.raises(ValueError, match="periodic: ranks come back every 3 steps"):
        pagerank(ring, alpha=1, nstart=[1, 0, 0])


def test_top():
    result = PageRankResult(np.array([0.1, 0.4, 0.1, 0.3, 0.1]), 0.01, 3, np.zeros(3), "power")
    assert result.top(2) == [(1, 0.4), (3, 0.3)]
    assert result.top(9) == [(1, 0.4), (3, 0.3), (0, 0.1), (2, 0.1), (4, 0.1)]
    assert result.top(9, certified=True) == [(1, 0.4), (3, 0.3)]
    assert result.top(1, certified=True) == [(1, 0.4)] and result.top(0) == []
    unsure = PageRankResult(result.ranks, 0.06, 3, np.zeros(3), "power")
    assert unsure.top(3, certified=True) == []
    with pytest.raises(ValueError, match="column is 0"):
        result.top(1, column=0)
    both = PageRankResult(
        np.eye(3),
        np.zeros(3),
        np.zeros(3, int),
        np.zeros((1, 3)),
        "power",
        np.array(["x", "y", "z"]),
    )
    assert both.top(1, column=2) == [("z", 1.0)]
    with pytest.raises(ValueError, match="say which column"):
        both.top(1)


GOOD = Graph.from_edges([0, 1, 2], [1, 2, 0])


@pytest.mark.parametrize(
    "change, message",
    [
        ({"alpha": -0.1}, "alpha is -0.1; it must be from 0 to 1"),
        ({"alpha": 1.5}, "alpha is 1.5"),
        ({"alpha": math.nan}, "alpha is nan"),
        ({"tol": 0}, "tol is 0; it must be positive"),
        ({"tol": 1e-16}, "tol is 1e-16; with alpha 0.85 ranks of float64 are proven to"),
        ({"tol": 1e-6, "dtype": "float32"}, "ranks of float32 are proven to"),
        ({"dtype": "int32"}, "dtype is int32"),
        ({"method": "fast"}, "method is 'fast'"),
        ({"max_iter": 0}, "max_iter is 0"),
        ({"personalization": [0, 0, 0]}, "column 0 of personalization is zero everywhere"),
        ({"personalization": [1, 1]}, r"personalization is \(2,\), dtype int64; it must be \(3,\)"),
        ({"personalization": [1, -1, 1]}, "personalization of node 1 is -1.0"),
        ({"personalization": {5: 1}}, "personalization has the key 5"),
        ({"dangling": [1, math.nan, 1]}, "dangling of node 1 is nan"),
        ({"nstart": [1, math.inf, 1]}, "nstart of node 1 is inf"),
        ({"nstart": np.ones((3, 2)), "personalization": np.ones((3, 3))}, "others have 3 columns"),
        ({"personalization": np.ones((3, 0))}, "there must be a column"),
    ],
)
def test_bad_arguments(change, message):
    with pytest.raises(ValueError, match=message):
        pagerank(GOOD, **change)


def test_other_errors():
    with pytest.raises(TypeError, match="graph is list"):
        pagerank([[0, 1]])
    with pytest.raises(ValueError, match="has no nodes"):
        pagerank(Graph.from_edges([], [], n=0))
    with pytest.raises(ValueError, match="weights of the edges from node 0 add up to inf"):
        pagerank(Graph.from_edges([0, 0], [1, 2], weight=[1e308, 1e308]))
    with pytest.raises(NotConverged, match=r"bound is .* after 2 steps") as caught:
        pagerank(random_graph(0), max_iter=2)
    result = caught.value.result
    error = np.abs(result.ranks - exact_ranks(random_graph(0))).sum()
    assert result.iterations == 2 and error <= result.bound


def test_one_node_tiny_weights_and_callbacks(capsys):
    assert pagerank(Graph.from_edges([], [], n=1)).ranks.tolist() == [1.0]
    tiny = Graph.from_edges([0, 0, 1], [1, 2, 2], weight=[1e-320, 3e-320, 1e300])
    found = pagerank(tiny, dtype="float32")
    assert (
        np.abs(
            found.ranks - exact_ranks(Graph.from_edges([0, 0, 1], [1, 2, 2], weight=[1, 3, 1]))
        ).sum()
        < 1e-3
    )
    seen = []
    found = pagerank(
        GOOD,
        nstart=[1, 0, 0],
        callback=lambda steps, residuals: seen.append((steps, residuals[0])),
        progress=True,
    )
    assert [steps for steps, _ in seen] == list(range(1, found.iterations + 1))
    assert "pagerank: step 1, moved by" in capsys.readouterr().err

    def stop(steps, residuals):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pagerank(GOOD, callback=stop)
