"""Files of graphs that no memory holds: edges sorted in portions, then joined a range of nodes at a time."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from .._progress import show
from ._edges import (
    DUPLICATES,
    MOST_NODES,
    Compressed,
    duplicates_given,
    edge_arrays,
    nodes_given,
    require_finite_sums,
    weight_array,
)
from ._graph import Graph
from ._store import GraphFile
from ._stream import EdgeFile, cut

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of an edge while it is sorted: both ends, given and joined, the record and its copy, the result.
_EDGE_BYTES, _WEIGHT_BYTES = 48, 48
_LEAST_EDGES = 1 << 12
_NARROW = 2**31 - 1


def build_file(
    path: str | os.PathLike[str],
    chunks: Iterable[tuple[Any, ...]],
    *,
    n: int | None = None,
    directed: bool = True,
    duplicates: str | None = None,
    memory: int = 1 << 30,
    num_threads: int | None = None,
    progress: bool = False,
) -> Graph:
    """A graph's file of edges that come in chunks and need not fit in memory.

    Parameters
    ----------
    path : str or path-like
        The file; it appears when all is done, with what `Graph.from_edges` and `Graph.save` would have
        written.
    chunks : iterable of tuple
        (source, target) or (source, target, weight), arrays of nodes' numbers and weights as in
        `Graph.from_edges`; of any lengths. They are taken once, one after the other.
    n : int, optional
        How many nodes there are; as many as the largest number asks for unless given.
    directed : bool
        Whether an edge has a direction; otherwise each is put in both ways.
    duplicates : str, optional
        As in `Graph.from_edges`.
    memory : int
        Bytes that edges may take while they are sorted. There are some arrays of n numbers, too, and the
        edges of the busiest node are sorted at once.
    num_threads : int, optional
        How many threads to use; the file does not depend on it.
    progress : bool
        Whether it is shown on stderr how far the work is.

    Returns
    -------
    Graph
        As `Graph.open` has it.

    Raises
    ------
    ValueError
        If a chunk is not as the others or has an edge that is none, which the message quotes; or where
        `duplicates` is "error" and there is one.
    TypeError
        If nodes are no numbers.

    Notes
    -----
    Portions of the edges are sorted and kept in a file without a name beside `path`, which is gone with the
    process however that ends; then all edges to a range of nodes are taken from each portion and sorted
    again. Edges are written twice and read once: 4 bytes an edge and 4 a node for each portion, and weights.

    Examples
    --------
    >>> import os, tempfile
    >>> from fastla.graph import build_file
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "large.graph")
    >>> build_file(path, [([0, 1], [1, 2]), ([2, 0], [0, 1])])
    Graph(directed, 3 nodes, 3 edges)
    >>> folder.cleanup()
    """
    nodes_given("build_file", n)
    folder = os.path.dirname(os.path.abspath(path))
    with (
        tempfile.TemporaryFile(dir=folder) as file,
        GraphFile("build_file", path, directed) as result,
    ):
        portions = _Portions(file, n, not directed, num_threads)
        room = _LEAST_EDGES
        for portion in _portions(chunks, n, memory):
            portions.add(*portion)
            room = max(room, len(portion[0]) << (not directed))
            if progress:
                show(
                    f"build_file: {len(portions.kept)} portions, {portions.into.sum()} edges sorted"
                )
        kind = duplicates_given("build_file", duplicates, portions.weighted)
        _put_together(result, portions, kind, room, folder, progress)
    return Graph.open(path)


def _portions(
    chunks: Iterable[tuple[Any, ...]], n: int | None, memory: int
) -> Iterator[list[NDArray[Any]]]:
    """The same edges in arrays as large as memory allows."""
    waiting: list[list[NDArray[Any]]] = []
    count = 0
    for number, chunk in enumerate(chunks):
        arrays = _checked(f"build_file, chunk {number}", chunk, n)
        if waiting and [x.dtype for x in arrays[2:]] != [x.dtype for x in waiting[0][2:]]:
            raise ValueError(
                f"build_file, chunk {number}: weights are of {[str(x.dtype) for x in arrays[2:]]}, before it "
                f"of {[str(x.dtype) for x in waiting[0][2:]]}"
            )
        most = max(memory // (_EDGE_BYTES + _WEIGHT_BYTES * (len(arrays) - 2)), _LEAST_EDGES)
        done = 0
        while done < len(arrays[0]):
            taken = [
                x[done : done + most - count].copy() for x in arrays
            ]  # the caller may use it again
            waiting.append(taken)
            done, count = done + len(taken[0]), count + len(taken[0])
            if count == most:
                yield [np.concatenate(parts) for parts in zip(*waiting, strict=True)]
                waiting, count = [[x[:0] for x in taken]], 0
        if not waiting:
            waiting.append([x[:0] for x in arrays])
    if count:
        yield [np.concatenate(parts) for parts in zip(*waiting, strict=True)]


def _checked(function: str, chunk: tuple[Any, ...], n: int | None) -> list[NDArray[Any]]:
    if not isinstance(chunk, tuple | list) or len(chunk) not in (2, 3):
        raise ValueError(f"{function}: it must be (source, target) or (source, target, weight)")
    source, target, ids = edge_arrays(function, chunk[0], chunk[1])
    if ids is not None:
        raise TypeError(f"{function}: source and target are names; they must be numbers")
    count = MOST_NODES if n is None else n
    arrays = [source, target]
    wrong = {"source": (source < 0) | (source >= count), "target": (target < 0) | (target >= count)}
    weight = weight_array(function, chunk[2] if len(chunk) == 3 else None, len(source))
    if weight is not None:
        arrays.append(weight)
        wrong["weight"] = ~((weight >= 0) & (weight < np.inf))
    for (name, places), x in zip(wrong.items(), arrays, strict=True):
        if places.any():
            place = int(np.argmax(places))
            must = "weights must be finite and not negative"
            if name != "weight":
                must = f"for {count} nodes it must be from 0 to {count - 1}"
            raise ValueError(
                f"{function}: {name} of shape {x.shape}, dtype {x.dtype} has {x[place]} at {place}; {must}"
            )
    return arrays


class _Portion(NamedTuple):
    """Edges by their targets in the portions' file, as far as its nodes go."""

    nodes: int
    arrays: EdgeFile


class _Portions:
    """Sorted edges on disk; `into`: how many come in to each node, in all portions."""

    def __init__(self, file: Any, n: int | None, both_ways: bool, num_threads: int | None) -> None:
        self._file, self._n, self._both_ways = file, n, both_ways
        self.num_threads = num_threads
        self.into = np.zeros(n or 0, np.int64)
        self.kept: list[_Portion] = []
        self.weights: np.dtype[Any] | None = None

    @property
    def weighted(self) -> bool:
        return self.weights is not None

    def add(
        self, source: NDArray[Any], target: NDArray[Any], weight: NDArray[Any] | None = None
    ) -> None:
        nodes = 1 + int(max(source.max(), target.max())) if self._n is None else self._n
        made = _core.graph_build("build_file", source, target, weight, nodes, DUPLICATES["keep"],
                                 self._both_ways, self.num_threads)  # fmt: skip
        if nodes > len(self.into):
            self.into = np.concatenate([self.into, np.zeros(nodes - len(self.into), np.int64)])
        self.into[:nodes] += np.diff(made[0])
        places = {}
        for name, array in zip(("indptr", "indices", "weight"), made, strict=True):
            if array is not None:
                places[name] = (array.dtype, self._file.tell())
                self._file.write(memoryview(array.data).cast("B") if array.size else b"")
        self._file.flush()
        self.weights = None if weight is None else weight.dtype
        self.kept.append(_Portion(nodes, EdgeFile(self._file.fileno(), places)))

    def edges_to(
        self, first: int, end: int
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
        """Source, target and any weight of all edges to these nodes, a portion after the other."""
        parts = []
        for nodes, arrays in self.kept:
            stop = min(end, nodes)
            if first >= stop:
                continue
            starts = arrays.array("indptr", first, stop + 1)
            edges = int(starts[0]), int(starts[-1])
            source = arrays.array("indices", *edges)
            target = np.repeat(np.arange(first, stop, dtype=source.dtype), np.diff(starts))
            part = [source, target]
            if self.weighted:
                part.append(arrays.array("weight", *edges))
            parts.append(part)
        source, target, *weight = (np.concatenate(x) for x in zip(*parts, strict=True))
        return source, target, weight[0] if weight else None


def _put_together(
    result: GraphFile, portions: _Portions, duplicates: str, room: int, folder: str, progress: bool
) -> None:
    """Range by range; weights wait in a file of their own until all indices are written."""
    n, given = len(portions.into), int(portions.into.sum())
    index = np.dtype(np.int32 if max(n, given) <= _NARROW else np.int64)
    weights = portions.weights or np.dtype(np.float64)
    counts = np.zeros(n + 1, np.int64)
    cuts = cut(np.concatenate([[0], np.cumsum(portions.into)]), room)
    with tempfile.TemporaryFile(dir=folder) as waiting:

        def indices() -> Iterator[NDArray[Any]]:
            for first, end in itertools.pairwise(cuts):
                if not portions.into[first:end].any():
                    continue
                made = Compressed(
                    *_core.graph_build(
                        "build_file",
                        *portions.edges_to(first, end),
                        n,
                        DUPLICATES[duplicates],
                        False,
                        portions.num_threads,
                    )
                )
                require_finite_sums("build_file", made)
                counts[first + 1 : end + 1] = np.diff(made.indptr[first : end + 1])
                if portions.weighted or duplicates == "sum":
                    kept = np.ones(len(made.indices)) if made.weight is None else made.weight
                    waiting.write(memoryview(kept.data).cast("B"))
                if progress:
                    show(f"build_file: {end} of {n} nodes written")
                yield made.indices

        result.write("indices", index, indices())
        np.cumsum(counts, out=counts)
        result.write("indptr", index, [counts])
        if portions.weighted or (duplicates == "sum" and counts[-1] < given):
            waiting.seek(0)
            blocks = iter(lambda: waiting.read(1 << 20), b"")
            result.write("weight", weights, (np.frombuffer(block, weights) for block in blocks))
