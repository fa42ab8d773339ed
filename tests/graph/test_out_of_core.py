"""Graphs larger than the memory that is allowed: built, and ranked to the bits that they have in memory."""

import hashlib
import os

import numpy as np
import pytest
from graphs import assert_same

from fastla.graph import Graph, _stream, build_file, pagerank, rmat
from tests.process import run_python

CHUNK = 1 << 18
ALLOWED = 20 << 20  # beside what Python and the libraries have
# Both kinds have 80 MiB of edges: four times what is allowed.
KINDS = {"plain": (16, 320, False), "weighted": (16, 160, True)}

SETUP = """
    import hashlib, resource, sys
    import numpy as np
    from fastla.graph import Graph, _stream, build_file, pagerank, rmat

    _stream.PIECE_EDGES = 1 << 17
    scale, factor, weighted = {kind}

    def chunks(count):
        for first in range(0, factor << scale, {chunk}):
            source, target = rmat(scale, factor, first=first, count=count)
            yield (source, target) + (((1 + source % 7).astype(np.float32),) if weighted else ())

    def data():
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmData"))

    pagerank(build_file({path!r} + ".small", [rmat(12, 64)]))  # threads and their stacks are there now
    resource.setrlimit(resource.RLIMIT_DATA, (data() + {allowed},) * 2)
"""


def setup(kind, path):
    return SETUP.format(kind=KINDS[kind], path=path, chunk=CHUNK, allowed=ALLOWED)


def whole(kind):
    scale, factor, weighted = KINDS[kind]
    source, target = rmat(scale, factor)
    weight = (1 + source % 7).astype(np.float32) if weighted else None
    return Graph.from_edges(source, target, weight=weight, duplicates="keep", n=1 << scale)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux's /proc")
@pytest.mark.parametrize("kind", KINDS)
def test_four_times_the_memory(kind, tmp_path):
    path = str(tmp_path / "large.graph")
    building = f"""
    build_file({path!r}, chunks({CHUNK}), n=1 << scale, duplicates="keep", memory=2 << 20)
    """
    run_python(setup(kind, path) + building)
    ranking = f"""
    graph = Graph.open({path!r})
    edges = graph.indices.nbytes + (graph.weight.nbytes if weighted else 0)
    assert edges == {4 * ALLOWED}, edges
    found = pagerank(graph)
    print(hashlib.sha256(found.ranks).hexdigest(), found.iterations, found.bound)
    try:
        np.array(graph.indices), np.array(graph.weight)  # what cannot be
    except MemoryError:
        print("as little memory as that")
    """
    said = run_python(setup(kind, path) + ranking).splitlines()
    graph = whole(kind)
    assert_same(Graph.open(path), graph)
    found = pagerank(graph)
    digest, iterations, bound = said[0].split()
    assert digest == hashlib.sha256(found.ranks).hexdigest()
    assert int(iterations) == found.iterations and float(bound) == pytest.approx(found.bound, 1e-3)
    assert said[1:] == ["as little memory as that"]


@pytest.mark.parametrize("most", [1, 7, 1000, 1 << 30])
def test_pieces_are_all_edges_in_order(tmp_path, monkeypatch, most):
    monkeypatch.setattr(_stream, "PIECE_EDGES", most)
    source, target = rmat(8, 8)
    graph = Graph.from_edges(source, target % 200, weight=source + 0.5, n=300)
    graph.save(tmp_path / "a")
    node, indices, weight = 0, [], []
    for piece in Graph.open(tmp_path / "a")._pieces(weighted=True):
        assert piece.first == node and piece.end > node
        edges = np.diff(piece.indptr)
        assert len(piece.indices) == edges.sum() and (len(piece.indices) <= most or len(edges) == 1)
        np.testing.assert_array_equal(edges, np.diff(graph.indptr[node : piece.end + 1]))
        indices.append(piece.indices.copy())
        weight.append(piece.weight.copy())
        node = piece.end
    assert node == 300
    np.testing.assert_array_equal(np.concatenate(indices), graph.indices)
    np.testing.assert_array_equal(np.concatenate(weight), graph.weight)


@pytest.mark.parametrize("method", ["power", "extrapolated", "gauss_seidel"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("weighted", [False, True])
def test_bits_of_pieces(tmp_path, monkeypatch, method, dtype, weighted):
    monkeypatch.setattr(_stream, "PIECE_EDGES", 500)
    source, target = rmat(10, 8)
    weight = np.arange(len(source)) % 5 if weighted else None
    graph = Graph.from_edges(source, target, weight=weight, n=1100)
    graph.save(tmp_path / "a")
    opened = Graph.open(tmp_path / "a")
    rng = np.random.default_rng(0)
    jumps = rng.random((1100, 3))
    for jump in (None, jumps[:, 0], jumps):
        for threads in (1, 2):
            given = {"personalization": jump, "dangling": jumps[:, 1], "method": method, "dtype": dtype}
            one, other = pagerank(graph, **given), pagerank(opened, num_threads=threads, **given)
            assert one.ranks.tobytes() == other.ranks.tobytes()
            assert one.residuals.tobytes() == other.residuals.tobytes()
    np.testing.assert_array_equal(opened.out_strength(), graph.out_strength())


def test_undirected_loops_are_counted_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(_stream, "PIECE_EDGES", 3)
    graph = Graph.from_edges([0, 1, 2, 2, 3], [0, 2, 2, 3, 3], directed=False)
    graph.save(tmp_path / "a")
    assert repr(Graph.open(tmp_path / "a")) == repr(graph) == "Graph(undirected, 4 nodes, 5 edges)"


def test_the_file_stays_though_its_name_goes(tmp_path):
    graph = build_file(tmp_path / "a", [rmat(6, 4)])
    wanted = pagerank(Graph.from_edges(*rmat(6, 4))).ranks
    build_file(tmp_path / "a", [([0], [1])])
    assert pagerank(graph).ranks.tobytes() == wanted.tobytes()


def test_a_file_that_is_cut_off(tmp_path):
    graph = build_file(tmp_path / "a", [rmat(8, 8)])
    os.truncate(tmp_path / "a", os.path.getsize(tmp_path / "a") // 8 * 4)
    with pytest.raises(ValueError, match="cut off while in use"):
        list(graph._file.pieces(np.array(Graph.from_edges(*rmat(8, 8)).indptr), False))
