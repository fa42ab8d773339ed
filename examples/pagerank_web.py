"""PageRank of a web that memory does not hold: a text of links to a file, ranked from disk, with proof.

    python examples/pagerank_web.py                              # random links (R-MAT) among 2^18 pages
    python examples/pagerank_web.py web-Google.txt.gz            # any list of edges of the SNAP collection
    python examples/pagerank_web.py --scale 24 --memory 2000     # 268 million links, sorted in 2 GB

The graph stays in a file beside the picture, and is not made again if it is there. A run that was killed
goes on where it was.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastla.graph import Graph, PageRankResult, build_file, edgelist_chunks, pagerank, rmat

CHUNK = 1 << 22


def random_links(scale: int, factor: int) -> Iterator[tuple[NDArray[np.int32], ...]]:
    """Edges in chunks, each a function of its number."""
    edges = factor << scale
    for first in range(0, edges, CHUNK):
        yield rmat(scale, factor, first=first, count=min(CHUNK, edges - first))


def made(given: argparse.Namespace) -> Graph:
    """The graph's file, from text or thin air."""
    name = f"rmat{given.scale}x{given.factor}" if given.edges is None else given.edges.name
    path = given.out.with_name(f"{name}.graph")
    if path.exists():
        print(f"{path} is there already")
        return Graph.open(path)
    n = None
    if given.edges is None:
        chunks, n = random_links(given.scale, given.factor), 1 << given.scale
    else:
        chunks = edgelist_chunks(given.edges)
    start = time.perf_counter()
    graph = build_file(path, chunks, n=n, memory=given.memory * 1_000_000, progress=given.progress)
    took = time.perf_counter() - start
    print(f"built {path}: {path.stat().st_size / 1e6:.1f} MB in {took:.2f} s, "
          f"{graph.number_of_edges / took / 1e6:.1f} Medge/s, repeated links joined")
    return graph


def ranked(graph: Graph, given: argparse.Namespace) -> PageRankResult:
    """Ranks, and at what rate."""
    times = [time.perf_counter()]
    found = pagerank(graph, alpha=given.alpha, tol=given.tol, dtype=given.dtype, method="power",
                     checkpoint=given.out.with_suffix(".checkpoint"), progress=given.progress,
                     callback=lambda steps, residuals: times.append(time.perf_counter()))
    if len(times) > 2:
        step = float(np.median(np.diff(times[1:])))
        read, walked = graph.indices.nbytes / step / 1e6, len(graph.indices) / step / 1e6
        print(f"{found.iterations} steps of {step:.3f} s: reading {read:.0f} MB/s, "
              f"ranking {walked:.0f} Medge/s")
    return found


def draw(found: PageRankResult, alpha: float, tol: float, path: Path) -> None:
    """Each step's length and what it proves, beside what is known before the first one."""
    from matplotlib import pyplot

    steps = np.arange(1, found.iterations + 1)
    figure, ax = pyplot.subplots(figsize=(8, 5), layout="constrained")
    before = 2 * alpha**steps
    bounds = np.minimum(before, alpha / (1 - alpha) * found.residuals)
    ax.semilogy(steps, before, "k--", linewidth=1, label=r"known before: $2\alpha^t$")
    ax.semilogy(steps, bounds, "o-", markersize=3, label="bound of the error")
    ax.semilogy(steps, found.residuals, ".-", markersize=4, linewidth=1, label="moved by this step")
    ax.axhline(tol, color="tab:red", linewidth=1, label=f"asked for: {tol:g}")
    ax.set_xlabel("step t")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_ylabel("sum over all pages")
    ax.set_title(rf"PageRank of {len(found.ranks)} pages, $\alpha$ = {alpha:g}")
    ax.grid(alpha=0.3)
    ax.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("edges", nargs="?", type=Path, help="a text of two numbers a line, also .gz")
    parser.add_argument("--scale", type=int, default=18, help="of random links: 2^scale pages (18)")
    parser.add_argument("--factor", type=int, default=16, help="and so many links for each (16)")
    parser.add_argument("--memory", type=int, default=500, help="MB for edges while they are sorted (500)")
    parser.add_argument("--alpha", type=float, default=0.85, help="(0.85)")
    parser.add_argument("--tol", type=float, default=1e-8, help="true error of all ranks together (1e-8)")
    parser.add_argument("--dtype", default="float64", choices=["float64", "float32"], help="(float64)")
    parser.add_argument("--top", type=int, default=10, help="pages to show (10)")
    parser.add_argument("--progress", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("pagerank_web.png"), help="the picture's file")
    given = parser.parse_args()

    graph = made(given)
    print(f"{graph}, {graph.indices.nbytes / 1e6:.1f} MB of edges on disk")
    found = ranked(graph, given)
    print(f"proven: the ranks of all {graph.n} pages are off by {found.bound:.2g} at most, together")
    top = found.top(given.top, certified=True)
    print(f"the first {len(top)} places of {given.top} asked for are certain:")
    for place, (page, rank) in enumerate(top, 1):
        print(f"{place:4d}. page {page}, {rank:.6g}")
    draw(found, given.alpha, given.tol, given.out)
    print(f"picture: {given.out}")


if __name__ == "__main__":
    main()
