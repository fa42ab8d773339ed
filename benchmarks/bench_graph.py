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
from fastla.graph import Graph, pagerank, read_edgelist, rmat  # noqa: E402
from fastla.graph._steps import Problem, State  # noqa: E402
from fastla.graph._walk import walk  # noqa: E402


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


def _ranks_by_scipy(pull: Any, inverse: Any, dangling: Any, tol: float) -> Any:
    """Power iteration as one writes it, to the same proven error."""
    n, alpha = len(inverse), 0.85
    r = np.full(n, 1 / n)
    while True:
        new = alpha * (pull @ (r * inverse)) + (alpha * r[dangling].sum() + 1 - alpha) / n
        moved = np.abs(new - r).sum()
        r = new
        if alpha * moved / (1 - alpha) <= tol:
            return r


def _step(graph: Graph, dtype: Any, columns: int = 1) -> Call:
    """One step along the edges, of the state that pagerank keeps."""
    way = walk(graph, True, np.dtype(dtype))
    jump = np.full((1, 1), 1 / graph.n)
    ranks = np.full((graph.n, columns), 1 / graph.n, dtype)
    return State(Problem(way, 0.85, jump, None, 2.0, "power", None), ranks).step


def steps() -> Iterator[Line]:
    """A step against SciPy's product alone, and of what memory's bandwidth would allow."""
    for scale in range(16, 24):
        source, target = rmat(scale, 16, seed=1)
        graph = Graph.from_edges(source, target, n=1 << scale, duplicates="keep")
        m = len(source)
        del source, target
        for dtype, target_ratio in ((np.float32, 3.0 if scale >= 22 else 1.8), (np.float64, 1.8)):
            ours = _step(graph, dtype)
            rivals: dict[str, Call] = {}
            if sparse is not None:
                a = sparse.csr_array(
                    (np.ones(m, dtype), graph.indices, graph.indptr), shape=(graph.n,) * 2
                )
                x = np.full(graph.n, 1 / graph.n, dtype)
                rivals["SciPy's product"] = lambda a=a, x=x: a @ x
            name = f"step of R-MAT {scale}, {m / 1e6:.0f}M edges, {np.dtype(dtype)}"
            yield Line(name, ours, rivals, target_ratio)
            size = np.dtype(dtype).itemsize
            # Indices, starts; of each node old and new ranks, its inverse, and x both ways.
            amount = 4.0 * m + (4 + 5 * size) * graph.n
            yield Line(f"{name}, of the bandwidth", ours, {}, 0.6, "read", amount)
            del ours, rivals


def ranking() -> Iterator[Line]:
    """From arrays of edges to ranks proven to 1e-8; and many personalisations."""
    for scale in (16, 20):
        source, target = rmat(scale, 16, seed=1)
        n = 1 << scale

        def ours(source=source, target=target, n=n) -> Any:  # type: ignore[no-untyped-def]
            return pagerank(Graph.from_edges(source, target, n=n))

        def by_scipy(source=source, target=target, n=n) -> Any:  # type: ignore[no-untyped-def]
            pull = _joined(source, target, np.ones(len(source)), n)
            pull.data[:] = 1
            out = np.bincount(pull.indices, minlength=n)
            inverse = np.divide(1.0, out, out=np.zeros(n), where=out > 0)
            return _ranks_by_scipy(pull, inverse, out == 0, 1e-8)

        def by_igraph(source=source, target=target, n=n) -> Any:  # type: ignore[no-untyped-def]
            made = igraph.Graph(n=n, edges=np.stack([source, target], 1), directed=True)
            return made.simplify(loops=False).pagerank()

        def by_networkx(source=source, target=target, n=n) -> Any:  # type: ignore[no-untyped-def]
            made = networkx.DiGraph()
            made.add_nodes_from(range(n))
            made.add_edges_from(zip(source.tolist(), target.tolist(), strict=True))
            return networkx.pagerank(made, tol=1e-8 * 0.15 / n)

        rivals: dict[str, Call] = {}
        if sparse is not None:
            assert np.abs(by_scipy() - ours().ranks).sum() <= 2e-8
            rivals["SciPy"] = by_scipy
            yield Line(f"edges to ranks, R-MAT {scale}", ours, rivals, 2.0)
        if igraph is not None:
            yield Line(f"edges to ranks, R-MAT {scale}, igraph", ours, {"igraph": by_igraph}, 10.0)
        if networkx is not None and scale == 16:
            yield Line(
                f"edges to ranks, R-MAT {scale}, NetworkX", ours, {"NetworkX": by_networkx}, 50.0
            )
    source, target = rmat(16, 16, seed=1)
    graph = Graph.from_edges(source, target, n=1 << 16)
    jumps = np.zeros((graph.n, 64))
    jumps[np.argsort(-graph.out_degree())[:64], np.arange(64)] = 1
    one_by_one = [np.ascontiguousarray(column) for column in jumps.T]
    for dtype in ("float32", "float64"):
        yield Line(
            f"64 personalisations, {dtype}",
            lambda d=dtype: pagerank(graph, personalization=jumps, dtype=d),
            {
                "one by one": lambda d=dtype: [
                    pagerank(graph, personalization=x, dtype=d) for x in one_by_one
                ]
            },
            8.0,
        )


def in_networkx() -> Iterator[Line]:
    """As NetworkX's backend: with the graph copied in each call, and with the copy that it keeps."""
    if networkx is None:
        return
    networkx.config.warnings_to_ignore.add("cache")
    graph = networkx.gnm_random_graph(20_000, 200_000, seed=1, directed=True)
    for name, given in (
        ("pagerank", {}),
        ("hits", {}),
        ("eigenvector_centrality", {}),
        ("katz_centrality", {"alpha": 0.01}),
    ):
        function = getattr(networkx, name)

        def kept(function=function, given=given) -> Any:  # type: ignore[no-untyped-def]
            return function(graph, backend="fastla", **given)

        def anew(kept=kept) -> Any:  # type: ignore[no-untyped-def]
            graph.__networkx_cache__.clear()
            return kept()

        def theirs(function=function, given=given) -> Any:  # type: ignore[no-untyped-def]
            return function(graph, backend="networkx", **given)

        pairs = zip(*(x if isinstance(x, tuple) else (x,) for x in (kept(), theirs())), strict=True)
        assert all(abs(a[node] - b[node]) <= 1e-9 for a, b in pairs for node in graph)
        yield Line(f"nx.{name}, graph copied", anew, {"NetworkX": theirs}, 2.0)
        yield Line(f"nx.{name}, copy kept", kept, {"NetworkX": theirs}, 10.0)


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
    report((building, reading, ranking, in_networkx, steps), options.only, options.seconds)


if __name__ == "__main__":
    main()
