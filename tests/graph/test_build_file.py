"""Files of graphs made in portions: what `Graph.from_edges` makes of all edges at once, bit for bit."""

import os

import numpy as np
import pytest
from graphs import assert_same

from fastla.graph import Graph, _build_file, build_file, edgelist_chunks, read_edgelist, rmat


@pytest.fixture(autouse=True)
def small_portions(monkeypatch):
    monkeypatch.setattr(_build_file, "_LEAST_EDGES", 700)


def chunked(arrays, rng):
    """Chunks of any lengths, some empty, in arrays that are used again."""
    places = np.sort(rng.integers(0, len(arrays[0]), 9))
    spaces = [np.empty_like(x) for x in arrays]
    for a, b in zip([0, *places], [*places, len(arrays[0])], strict=True):
        for space, x in zip(spaces, arrays, strict=True):
            space[: b - a] = x[a:b]
        yield tuple(space[: b - a] for space in spaces)


@pytest.mark.parametrize("duplicates", [None, "sum", "keep", "first", "last", "max", "min"])
@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("dtype", [None, np.float32, np.float64])
def test_as_made_at_once(rng, tmp_path, duplicates, directed, dtype):
    source, target = rng.integers(0, 90, (2, 5000))
    target[:2000] = 7  # more than a portion
    arrays = [source, target]
    weight = None
    if dtype is not None:
        weight = rng.random(5000).astype(dtype)
        arrays.append(weight)
    given = {"directed": directed, "duplicates": duplicates}
    wanted = Graph.from_edges(source, target, weight=weight, **given)
    made = build_file(tmp_path / "a.graph", chunked(arrays, rng), memory=0, **given)
    assert_same(made, wanted)
    assert made.mapped and os.listdir(tmp_path) == ["a.graph"]
    wanted.save(tmp_path / "b.graph")
    assert_same(Graph.open(tmp_path / "a.graph", verify=True), wanted)


@pytest.mark.parametrize("n", [None, 5000])
def test_many_nodes_and_threads(tmp_path, n):
    source, target = rmat(12, 8)
    chunks = [rmat(12, 8, first=first, count=4096) for first in range(0, len(source), 4096)]
    wanted = Graph.from_edges(source, target, n=n)
    for threads in (1, 3):
        made = build_file(tmp_path / "a.graph", chunks, n=n, memory=0, num_threads=threads)
        assert_same(made, wanted)


def test_nothing_and_almost_nothing(tmp_path):
    assert_same(build_file(tmp_path / "a", []), Graph.from_edges([], []))
    assert_same(build_file(tmp_path / "a", [([], [])], n=4), Graph.from_edges([], [], n=4))
    assert_same(build_file(tmp_path / "a", [([], []), ([3], [0])]), Graph.from_edges([3], [0]))
    found = build_file(tmp_path / "a", [([0], [1]), ([0], [1])], duplicates="sum")
    assert_same(found, Graph.from_edges([0, 0], [1, 1], duplicates="sum"))


def test_texts_in_chunks(tmp_path, monkeypatch):
    from fastla.graph import _lines

    monkeypatch.setattr(_lines, "PIECE", 500)
    text = tmp_path / "edges.txt"
    rng = np.random.default_rng(0)
    text.write_text("# edges\n" + "".join(f"{a}\t{b} {c}\n" for a, b, c in rng.integers(0, 99, (800, 3))))
    for weight in (False, True):
        chunks = list(edgelist_chunks(text, weight=weight))
        assert len(chunks) > 10 and {len(chunk) for chunk in chunks} == {3 if weight else 2}
        assert_same(build_file(tmp_path / "a", chunks), read_edgelist(text, weight=weight))
    text.write_text("0 1\n" * 300 + "1 x\n")
    with pytest.raises(ValueError, match=r"edgelist_chunks: .*edges.txt, line 301 is '1 x'"):
        list(edgelist_chunks(text))
    with pytest.raises(ValueError, match="edgelist_chunks: weight is 1"):
        edgelist_chunks(text, weight=1)


MOST = np.finfo(np.float64).max


@pytest.mark.parametrize(
    "chunks, more, message",
    [
        ([([0], [1]), ([0, 7], [1, 1])], {"n": 3},
         r"build_file, chunk 1: source of shape \(2,\), dtype int64 has 7 at 1; for 3 nodes it must be"),
        ([([0], [-1])], {}, "chunk 0: target of .* has -1 at 0"),
        ([([0], [1], [np.nan])], {}, "weight of .* has nan at 0; weights must be finite"),
        ([([0], [1], [1.0]), ([0], [1])], {}, r"chunk 1: weights are of \[\], before it of \['float64'\]"),
        ([([0], [1, 2])], {}, r"chunk 0: source is \(1,\), target is \(2,\)"),
        ([[0]], {}, r"chunk 0: it must be \(source, target\)"),
        ([([0], [1])], {"duplicates": "add"}, "build_file: duplicates is 'add'"),
        ([([0], [1])], {"n": -1}, "build_file: n is -1"),
        ([([2, 0], [1, 1]), ([2], [1])], {"duplicates": "error"},
         "the edge from 2 to 1 is given more than once"),
        ([([3], [2], [MOST]), ([3], [2], [MOST])], {},
         "the weights of the edge from 3 to 2 add up to more than float64 holds"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_nothing_written(tmp_path, chunks, more, message):
    with pytest.raises(ValueError, match=message):
        build_file(tmp_path / "a.graph", chunks, **more)
    assert os.listdir(tmp_path) == []


def test_other_errors(tmp_path):
    with pytest.raises(TypeError, match="build_file, chunk 0: source and target are names"):
        build_file(tmp_path / "a", [(["x"], ["y"])])
    with pytest.raises(ValueError, match="rmat: first is 9, count 8; there are 16 edges"):
        rmat(3, 2, first=9, count=8)

    def broken():
        yield [0], [1]
        raise KeyboardInterrupt

    build_file(tmp_path / "a", [([0], [1])])
    before = (tmp_path / "a").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        build_file(tmp_path / "a", broken())
    assert (tmp_path / "a").read_bytes() == before and os.listdir(tmp_path) == ["a"]
