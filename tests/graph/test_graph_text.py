"""Lists of edges in text: read as they were written, at any cut and thread count; wrong lines are quoted."""

import gzip
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from graphs import assert_graph, assert_same, expected
from hypothesis import given
from hypothesis import strategies as st

from fastla.graph import Graph, _lines, read_edgelist, read_mtx, rmat
from fastla.graph._parse import Format, parse


@pytest.fixture
def write(tmp_path):
    def written(text, name="edges.txt"):
        path = tmp_path / name
        data = text if isinstance(text, bytes) else text.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return written


def edges_of(graph):
    return sorted(zip(*(x.tolist() for x in graph.edges() if x is not None), strict=True))


def parsed(path):
    """Ends as they stand in the file: a graph of such numbers would be large."""
    with _lines.LineFile("test", path) as file:
        return parse(file, Format(), 0, 1)


PAIRS = [(0, 1), (12345678, 3), (3, 123456789), (99, 0)]


@pytest.mark.parametrize(
    "text",
    [
        "0 1\n12345678 3\n3 123456789\n99 0\n",
        "0\t1\n12345678\t3\n3\t123456789\n99\t0",
        "0 1\r\n12345678 3\r\n3 123456789\r\n99 0\r\n",
        "0,1\n12345678,3\n3,123456789\n99,0\n",
        "# Nodes: 4\n0 1\n#\n\n  12345678   3  \n \t\n3 ,\t123456789 rest of it\n  # more\n99 0 1.5 x\n#end",
        "00 01\n000000012345678 3\n3 0000000123456789\n99 0000000000000000000000\n",
    ],
)
@pytest.mark.parametrize("name", ["edges.txt", "edges.gz"])
def test_separators_comments_and_ends_of_lines(write, text, name):
    edges = parsed(write(text, name))
    assert list(zip(edges.source.tolist(), edges.target.tolist(), strict=True)) == PAIRS
    assert edges.source.dtype == edges.target.dtype == np.int32


def test_one_delimiter(write):
    assert edges_of(read_edgelist(write("0;1\n1 ; 2\n"), delimiter=";")) == [(0, 1), (1, 2)]
    assert edges_of(read_edgelist(write("0\t1\n"), delimiter="\t")) == [(0, 1)]
    with pytest.raises(ValueError, match="line 1 is '0 1'"):
        read_edgelist(write("0 1\n"), delimiter=";")


def test_other_comments(write):
    assert edges_of(read_edgelist(write("// a\n0 1\n  // b\n"), comments="//")) == [(0, 1)]
    with pytest.raises(ValueError, match="line 1 is '# a'"):
        read_edgelist(write("# a\n"), comments="%")


@pytest.mark.parametrize(
    ("column", "wanted"), [(True, [0.5, 1e-3, 7.0]), (2, [0.5, 1e-3, 7.0]), (3, [1.0, 2.0, 3.0])]
)
def test_weights(write, column, wanted):
    path = write("0 1 0.5 1\n1 2\t1e-3\t2\n2,0,+7,3 x\n")
    source, target, weight = read_edgelist(path, weight=column).edges()
    assert dict(
        zip(zip(source.tolist(), target.tolist(), strict=True), weight.tolist(), strict=True)
    ) == dict(zip([(0, 1), (1, 2), (2, 0)], wanted, strict=True))


@pytest.mark.parametrize(
    ("line", "options", "must"),
    [
        ("1", {}, "two numbers"),
        ("1 x", {}, "two numbers"),
        ("x 1", {}, "two numbers"),
        ("1.5 2", {}, "two numbers"),
        ("1 2.5", {}, "two numbers"),
        ("-1 2", {}, "two numbers"),
        ("1 -2", {}, "two numbers"),
        ("1,,2", {}, "two numbers"),
        ("1 2x", {}, "two numbers"),
        ("1,", {}, "two numbers"),
        ("99999999999999999999 1", {}, "two numbers"),
        ("9223372036854775808 1", {}, "two numbers"),
        ("1 2", {"weight": True}, "a weight in column 2"),
        ("1 2 -3", {"weight": True}, "a weight in column 2"),
        ("1 2 nan", {"weight": True}, "a weight in column 2"),
        ("1 2 inf", {"weight": True}, "a weight in column 2"),
        ("1 2 1e999", {"weight": True}, "a weight in column 2"),
        ("1 2 3x", {"weight": True}, "a weight in column 2"),
        ("1 2 3", {"weight": 3}, "a weight in column 3"),
        ("1 9", {"n": 9}, "must be from 0 to 8"),
        ("9 1", {"n": 9}, "must be from 0 to 8"),
    ],
)
@pytest.mark.parametrize("threads", [1, 3])
def test_a_wrong_line_is_quoted(write, line, options, must, threads):
    text = "# first\n\n" + "0 1 2 3\n" * 50_000 + line + "\r\n" + "bad\n" * 50_000
    path = write(text)
    with pytest.raises(
        ValueError, match=re.escape(f"{path}, line 50003 is {line!r}; ") + ".*" + must
    ):
        read_edgelist(path, num_threads=threads, **options)


def test_wide_ids_come_late(write):
    big = 3_000_000_000
    path = write("0 1\n" * 10 + f"{big} 1\n")
    with pytest.raises(ValueError, match=r"line 11 .* must be from 0 to 9"):
        read_edgelist(path, n=10)
    edges = parsed(path)
    assert edges.source.dtype == np.int64 and edges.source.tolist() == [0] * 10 + [big]


number = st.integers(0, 40)


@given(
    st.lists(
        st.tuples(
            number,
            number,
            st.sampled_from([" ", "\t", ",", " , "]),
            st.sampled_from(["\n", "\r\n", " \n", " 5 z\n", "\n\n", "\n#x\n"]),
        ),
        max_size=30,
    ),
    st.integers(16, 80),
    st.sampled_from([1, 2]),
)
def test_any_cut(tmp_path_factory, lines, piece, threads):
    """Pieces of a few bytes: every line meets a cut."""
    path = tmp_path_factory.mktemp("cut") / "edges"
    path.write_text("".join(f"{s}{blank}{t}{end}" for s, t, blank, end in lines), newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_lines, "PIECE", piece)
        graph = read_edgelist(path, n=41, duplicates="keep", num_threads=threads)
    source, target = (np.array([line[i] for line in lines], np.int64) for i in (0, 1))
    assert_graph(graph, *expected(source, target, None, 41, True, "keep"))


@pytest.mark.parametrize("name", ["edges.txt", "edges.gz"])
def test_a_larger_file_by_any_threads(write, name, monkeypatch):
    source, target = rmat(16, 4)
    weight = np.arange(len(source)) / 8
    path = write(
        "".join(
            f"{s} {t} {w!r}\n"
            for s, t, w in zip(*(x.tolist() for x in (source, target, weight)), strict=True)
        ),
        name,
    )
    wanted = Graph.from_edges(source, target, weight=weight)
    monkeypatch.setattr(_lines, "PIECE", 1 << 20)  # several
    for threads in (1, 2, 5):
        assert_same(read_edgelist(path, weight=True, num_threads=threads), wanted)


def test_undirected_and_duplicates(write):
    path = write("0 1\n1 0\n1 1\n2 1\n")
    graph = read_edgelist(path, directed=False)
    assert (graph.number_of_edges, graph.weight) == (3, None)
    np.testing.assert_array_equal(
        read_edgelist(path, directed=False, duplicates="sum").weight, [2, 2, 1, 1, 1]
    )


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "\n\n  \n#"])
@pytest.mark.parametrize("ids", ["int", "str"])
@pytest.mark.parametrize("name", ["edges.txt", "edges.gz"])
def test_no_edges(write, text, ids, name):
    graph = read_edgelist(write(text, name), ids=ids)
    assert (graph.n, graph.number_of_edges) == (0, 0)
    np.testing.assert_array_equal(graph.indptr, [0])


def test_names(write):
    path = write("# x\nann bob 1\nbob,cleo,2\nünn\tann\t3\n")
    graph = read_edgelist(path, ids="str", weight=True)
    assert graph.ids.tolist() == ["ann", "bob", "cleo", "ünn"]
    assert edges_of(graph) == [(0, 1, 1.0), (1, 2, 2.0), (3, 0, 3.0)]
    two = read_edgelist(write("a b;c d\n"), ids="str", delimiter=";")
    assert two.ids.tolist() == ["a b", "c d"]


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("a", {}),
        ("a,", {}),
        ("a b", {"weight": True}),
        ("a b -1", {"weight": True}),
        ("a b c", {"weight": True}),
    ],
)
def test_wrong_lines_of_names_are_quoted(write, line, options):
    path = write("x y 1\n\n" + line + "\n")
    with pytest.raises(ValueError, match=re.escape(f"{path}, line 3 is {line!r}")):
        read_edgelist(path, ids="str", **options)


def test_a_gzip_file_that_is_cut_or_damaged(write):
    path = write("".join(f"{i} {i * 7 % 1000}\n" for i in range(1000)), "edges.gz")
    data = bytearray(path.read_bytes())
    path.write_bytes(data[:-20])
    with pytest.raises(ValueError, match="is no whole gzip file"):
        read_edgelist(path)
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    with pytest.raises(ValueError, match="is no whole gzip file"):
        read_edgelist(path)


def test_a_line_without_end(write, monkeypatch):
    monkeypatch.setattr(_lines, "PIECE", 1000)
    with pytest.raises(ValueError, match="has a line of more than 1000 bytes"):
        read_edgelist(write("1" * 5000))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ids": "name"}, "ids is 'name'"),
        ({"weight": 1}, "weight is 1"),
        ({"delimiter": "::"}, "one byte"),
        ({"comments": "#" * 9}, "at most 8 bytes"),
        ({"n": -1}, "n is -1"),
        ({"duplicates": "x"}, "duplicates is 'x'"),
    ],
)
def test_bad_options(write, options, message):
    with pytest.raises(ValueError, match=message):
        read_edgelist(write("0 1\n"), **options)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_edgelist(tmp_path / "none")


def test_progress(write, capsys):
    read_edgelist(write("0 1\n"), progress=True)
    said = capsys.readouterr()
    assert said.out == "" and re.search("100% of .*edges.txt, 1 edges", said.err)


def test_an_interrupt_is_heard(tmp_path):
    """From a pipe that never ends: the process must stop, with KeyboardInterrupt."""
    path = tmp_path / "edges"
    path.write_text("0 1\n" * 1000)
    code = f"""
import signal
from fastla.graph import _lines, read_edgelist
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
_lines.PIECE = 64
def stop(self, edges):
    if edges > 100:
        signal.raise_signal(signal.SIGINT)
_lines.LineFile.report = stop
try:
    read_edgelist({os.fspath(path)!r})
except KeyboardInterrupt:
    print("heard")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "heard\n"


# --- Matrix Market

HEAD = "%%MatrixMarket matrix coordinate {} {}\n% comment\n\n{}\n"


@pytest.mark.parametrize("field", ["real", "integer", "pattern"])
@pytest.mark.parametrize("symmetry", ["general", "symmetric"])
def test_mtx_as_scipy_reads_it(tmp_path, rng, field, symmetry):
    scipy_io = pytest.importorskip("scipy.io")
    sparse = pytest.importorskip("scipy.sparse")
    a = sparse.random_array((30, 30), density=0.2, rng=rng)
    if symmetry == "symmetric":
        a = a + a.T
    a = a.tocoo()
    if field != "real":
        a.data = np.ceil(9 * a.data) if field == "integer" else np.ones(a.nnz)
    path = tmp_path / "a.mtx"
    scipy_io.mmwrite(
        path, a.astype(np.int64) if field == "integer" else a, field=field, symmetry=symmetry
    )
    graph = read_mtx(path)
    assert graph.directed == (symmetry == "general")
    np.testing.assert_array_equal(graph.to_scipy().toarray(), scipy_io.mmread(path).toarray())
    assert_same(graph, Graph.from_scipy(scipy_io.mmread(path), directed=graph.directed))


def test_mtx_by_hand(write):
    graph = read_mtx(write(HEAD.format("real", "symmetric", "3 3 2") + "2 1 0.5\n3 3 2\n"))
    np.testing.assert_array_equal(graph.to_scipy().toarray(), [[0, 0.5, 0], [0.5, 0, 0], [0, 0, 2]])
    assert read_mtx(write(HEAD.format("pattern", "general", "4 4 0"))).n == 4
    assert read_mtx(write(HEAD.format("real", "general", "0 0 0"))).n == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begins with ''"),
        ("1 2 3\n", "begins with '1 2 3'"),
        ("%%MatrixMarket matrix array real general\n1 1\n1\n", "begins with"),
        (HEAD.format("complex", "general", "1 1 0"), "begins with"),
        (HEAD.format("real", "hermitian", "1 1 0"), "begins"),
        (
            HEAD.format("real", "general", "1 1"),
            "line 4 is '1 1'; it must be rows, columns and entries",
        ),
        (HEAD.format("real", "general", "1 x 1"), "line 4 is '1 x 1'"),
        (HEAD.format("real", "general", "2 3 0"), r"is \(2, 3\); a graph's matrix is square"),
        (HEAD.format("real", "general", "2 2 2") + "1 2 1\n", "has 1 entries; its header says 2"),
        (
            HEAD.format("real", "general", "2 2 1") + "1 3 1\n",
            "line 5 is '1 3 1'; .* it must be from 1 to 2",
        ),
        (
            HEAD.format("real", "general", "2 2 1") + "0 1 1\n",
            "line 5 is '0 1 1'; .* it must be from 1 to 2",
        ),
        (
            HEAD.format("real", "general", "2 2 1") + "1 1\n",
            "line 5 is '1 1'; there must be a weight",
        ),
        (HEAD.format("real", "general", "2 2 1") + "1 1 -2\n", "finite and not negative"),
    ],
)
def test_wrong_mtx(write, text, message):
    with pytest.raises(ValueError, match=message):
        read_mtx(write(text, "a.mtx"))
