"""Graphs of NetworkX, SciPy and tables: the same adjacency as theirs."""

import re
import sys

import numpy as np
import pytest
from graphs import assert_same

from fastla.graph import Graph, read_csv, read_parquet


@pytest.fixture
def sparse():
    return pytest.importorskip("scipy.sparse")


@pytest.fixture
def nx():
    return pytest.importorskip("networkx")


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "dia", "bsr"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, bool])
def test_scipy(sparse, rng, form, dtype):
    a = sparse.random_array((20, 20), density=0.2, rng=rng)
    a.data = np.ceil(a.data * 5)
    a = a.astype(dtype)
    graph = Graph.from_scipy(a.asformat(form))
    np.testing.assert_array_equal(graph.to_scipy().toarray(), a.toarray())
    assert (graph.weight is None) == (dtype is bool)
    assert dtype is bool or graph.weight.dtype == (
        np.float32 if dtype is np.float32 else np.float64
    )


def test_scipy_duplicates_add_up(sparse):
    a = sparse.coo_array(([1.0, 2.0, 4.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    np.testing.assert_array_equal(Graph.from_scipy(a).to_scipy().toarray(), a.toarray())
    np.testing.assert_array_equal(Graph.from_scipy(a != 0).to_scipy().toarray(), [[0, 1], [1, 0]])


def test_scipy_without_directions(sparse, rng):
    a = sparse.random_array((20, 20), density=0.2, rng=rng)
    graph = Graph.from_scipy(a + a.T, directed=False)
    np.testing.assert_array_equal(graph.to_scipy().toarray(), (a + a.T).toarray())
    assert graph.number_of_edges == np.count_nonzero(np.triu((a + a.T).toarray()))
    with pytest.raises(ValueError, match=r"a is \(20, 20\) and not symmetric"):
        Graph.from_scipy(a, directed=False)


def test_csr(sparse, rng):
    a = sparse.random_array((20, 20), density=0.2, rng=rng).tocsr()
    assert_same(Graph.from_csr(a.indptr, a.indices, a.data), Graph.from_scipy(a))
    assert Graph.from_csr([0], []).n == 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Graph.from_csr([], []), ValueError, "indptr is (0,)"),
        (lambda: Graph.from_csr([0, 1], [0.5]), TypeError, "indices is (1,) of dtype float64"),
        (lambda: Graph.from_csr([0, 2], [0]), ValueError, "it must rise from 0 to at most 1"),
        (lambda: Graph.from_csr([0, 1], [0, 0]), ValueError, "indptr ends with 1, indices is (2,)"),
        (lambda: Graph.from_csr([0, 1], [3]), ValueError, "has 3 at 0"),
        (lambda: Graph.from_csr([0, 1], [0], [1.0, 2.0]), ValueError, "weight is (2,)"),
        (lambda: Graph.from_scipy([[1]]), TypeError, "a is list"),
        (lambda: Graph.from_networkx(1), TypeError, "not iterable"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_scipy_not_square_or_negative(sparse):
    with pytest.raises(ValueError, match=r"from_scipy: a is \(2, 3\) of dtype float64"):
        Graph.from_scipy(sparse.csr_array((2, 3)))
    with pytest.raises(ValueError, match=r"from_scipy: weight .* has -1.0 at 0"):
        Graph.from_scipy(sparse.csr_array([[0, -1.0], [0, 0]]))


@pytest.mark.parametrize("kind", ["Graph", "DiGraph", "MultiGraph", "MultiDiGraph"])
@pytest.mark.parametrize("weighted", [True, False])
def test_networkx(nx, sparse, rng, kind, weighted):
    theirs = getattr(nx, kind)()
    theirs.add_nodes_from("dacbe")
    for u, v in rng.integers(0, 5, (12, 2)):
        theirs.add_edge(
            "abcde"[u], "abcde"[v], **({"weight": int(rng.integers(2, 9))} if weighted else {})
        )
    theirs.add_edge("a", "b")  # weighs 1
    graph = Graph.from_networkx(theirs)
    assert graph.ids.tolist() == list("dacbe")
    assert graph.directed == theirs.is_directed()
    np.testing.assert_array_equal(graph.to_scipy().toarray(), nx.to_numpy_array(theirs))
    if kind in ("Graph", "DiGraph"):
        assert graph.number_of_edges == theirs.number_of_edges()
        assert (graph.weight is None) == (not weighted)
        assert Graph.from_networkx(theirs, weight=None).weight is None


def test_networkx_numbers_need_no_names(nx):
    assert Graph.from_networkx(nx.path_graph(4)).ids is None
    assert Graph.from_networkx(nx.Graph([(1, 0)])).ids.tolist() == [1, 0]
    assert Graph.from_networkx(nx.Graph()).n == 0


@pytest.mark.parametrize("weight", ["heavy", None, -1, float("nan")])
def test_networkx_weights_that_are_none(nx, weight):
    theirs = nx.Graph()
    theirs.add_edge("a", "b", weight=2.0)
    theirs.add_edge("b", "c", weight=weight)
    with pytest.raises(ValueError, match="from_networkx: "):
        Graph.from_networkx(theirs)


@pytest.fixture(params=["csv", "parquet"])
def table(request, tmp_path):
    """Writes columns, and gives what reads them."""
    pa = pytest.importorskip("pyarrow")
    path = tmp_path / f"edges.{request.param}"

    def written(columns):
        made = pa.table(columns)
        if request.param == "csv":
            pytest.importorskip("pyarrow.csv").write_csv(made, path)
        else:
            pytest.importorskip("pyarrow.parquet").write_table(made, path)
        return lambda *args, **options: (read_csv if request.param == "csv" else read_parquet)(
            path, *args, **options
        )

    return written


def test_tables_of_numbers(table):
    read = table(
        {"other": [9, 9, 9], "source": [0, 1, 2], "target": [1, 2, 0], "w": [0.5, 1.5, 2.0]}
    )
    assert_same(read(weight="w"), Graph.from_edges([0, 1, 2], [1, 2, 0], weight=[0.5, 1.5, 2.0]))
    assert_same(read("target", "source", n=7), Graph.from_edges([1, 2, 0], [0, 1, 2], n=7))


def test_tables_of_names(table):
    read = table({"source": ["a", "b", "a"], "target": ["b", "c", "c"]})
    assert_same(
        read(directed=False), Graph.from_edges(["a", "b", "a"], ["b", "c", "c"], directed=False)
    )


def test_tables_that_do_not_fit(table):
    read = table({"source": [0, None], "target": [1, 2]})
    with pytest.raises(ValueError, match="has 1 empty places in the column 'source'"):
        read()
    with pytest.raises(ValueError, match="from"):
        read("from", "target")


def test_no_table(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(ValueError, match=r"read_csv: .* is no such table"):
        read_csv(tmp_path / "a")
    with pytest.raises(ValueError, match=r"read_parquet: .* is no such table"):
        read_parquet(tmp_path / "a")


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("scipy.sparse", lambda: Graph.from_edges([0], [1]).to_scipy()),
        ("pyarrow.csv", lambda: read_csv("none")),
        ("pyarrow.parquet", lambda: read_parquet("none")),
    ],
)
def test_a_missing_package_is_named(monkeypatch, module, call):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=re.escape("pip install 'fastla[graph]'")):
        call()
