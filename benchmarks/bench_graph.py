"""Graphs beside SciPy, igraph, pyarrow, NumPy and NetworkX: ``python -m benchmarks.bench_graph
[--threads 2]``.

In one process, in turns. Each line says what was asked for and what was seen: a ratio to the fastest
rival (above 1: fastla is faster). Rivals that are not installed are left out. Answers are compared
before times are taken. A star: less than was asked for. Lines of reading state the file's megabytes,
those of building the edges.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

_threads = sys.argv[sys.argv.index("--threads") + 1] if "--threads" in sys.argv else "1"
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = _threads  # before they are loaded

import numpy as np  # noqa: E402

import fastla  # noqa: E402
from benchmarks.lines import Call, Line, options_of, report  # noqa: E402
from fastla.graph import Graph, read_edgelist, rmat  # noqa: E402


def _optional(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


sparse, igraph, networkx = (_optional(name) for name in ("scipy.sparse", "igraph", "networkx"))
pyarrow, csv = _optional("pyarrow"), _optional("pyarrow.csv")


def _joined(source: Any, target: Any, weight: Any, n: int) -> Any:
    made = sparse.coo_array((weight, (target, source)), shape=(n, n)).tocsr()
    made.sum_duplicates()
    return made


def building() -> Iterator[Line]:
    for scale in (16, 20):
        source, target = rmat(scale, 16)
        n, ones = 1 << scale, np.ones(len(source))
        weight = np.random.default_rng(0).integers(1, 100, len(source)).astype(np.float64)
        for name, given in (("counted", None), ("float64 weights", weight)):

            def ours(source=source, target=target, given=given, n=n) -> Graph:  # type: ignore[no-untyped-def]
                return Graph.from_edges(source, target, weight=given, n=n, duplicates="sum")

            values = ones if given is None else given
            rivals: dict[str, Call] = {}
            if sparse is not None:
                wanted, graph = _joined(source, target, values, n), ours()
                assert np.array_equal(wanted.indptr, graph.indptr)
                assert np.array_equal(wanted.indices, graph.indices)
                assert np.array_equal(wanted.data, graph.weight)
                rivals["SciPy"] = lambda s=source, t=target, v=values, n=n: _joined(s, t, v, n)
            if igraph is not None and given is None and scale < 20:  # there half a minute
                pairs = np.stack([source, target], 1)
                rivals["igraph"] = lambda p=pairs, n=n: igraph.Graph(n=n, edges=p, directed=True)
            yield Line(f"R-MAT {len(source) / 1e6:.0f}M edges, {name}", ours, rivals, 2.0)
    if networkx is not None:
        source, target = rmat(12, 8)
        pairs = list(zip(source.tolist(), target.tolist(), strict=True))
        yield Line(
            "R-MAT 33k edges",
            lambda: Graph.from_edges(source, target),
            {"NetworkX": lambda: networkx.DiGraph(pairs)},
            50.0,
        )


def reading() -> Iterator[Line]:
    with tempfile.TemporaryDirectory() as folder:
        for scale, slow in ((20, False), (14, True)):
            source, target = rmat(scale, 8)
            path = os.path.join(folder, f"edges{scale}.txt")
            _write(path, source, target)
            megabytes = os.path.getsize(path) / 1e6
            read = Graph.from_edges(source, target)
            assert np.array_equal(read.indices, read_edgelist(path).indices)
            rivals: dict[str, Call] = {}
            if csv is not None:
                rivals["pyarrow.csv, no graph"] = lambda p=path: _by_arrow(p)
            if slow:
                rivals["numpy.loadtxt, no graph"] = lambda p=path: np.loadtxt(p, dtype=np.int64)
                if networkx is not None:
                    rivals["NetworkX"] = lambda p=path: networkx.read_edgelist(
                        p, nodetype=int, create_using=networkx.DiGraph
                    )
                if igraph is not None:
                    rivals["igraph"] = lambda p=path: igraph.Graph.Read_Edgelist(p)
            yield Line(
                f"edge list of {megabytes:.0f} MB to a graph",
                lambda p=path: read_edgelist(p),
                rivals,
                1.0,
            )
            yield Line(
                f"edge list of {megabytes:.0f} MB to arrays", lambda p=path: _arrays(p), rivals, 2.0
            )


def _write(path: str, source: Any, target: Any) -> None:
    with open(path, "w") as file:
        for first in range(0, len(source), 1 << 20):
            part = slice(first, first + (1 << 20))
            pairs = zip(source[part].tolist(), target[part].tolist(), strict=True)
            file.write("".join(f"{s}\t{t}\n" for s, t in pairs))


def _arrays(path: str) -> Any:
    from fastla.graph._lines import LineFile
    from fastla.graph._parse import Format, parse

    with LineFile("read", path) as file:
        return parse(file, Format(), 0, None)


def _by_arrow(path: str) -> Any:
    return csv.read_csv(
        path,
        read_options=csv.ReadOptions(column_names=["s", "t"], use_threads=int(_threads) > 1),
        parse_options=csv.ParseOptions(delimiter="\t"),
    )


def main() -> None:
    parser = options_of("python -m benchmarks.bench_graph", __doc__)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    fastla.set_num_threads(options.threads)
    if pyarrow is not None:
        pyarrow.set_cpu_count(options.threads)
    print(f"{options.threads} thread(s)")
    report((building, reading), options.only, options.seconds)


if __name__ == "__main__":
    main()
