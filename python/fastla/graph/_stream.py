"""Edges a piece of nodes at a time: in memory all at once, of a file while the next ones are read."""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of a piece, unless one node has more. Two of them, with weights, are 48 MiB at most, and reading is at its
# full speed from 1 MiB on.
PIECE_EDGES = 1 << 21


class Piece(NamedTuple):
    """Nodes from `first` to `end` and the edges to them: those of node first + i lie from indptr[i] to
    indptr[i + 1]. What a file's arrays hold is gone when the next piece is taken."""

    first: int
    end: int
    indptr: NDArray[Any]
    indices: NDArray[Any]
    weight: NDArray[Any] | None


class EdgeFile:
    """Arrays in a file, as places in it: nothing of them is kept in memory."""

    def __init__(self, handle: int, places: dict[str, tuple[np.dtype[Any], int]]) -> None:
        self._handle = os.dup(handle)
        self._places = places
        weakref.finalize(self, os.close, self._handle)

    def read(self, name: str, first: int, into: NDArray[Any]) -> None:
        """Entries from number `first` on."""
        dtype, offset = self._places[name]
        read_at(self._handle, offset + first * dtype.itemsize, into)

    def array(self, name: str, first: int, end: int) -> NDArray[Any]:
        """Entries as a new array."""
        made = np.empty(end - first, self._places[name][0])
        self.read(name, first, made)
        return made

    def pieces(self, indptr: NDArray[Any], weighted: bool) -> Iterator[Piece]:
        """All edges in order, read by another thread meanwhile."""
        cuts = cut(indptr, PIECE_EDGES)
        edges = [int(indptr[node]) for node in cuts]
        room = max((b - a for a, b in itertools.pairwise(edges)), default=0)
        names = [name for name in ("indices", "weight") if weighted or name == "indices"]
        spaces = [{name: np.empty(room, self._places[name][0]) for name in names} for _ in range(2)]

        def fill(i: int) -> list[NDArray[Any]]:
            parts = [spaces[i % 2][name][: edges[i + 1] - edges[i]] for name in names]
            for name, part in zip(names, parts, strict=True):
                self.read(name, edges[i], part)
            return parts

        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(fill, 0) if len(cuts) > 1 else None
            for i in range(len(cuts) - 1):
                assert coming is not None
                parts = coming.result()
                if i + 2 < len(cuts):
                    coming = reader.submit(fill, i + 1)
                starts = indptr[cuts[i] : cuts[i + 1] + 1] - indptr[cuts[i]]
                yield Piece(cuts[i], cuts[i + 1], starts, parts[0], parts[1] if weighted else None)


def cut(indptr: NDArray[Any], most: int) -> list[int]:
    """Where to cut the nodes, so that a piece has at most so many edges or one node: [0, ..., n]."""
    n, cuts, edges = len(indptr) - 1, [0], int(indptr[-1])
    while cuts[-1] < n:
        here = cuts[-1]
        wanted = indptr.dtype.type(
            min(int(indptr[here]) + most, edges)
        )  # of its dtype, or all is converted
        end = int(np.searchsorted(indptr, wanted, "right")) - 1
        cuts.append(min(max(end, here + 1), n))
    return cuts


def read_at(handle: int, offset: int, into: NDArray[Any]) -> None:
    """Fill an array with a file's bytes."""
    left = memoryview(into.data).cast("B") if into.size else memoryview(b"")
    while len(left):
        got = os.preadv(handle, [left], offset)
        if got == 0:
            raise ValueError(f"a graph's file was cut off while in use: it ends at byte {offset}")
        left, offset = left[got:], offset + got
