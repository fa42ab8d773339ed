"""Files of our own: what comes back is what was saved; what is damaged is refused."""

import os
import pickle

import numpy as np
import pytest
from graphs import assert_same

from fastla.graph import Graph, _store, rmat


def graphs():
    source, target = rmat(10, 4)
    weight = np.arange(len(source), dtype=np.float64)
    yield "plain", Graph.from_edges(source, target)
    yield "weighted", Graph.from_edges(source, target, weight=weight)
    yield (
        "narrow weights",
        Graph.from_edges(source, target, weight=weight.astype(np.float32), directed=False),
    )
    yield "names", Graph.from_edges(["a", "ü", ""], ["ü", "long" * 50, "a"])
    yield "numbers for names", Graph.from_edges(np.array([7, 5], object), np.array([5, -3], object))
    yield "empty", Graph.from_edges([], [])
    yield "no edges", Graph.from_edges([], [], n=5)


@pytest.fixture(params=list(graphs()), ids=lambda g: g[0])
def graph(request):
    return request.param[1]


def test_comes_back(graph, tmp_path):
    path = tmp_path / "a.graph"
    graph.save(path)
    for verify in (False, True):
        again = Graph.open(path, verify=verify)
        assert_same(graph, again)
        assert again.indptr.ctypes.data % 64 == 0
        assert not again.indices.flags.writeable
        np.testing.assert_array_equal(again.out_strength(), graph.out_strength())
    assert_same(graph, pickle.loads(pickle.dumps(again)))
    assert os.listdir(tmp_path) == ["a.graph"]


def test_an_open_graph_can_be_saved_over_itself(tmp_path):
    path = tmp_path / "a.graph"
    graph = Graph.from_edges([0, 1, 2], [1, 2, 0])
    graph.save(path)
    mapped = Graph.open(path)
    mapped.save(path)
    assert_same(mapped, graph)
    assert_same(Graph.open(path), graph)


def test_nothing_is_half_written(tmp_path, monkeypatch):
    path = tmp_path / "a.graph"
    first = Graph.from_edges([0, 1], [1, 2])
    first.save(path)

    def fail(fd):
        raise OSError("disk full")

    monkeypatch.setattr(_store.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        Graph.from_edges([0], [1]).save(path)
    assert os.listdir(tmp_path) == ["a.graph"]
    assert_same(Graph.open(path), first)


def test_names_that_cannot_be_saved(tmp_path):
    graph = Graph.from_edges([("a", 1)], [("b", 2)])
    with pytest.raises(TypeError, match=r"save: ids has \('a', 1\); names are saved if"):
        graph.save(tmp_path / "a")
    assert os.listdir(tmp_path) == []


def test_any_truncation_is_found(tmp_path):
    path = tmp_path / "a.graph"
    Graph.from_edges(["a", "b"], ["b", "c"], weight=[1, 2]).save(path)
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"truncated|no graph that Graph.save has written"):
            Graph.open(path)


def test_any_damage_is_found(tmp_path):
    path = tmp_path / "a.graph"
    Graph.from_edges([0, 1], [1, 2], weight=[1, 2]).save(path)
    data = bytearray(path.read_bytes())
    padding = set(range(len(data))) - _used(path)
    for place in range(len(data)):
        damaged = data.copy()
        damaged[place] ^= 4
        path.write_bytes(damaged)
        if place in padding:
            assert_same(
                Graph.open(path, verify=True), Graph.from_edges([0, 1], [1, 2], weight=[1, 2])
            )
        else:
            with pytest.raises(ValueError, match=r"open: .* is (corrupt|no graph)"):
                Graph.open(path, verify=True)


def _used(path):
    """Bytes of the header and of arrays."""
    used = set(range(_store._HEADER_BYTES))
    graph = Graph.open(path)
    first = (
        np.frombuffer(graph.indptr.base, np.uint8).ctypes.data
        if graph.indptr.base is not None
        else 0
    )
    for array in (graph.indptr, graph.indices, graph.weight):
        begin = array.ctypes.data - first
        used |= set(range(begin, begin + array.nbytes))
    return used


def test_another_version(tmp_path):
    path = tmp_path / "a.graph"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_store, "VERSION", 9)
        Graph.from_edges([0], [1]).save(path)
    with pytest.raises(ValueError, match="is of version 9; this fastla reads version 1"):
        Graph.open(path)


def test_what_is_no_graph(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 1000)
    with pytest.raises(ValueError, match="no graph"):
        Graph.open(path)
    with pytest.raises(FileNotFoundError):
        Graph.open(tmp_path / "none")
