"""fastla as a backend of NetworkX: results, exceptions and order of NetworkX's own functions."""

import copy
import math
import pickle
import random
import re
import subprocess
import sys

import numpy as np
import pytest

import fastla

nx = pytest.importorskip("networkx", minversion="3.4", reason="needs the extra fastla[graph]")
pytest.importorskip("scipy", reason="NetworkX needs it for PageRank")

from fastla.interop import networkx as interop  # noqa: E402
from fastla.interop._networkx_graph import ConvertedGraph  # noqa: E402

KINDS = (nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph)
SIMPLE = KINDS[:2]


@pytest.fixture(autouse=True)
def quiet():
    """NetworkX warns when it takes a graph from its cache."""
    nx.config.warnings_to_ignore.add("cache")
    yield
    nx.config.warnings_to_ignore.discard("cache")


def made(kind, seed=0, n=40, edges=150, names=True, weights=True):
    """Named nodes, loops, nodes without edges out or at all, edges without weight, weights of 0."""
    rng = random.Random(seed)
    nodes = [f"v{i}" if i % 3 else (i, "pair") for i in range(n)] if names else list(range(n))
    graph = kind()
    graph.add_nodes_from(rng.sample(nodes, n))
    for _ in range(edges):
        u, v = rng.choice(nodes[: n - 8]), rng.choice(nodes[: n - 2])
        given = {"weight": rng.choice([0, 1, 2.5, rng.random()])} if rng.random() < 0.8 else {}
        graph.add_edge(u, v, **(given if weights else {}), capacity=rng.random())
    graph.add_edge(nodes[0], nodes[0])
    return graph


def both(function, graph, *args, **kwargs):
    ours = getattr(nx, function)(graph, *args, backend="fastla", **kwargs)
    theirs = getattr(nx, function)(graph, *args, backend="networkx", **kwargs)
    return ours, theirs


def assert_alike(ours, theirs, wrong=1e-13):
    assert type(ours) is dict
    assert list(ours) == list(theirs)
    assert all(type(value) is float for value in ours.values())
    assert max(abs(ours[node] - theirs[node]) for node in theirs) <= wrong


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weight", ["weight", "capacity", "nothing", None])
def test_pagerank(kind, weight):
    graph = made(kind)
    assert_alike(*both("pagerank", graph, weight=weight))
    some = {node: i for i, node in enumerate(list(graph)[5:25])}
    for given in (
        {"personalization": some},
        {"dangling": some},
        {"nstart": some | {"none such": 3.0}},
        {"personalization": {list(graph)[3]: 2}, "dangling": some, "nstart": some},
        {"alpha": 0.5, "tol": 1e-3},
        {"alpha": 0, "dangling": some},
        {"alpha": 0.99, "max_iter": 10**4, "tol": 1e-12},
    ):
        assert_alike(*both("pagerank", graph, weight=weight, **given))


def test_pagerank_ends_at_the_same_step():
    graph = made(nx.DiGraph)
    least = {}
    for backend in ("fastla", "networkx"):
        failed = []
        for steps in range(40):
            try:
                nx.pagerank(graph, max_iter=steps, tol=1e-7, backend=backend)
            except nx.PowerIterationFailedConvergence as error:
                assert f"within {steps} iterations" in str(error)
                failed.append(steps)
        least[backend] = failed
    assert least["fastla"] == least["networkx"] == list(range(len(least["fastla"])))
    assert 5 < len(least["fastla"]) < 40


def test_pagerank_of_many_nodes():
    """In another order of nodes within, and all in one step by NetworkX's rule."""
    graph = nx.gnm_random_graph(40_000, 90_000, seed=3, directed=True)
    ours, theirs = both("pagerank", graph, tol=1e-10)
    assert_alike(ours, theirs, 1e-16)
    some = {node: node % 7 for node in range(0, 40_000, 3)}
    assert_alike(*both("pagerank", graph, tol=1e-10, personalization=some, nstart=some), 1e-16)


def test_proven_pagerank():
    graph = nx.gnm_random_graph(500, 3000, seed=3, directed=True)
    exact = nx.pagerank(graph, tol=1e-17, max_iter=1000, backend="networkx")
    proven = nx.pagerank(graph, l1_error=1e-11, backend="fastla")
    rough = nx.pagerank(graph, backend="fastla")
    apart = [sum(abs(found[node] - exact[node]) for node in graph) for found in (proven, rough)]
    assert apart[0] <= 1e-11 < apart[1]
    with pytest.raises(ValueError, match=r"alpha is 1, l1_error is 1e-11; without jumps"):
        nx.pagerank(graph, alpha=1, l1_error=1e-11, backend="fastla")


@pytest.mark.parametrize("kind", KINDS)
def test_hits(kind):
    graph = made(kind)
    nstart = {node: 1 + i / 7 for i, node in enumerate(graph)}
    for given in ({}, {"nstart": nstart}, {"tol": 0}, {"max_iter": 1000, "tol": 1e-12}):
        for ours, theirs in zip(*both("hits", graph, **given), strict=True):
            assert_alike(ours, theirs, 1e-8)
    for ours, theirs in zip(*both("hits", graph, normalized=False), strict=True):
        assert min(ours.values()) >= 0
        sign = math.copysign(1, sum(theirs.values()))
        assert_alike(ours, {node: sign * value for node, value in theirs.items()}, 1e-8)


def test_hits_where_many_vectors_lead():
    """NetworkX's are another mixture in each call then; ours are the powers' limit."""
    graph = nx.path_graph(50)
    hubs, authorities = nx.hits(graph, backend="fastla", tol=1e-14)
    a = nx.to_numpy_array(graph)
    x = np.ones(50)
    for _ in range(20_000):
        x = a @ (a @ x)
        x /= x.sum()
    h = a @ x
    assert_alike(authorities, dict(enumerate(x.tolist())), 1e-9)
    assert_alike(hubs, dict(enumerate((h / h.sum()).tolist())), 1e-9)
    assert nx.hits(nx.Graph([(0, 0)]), backend="fastla") == ({0: 1.0}, {0: 1.0})
    assert nx.hits(nx.star_graph(4), backend="fastla")[0][1] == pytest.approx(1 / 8)


@pytest.mark.parametrize("kind", SIMPLE)
@pytest.mark.parametrize("weight", ["weight", "capacity", None])
def test_eigenvector_and_katz(kind, weight):
    graph = made(kind)
    assert_alike(*both("eigenvector_centrality", graph, weight=weight, max_iter=1000))
    nodes = list(graph)[::-1]
    nstart = {node: i % 5 for i, node in enumerate(nodes)}
    assert_alike(
        *both("eigenvector_centrality", graph, weight=weight, max_iter=1000, nstart=nstart)
    )
    beta = {node: i / 10 for i, node in enumerate(nodes)}
    for given in (
        {},
        {"nstart": nstart},
        {"beta": 0.3},
        {"beta": beta},
        {"normalized": False},
        {"beta": 0},
        {"alpha": 0.01, "tol": 1e-12},
    ):
        assert_alike(
            *both("katz_centrality", graph, **({"alpha": 0.02, "weight": weight} | given)), 1e-12
        )


CASES = [
    ("pagerank", {"max_iter": 0}),
    ("pagerank", {"alpha": 1}),
    ("pagerank", {"tol": 0}),
    ("pagerank", {"personalization": {}}),
    ("pagerank", {"personalization": {0: 0}}),
    ("pagerank", {"personalization": {"none": 1}}),
    ("pagerank", {"nstart": {0: 0}}),
    ("pagerank", {"dangling": {"none": 1}}),
    ("pagerank", {"nstart": [1, 1, 1]}),
    ("pagerank", {"max_iter": 1.5}),
    ("hits", {"max_iter": 0}),
    ("hits", {"max_iter": -3}),
    ("eigenvector_centrality", {"max_iter": 0}),
    ("eigenvector_centrality", {"nstart": {0: 0, 1: 0, 2: 0}}),
    ("eigenvector_centrality", {"nstart": {0: 1, 1: -1, 2: 0}}),
    ("eigenvector_centrality", {"nstart": {0: 1}}),
    ("katz_centrality", {"max_iter": 0}),
    ("katz_centrality", {"alpha": 10}),
    ("katz_centrality", {"beta": {0: 1}}),
    ("katz_centrality", {"beta": "many"}),
    ("katz_centrality", {"nstart": {0: 1}}),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("function", "given"), CASES)
def test_the_same_exceptions(function, given):
    graph, raised = nx.path_graph(3), []
    for backend in ("networkx", "fastla"):
        with pytest.raises(Exception) as caught:
            getattr(nx, function)(graph, backend=backend, **given)
        raised.append((type(caught.value), str(caught.value)))
    assert raised[0] == raised[1]


@pytest.mark.parametrize("function", ["pagerank", "hits", "katz_centrality"])
def test_no_nodes(function):
    ours, theirs = both(function, nx.Graph())
    assert ours == theirs


def test_no_nodes_and_parallel_edges():
    with pytest.raises(nx.NetworkXPointlessConcept, match="null graph"):
        nx.eigenvector_centrality(nx.Graph(), backend="fastla")
    for function in (nx.eigenvector_centrality, nx.katz_centrality):
        with pytest.raises(nx.NetworkXNotImplemented):
            function(nx.MultiGraph([(0, 1)]), backend="fastla")


REFUSED = [
    (lambda g: g.add_edge(0, 1, weight=-1.0), {}, "weight"),
    (lambda g: g.add_edge(0, 1, weight=math.inf), {}, "weight"),
    (lambda g: g.add_edge(0, 1, weight=None), {}, "weight"),
    (
        lambda g: None,
        {"personalization": {0: -1, 1: 2}},
        "personalization has the values -1.0 to 2.0",
    ),
    (lambda g: None, {"nstart": {0: -1}}, "nstart has the values"),
    (lambda g: None, {"alpha": -0.5}, "alpha is -0.5"),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("change", "given", "message"), REFUSED)
def test_what_is_left_to_networkx(change, given, message):
    graph = nx.path_graph(3)
    change(graph)
    with pytest.raises(NotImplementedError, match=re.escape(message)):
        interop.pagerank(interop.convert_from_nx(graph, edge_attrs={"weight": 1}), **given)
    with pytest.raises(NotImplementedError):
        nx.pagerank(graph, backend="fastla", **given)
    outcomes = []
    for priority in ([], ["fastla"]):
        with nx.config.backend_priority(algos=priority):
            try:
                outcomes.append(nx.pagerank(graph, **given))
            except nx.PowerIterationFailedConvergence as error:
                outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


def test_hits_without_edges():
    with pytest.raises(NotImplementedError, match="3 nodes, and no edges"):
        interop.hits(interop.convert_from_nx(nx.empty_graph(3)))
    with pytest.raises(nx.NetworkXError, match="all zero"):
        nx.hits(nx.path_graph(3), nstart=dict.fromkeys(range(3), 0.0), backend="fastla")


@pytest.fixture
def calls(monkeypatch):
    """Names of what is called of the backend."""
    seen = []

    def watch(name, call):
        def spy(*args, **kwargs):
            seen.append(name)
            return call(*args, **kwargs)

        monkeypatch.setattr(interop.Backend, name, staticmethod(spy))

    for name in ("convert_from_nx", *(function.__name__ for function in interop.FUNCTIONS)):
        watch(name, getattr(interop.Backend, name))
    return seen


def test_priority_and_cache(calls):
    graph = made(nx.DiGraph)
    nx.pagerank(graph)
    assert calls == []
    with nx.config.backend_priority(algos=["fastla"]):
        first = nx.pagerank(graph)
        assert nx.pagerank(graph) == first
        nx.hits(graph)
        nx.katz_centrality(graph, 0.01)
    assert calls == ["convert_from_nx", "pagerank", "pagerank", "hits", "katz_centrality"]
    (kept,) = graph.__networkx_cache__["backends"]["fastla"].values()
    assert isinstance(kept, ConvertedGraph)
    assert kept.compressed("weight") is kept.compressed("weight") is not kept.compressed(None)
    graph.add_edge("new", next(iter(graph)), weight=3.0)
    assert nx.pagerank(graph, backend="fastla") == pytest.approx(nx.pagerank(graph), abs=1e-13)
    assert calls[5:] == ["convert_from_nx", "pagerank"]


def test_copies_of_graphs_that_keep_ours():
    graph = made(nx.MultiDiGraph)
    first = nx.pagerank(graph, backend="fastla", weight=None)
    kept = interop.convert_from_nx(graph, preserve_edge_attrs=True)
    kept.compressed("weight")
    for other in (copy.deepcopy(kept), pickle.loads(pickle.dumps(kept))):
        assert interop.pagerank(other) == interop.pagerank(kept)
        assert interop.convert_to_nx(other).adj == graph.adj
    for other in (copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))):
        assert nx.pagerank(other, backend="fastla", weight=None) == first


def test_our_graph_goes_to_ours_by_itself(calls):
    graph = made(nx.DiGraph)
    converted = interop.convert_from_nx(graph, edge_attrs={"weight": 1})
    assert_alike(nx.pagerank(converted), nx.pagerank(graph))
    assert calls == ["pagerank"]


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back(kind):
    graph = made(kind)
    graph.graph["name"] = "some"
    graph.graph[1] = 2
    graph.nodes[next(iter(graph))]["colour"] = "red"
    kept = {"preserve_edge_attrs": True, "preserve_node_attrs": True, "preserve_graph_attrs": True}
    back = interop.convert_to_nx(interop.convert_from_nx(graph, **kept))
    assert type(back) is kind
    assert list(back.nodes(data=True)) == list(graph.nodes(data=True))
    assert back.adj == graph.adj
    assert back.graph == graph.graph
    bare = interop.convert_to_nx(interop.convert_from_nx(graph))
    assert bare.number_of_edges() == graph.number_of_edges()
    assert not any(data for *_, data in bare.edges(data=True))
    some = interop.convert_from_nx(graph, edge_attrs={"weight": 5}, node_attrs={"colour": None})
    some = interop.convert_to_nx(some)
    expected = sorted(d.get("weight", 5) for *_, d in graph.edges(data=True))
    assert sorted(d["weight"] for *_, d in some.edges(data=True)) == expected
    assert dict(some.nodes(data=True))[next(iter(graph))] == {"colour": "red"}
    assert interop.convert_to_nx(3) == 3


def test_other_functions_take_our_graph_back():
    converted = interop.convert_from_nx(nx.path_graph(4))
    with nx.config(fallback_to_nx=True):
        assert nx.shortest_path(converted, 0, 3) == [0, 1, 2, 3]


def test_views_and_subgraphs():
    graph = made(nx.MultiDiGraph)
    some = list(graph)[:9]
    for view in (
        graph.subgraph(some),
        graph.reverse(copy=False),
        nx.subgraph_view(graph, filter_node=some.__contains__),
    ):
        assert_alike(*both("pagerank", view))


@pytest.mark.parametrize("name", ["pagerank", "hits", "eigenvector_centrality"])
def test_bits_do_not_depend_on_threads(name):
    graph, found = nx.gnm_random_graph(3000, 30_000, seed=1), []
    for count in (1, 2, 3):
        with fastla.threads(count):
            found.append(getattr(nx, name)(graph, backend="fastla"))
    assert found[0] == found[1] == found[2]


def test_can_run_says_why_not():
    backend, graph = interop.backend, nx.path_graph(3)
    assert backend.can_run("pagerank", (graph, 0.5), {}) is True
    assert (
        backend.can_run("pagerank", (graph,), {"alpha": 2}) == "alpha is 2; fastla's is from 0 to 1"
    )
    assert backend.can_run("betweenness", (graph,), {}) == "fastla has no betweenness"
    assert backend.should_run("hits", (graph,), {})


def test_networkx_learns_of_us_without_importing_us():
    code = (
        "import sys, networkx as nx; assert not {'fastla', 'numpy'} & set(sys.modules); "
        "assert 'fastla' in nx.pagerank.backends and 'l1_error' in nx.pagerank.__doc__"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
