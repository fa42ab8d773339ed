"""Random graphs whose degrees are as uneven as those of the Web."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from .. import _core

if TYPE_CHECKING:
    from numpy.typing import NDArray


def rmat(
    scale: int,
    edge_factor: int = 16,
    *,
    a: float = 0.57,
    b: float = 0.19,
    c: float = 0.19,
    seed: int = 0,
    permute: bool = True,
    first: int = 0,
    count: int | None = None,
    num_threads: int | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Edges of a recursive-matrix (R-MAT) graph.

    Parameters
    ----------
    scale : int
        There are 2^scale nodes; 0 to 31.
    edge_factor : int
        Edges for each node.
    a, b, c : float
        The probabilities that an edge lies in the adjacency matrix's upper left, upper right and lower left
        quarter, and so on within the quarter; those of Graph500 unless given.
    seed : int
        Another one gives another graph; 0 to 2^64 - 1.
    permute : bool
        Whether nodes are renamed by a bijection that the seed gives, so that those with many edges are not
        neighbours.
    first, count : int
        Only so many edges, from that number on: a graph that no memory holds is made in chunks.
    num_threads : int, optional
        How many threads to use; no edge depends on it.

    Returns
    -------
    source, target : ndarray of int32
        (edge_factor 2^scale,), or (count,), each; loops and duplicates among them.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    Edge number i takes its random bits from SplitMix64's outputs number i ceil(scale / 2) and on: 32 bits
    for each level, so that probabilities are kept to 2^-32.

    References
    ----------
    Chakrabarti, Zhan and Faloutsos, "R-MAT: A recursive model for graph mining", SDM 2004.
    Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.

    Examples
    --------
    >>> from fastla.graph import rmat
    >>> source, target = rmat(10, 8)
    >>> source.shape, int(source.max()) < 1024
    ((8192,), True)
    """
    scale, edge_factor, seed = (operator.index(x) for x in (scale, edge_factor, seed))
    if not 0 <= scale <= 31:
        raise ValueError(f"rmat: scale is {scale}; it must be from 0 to 31")
    if edge_factor < 0:
        raise ValueError(f"rmat: edge_factor is {edge_factor}; it must not be negative")
    if not 0 <= seed < 2**64:
        raise ValueError(f"rmat: seed is {seed}; it must be from 0 to 2^64 - 1")
    if not (min(a, b, c) >= 0 and a + b + c <= 1 + 1e-12):
        raise ValueError(
            f"rmat: a, b, c are {a}, {b}, {c}; they must be probabilities, 1 in all at most"
        )
    edges, first = edge_factor << scale, operator.index(first)
    count = edges - first if count is None else operator.index(count)
    if not (0 <= first <= edges and 0 <= count <= edges - first):
        raise ValueError(f"rmat: first is {first}, count {count}; there are {edges} edges")
    return _core.graph_rmat(scale, first, count, a, b, c, seed, bool(permute), num_threads)
