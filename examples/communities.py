"""Communities in two well-known networks, by spectral clustering.

    python examples/communities.py                 # a karate club before it split, and Les Miserables
    python examples/communities.py --out MY.png --most 12

Zachary's karate club came apart in two; the edges between its members foretell who went where. The
characters of Les Miserables are cut into as many groups as have the highest modularity. Nodes are as large as
their PageRank, which NetworkX lets fastla compute.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from fastla.cluster import spectral_clustering
from fastla.graph import Graph


class Communities(NamedTuple):
    network: Any
    labels: NDArray[np.int32]  # of the nodes in their order
    modularity: float
    ranks: dict[Any, float]


def communities(network: Any, count: int) -> Communities:
    """That many, of a network without directions whose edges may have a weight."""
    affinity = Graph.from_networkx(network).to_scipy()
    labels = spectral_clustering(affinity, count, affinity="precomputed").labels
    nodes = np.array(list(network), object)
    groups = [set(nodes[labels == label]) for label in np.unique(labels)]
    modularity = nx.community.modularity(network, groups)
    return Communities(network, labels, modularity, nx.pagerank(network, backend="fastla"))


def rand_index(labels: Any, others: Any) -> float:
    """Hubert and Arabie's adjusted one: 1 where two partitions agree, about 0 where they do so by chance."""

    def pairs(counts: Any) -> float:
        return float((counts * (counts - 1)).sum()) / 2

    a, b = (np.unique(x, return_inverse=True)[1] for x in (labels, others))
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    together, of_a, of_b = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    chance = of_a * of_b / pairs(np.array([len(a)]))
    return (together - chance) / ((of_a + of_b) / 2 - chance)


def draw(ax: Any, found: Communities, names: Any, marks: Any = None) -> None:
    """Nodes coloured by community, those of `marks` as squares; `names` are written beside theirs."""
    network, nodes = found.network, list(found.network)
    at = nx.spring_layout(network, seed=7, k=2.4 / len(nodes) ** 0.5, weight=None, iterations=200)
    colours = dict(zip(nodes, found.labels.tolist(), strict=True))
    nx.draw_networkx_edges(network, at, ax=ax, alpha=0.25, width=0.8)
    squares = set() if marks is None else set(marks)
    for shape, group in (("o", [n for n in nodes if n not in squares]), ("s", list(squares))):
        nx.draw_networkx_nodes(
            network, at, ax=ax, nodelist=group, node_shape=shape, edgecolors="white", linewidths=0.8,
            node_size=[40 + 5000 * found.ranks[n] for n in group], node_color=[colours[n] for n in group],
            cmap="tab10", vmin=0, vmax=9)  # fmt: skip
    nx.draw_networkx_labels(network, at, labels={n: n for n in names}, ax=ax, font_size=7)
    ax.set_axis_off()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--most", type=int, default=10, help="communities of Les Miserables that are tried (10)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("communities.png"), help="the picture's file"
    )
    given = parser.parse_args()
    nx.config.warnings_to_ignore.add(
        "cache"
    )  # converted graphs are kept, and networks do not change here
    if given.most < 2:
        parser.error(f"--most is {given.most}; it must be at least 2")

    club = nx.karate_club_graph()
    sides = [side for _, side in club.nodes(data="club")]
    halves = communities(club, 2)
    wrong = min(
        int(
            sum(
                (side == sides[0]) == (label == first)
                for side, label in zip(sides, halves.labels, strict=True)
            )
        )
        for first in (0, 1)
    )
    print(
        f"karate club: {len(club)} members, modularity {halves.modularity:.3f}, adjusted Rand index against "
        f"the split {rand_index(halves.labels, sides):.3f}, {wrong} elsewhere"
    )

    novel = nx.les_miserables_graph()
    tried = (communities(novel, count) for count in range(2, given.most + 1))
    found = max(tried, key=lambda one: one.modularity)
    leading = sorted(novel, key=found.ranks.__getitem__, reverse=True)
    print(
        f"Les Miserables: {len(novel)} characters, {found.labels.max() + 1} communities, modularity "
        f"{found.modularity:.3f}"
    )
    of = dict(zip(novel, found.labels.tolist(), strict=True))
    for label in range(found.labels.max() + 1):
        group = [name for name in leading if of[name] == label]
        print(f"  {len(group):2} around {', '.join(group[:3])}")

    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(14, 7), layout="constrained")
    draw(
        left,
        halves,
        list(club),
        [n for n, side in zip(club, sides, strict=True) if side != sides[0]],
    )
    left.set_title("A karate club: colours by its edges, squares and circles by what became of it")
    draw(right, found, leading[:14])
    right.set_title(f"Les Miserables: {found.labels.max() + 1} communities")
    figure.savefig(given.out, dpi=110)
    print(f"picture: {given.out}")


if __name__ == "__main__":
    main()
