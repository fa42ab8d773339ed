"""Lines of edges to arrays, by the core."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from ._lines import LineFile, Piece, bytes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

# As include/fastla/graph.h numbers what can be wrong with a line.
_FAULTS = {
    1: "a line must begin with two numbers of nodes, as in '12 7'",
    2: "a node's number is out of range",
    3: "there must be a weight in column {weight_column}, finite and not negative",
}
_NEEDS_WIDE_IDS = 4
SHORTEST_LINE = 4


class Format(NamedTuple):
    """How a line is to be read."""

    weight_column: int = -1
    delimiter: str = ""
    comment: str = "#"
    base: int = 0
    nodes: int | None = None


class Edges(NamedTuple):
    """Ends and weights."""

    source: NDArray[Any]
    target: NDArray[Any]
    weight: NDArray[Any] | None


def parse(file: LineFile, form: Format, lines: int, num_threads: int | None) -> Edges:
    """All that is left of a file, of which `lines` lines are read already."""
    known = _Columns(form.weight_column >= 0)
    for piece in file.pieces():
        lines += _parse_piece(file, form, piece, known, lines, num_threads)
        file.report(known.count)
    return known.taken()


def parse_in_chunks(file: LineFile, form: Format, num_threads: int | None) -> Iterator[Edges]:
    """The same, a piece of the file at a time."""
    lines = count = 0
    for piece in file.pieces():
        known = _Columns(form.weight_column >= 0)
        lines += _parse_piece(file, form, piece, known, lines, num_threads)
        count += known.count
        file.report(count)
        yield known.taken()


def _parse_piece(
    file: LineFile, form: Format, piece: Piece, known: _Columns, lines: int, num_threads: int | None
) -> int:
    """Its edges are added to what is known; how many lines it has."""
    known.make_room(piece.length // SHORTEST_LINE + 1, file)
    while True:
        edges, read, fault, before, begin = _core.graph_parse(
            bytes_of(piece),
            piece.length,
            known.source,
            known.target,
            known.weight,
            known.count,
            form.weight_column,
            form.delimiter,
            form.comment,
            form.base,
            2**63 - 1 if form.nodes is None else form.nodes,
            num_threads,
        )
        if fault != _NEEDS_WIDE_IDS:
            break
        known.widen()
    if fault:
        must = _FAULTS[fault].format(weight_column=form.weight_column)
        if fault == 2 and form.nodes is not None:
            must += f": it must be from {form.base} to {form.base + form.nodes - 1}"
        raise wrong_line(file, lines + before + 1, piece, begin, must)
    known.count += edges
    return int(read)


def wrong_line(file: LineFile, number: int, piece: Piece, begin: int, must: str) -> ValueError:
    """The error that quotes a line."""
    end = piece.buffer.index(b"\n", begin)
    text = (
        bytes(piece.buffer[begin : min(end, begin + 100)]).decode("utf-8", "replace").rstrip("\r")
    )
    return ValueError(f"{file.function}: {file.path}, line {number} is {text!r}; {must}")


class _Columns:
    """Arrays that grow while a file is read."""

    def __init__(self, weighted: bool) -> None:
        self.count = 0
        self.source: NDArray[Any] = np.empty(0, np.int32)
        self.target: NDArray[Any] = np.empty(0, np.int32)
        self.weight = np.empty(0, np.float64) if weighted else None

    def make_room(self, more: int, file: LineFile) -> None:
        """For so many more; at once for what the rest of the file will bring, if it is like the first."""
        have = len(self.source)
        if have >= self.count + more:
            return
        share = file.share()
        expected = int(self.count / share * 1.02) if self.count and share > 0 else 0
        wanted = max(self.count + more, expected + more, have + have // 2 if self.count else 0)
        self._replace(wanted, self.source.dtype)

    def widen(self) -> None:
        self._replace(len(self.source), np.dtype(np.int64))

    def _replace(self, length: int, index: np.dtype[Any]) -> None:
        def moved(old: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
            fresh = np.empty(length, dtype)
            fresh[: self.count] = old[: self.count]
            return fresh

        self.source, self.target = moved(self.source, index), moved(self.target, index)
        if self.weight is not None:
            self.weight = moved(self.weight, self.weight.dtype)

    def taken(self) -> Edges:
        weight = None if self.weight is None else self.weight[: self.count]
        return Edges(self.source[: self.count], self.target[: self.count], weight)
