"""Vertices and web pages."""

from __future__ import annotations

from ._cost import Cost, integers, itemsize


def vertices(count: int, *, frames: int = 1, matrices: int = 1, dtype: object = "float32") -> Cost:
    """Cost of 4 x 4 matrices times each of many vertices with four coordinates.

    Parameters
    ----------
    count : int
        Vertices.
    frames : int, default 1
        How often; with 60 frames the rates are those of a second.
    matrices : int, default 1
        Applied to a vertex one after another, before it is written.
    dtype : dtype, default "float32"

    Returns
    -------
    Cost
        28 operations for each matrix and vertex: 16 multiplications and 12 additions, the first product of a
        sum being added to nothing (`matmul`, which counts multiply-adds, would say 32).

    Examples
    --------
    >>> from fastla import flops
    >>> cost = flops.vertices(1_000_000, frames=60)
    >>> cost.flops, cost.bytes // 60
    (1680000000, 32000064)
    """
    count, frames, matrices = integers("vertices", count=count, frames=frames, matrices=matrices)
    size = itemsize(dtype)
    return frames * Cost(
        28 * count * matrices, size * (4 * count + 16 * matrices), size * 4 * count, products=matrices
    )


def index_bits(count: int) -> int:
    """Bits of an index of `count` things.

    Parameters
    ----------
    count : int

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> from fastla import flops
    >>> flops.index_bits(256), flops.index_bits(257)
    (8, 9)
    """
    (count,) = integers("index_bits", count=count)
    return max(1, (count - 1).bit_length())


def pagerank(pages: int, links: int, *, dtype: object = "float64") -> Cost:
    """Cost of an iteration of PageRank over the links of a web, which no matrix of pages x pages could hold.

    Parameters
    ----------
    pages, links : int
    dtype : dtype, default "float64"
        Of the ranks.

    Returns
    -------
    Cost
        An operation for each link, which adds a rank; three for each page, whose rank is divided among its
        links and whose sum is damped and gets the jump added. Read are the pages that link, packed in as few
        bits as they need, where those of each page begin, the reciprocals of the numbers of links, and the
        ranks, once: those that are fetched again because a cache lost them come on top.

    Examples
    --------
    >>> from fastla import flops
    >>> step = flops.pagerank(1_000_000, 20_000_000)
    >>> step.flops, step.bytes_read, round(step.intensity, 2)
    (23000000, 69125004, 0.3)
    """
    pages, links = integers("pagerank", pages=pages, links=links)
    packed = links * index_bits(pages) + (pages + 1) * index_bits(links + 1)
    ranks = itemsize(dtype) * pages
    return Cost(links + 3 * pages, -(-packed // 8) + 2 * ranks, ranks, products=1)
