"""Lines of edges whose ends are names."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, Any

import numpy as np

from ._lines import LineFile
from ._parse import Edges, Format, wrong_line

if TYPE_CHECKING:
    from numpy.typing import NDArray


def parse_named(file: LineFile, form: Format) -> tuple[Edges, NDArray[Any]]:
    """Edges, and the names in the order of their first appearance."""
    known: dict[bytes, int] = {}
    number_of = known.setdefault
    source, target, weights = array("q"), array("q"), array("d")
    comment = form.comment.encode()
    delimiter = form.delimiter.encode() or None
    column, lines = form.weight_column, 0
    for piece in file.pieces():
        begin = 0
        for line in bytes(piece.buffer[: piece.length]).split(b"\n")[:-1]:
            lines += 1
            text = line.strip()
            if text and not (comment and text.startswith(comment)):
                words = _words(text, delimiter)
                if len(words) < 2 or not words[0] or not words[1]:
                    raise wrong_line(file, lines, piece, begin, "a line must begin with two names")
                if column >= 0:
                    try:
                        weights.append(_weight(words[column]))
                    except (IndexError, ValueError):
                        must = f"there must be a weight in column {column}, finite and not negative"
                        raise wrong_line(file, lines, piece, begin, must) from None
                source.append(number_of(words[0], len(known)))
                target.append(number_of(words[1], len(known)))
            begin += len(line) + 1
        file.report(len(source))
    names = np.empty(len(known), object)
    names[:] = [name.decode() for name in known]
    ends = (
        np.frombuffer(x, np.int64) if len(x) else np.zeros(0, np.int64) for x in (source, target)
    )
    a, b = ends
    return Edges(a, b, np.array(weights, np.float64) if column >= 0 else None), names


def _words(text: bytes, delimiter: bytes | None) -> list[bytes]:
    """By the delimiter, or by blanks and one comma among them."""
    if delimiter is not None:
        return [word.strip() for word in text.split(delimiter)]
    if b"," not in text:
        return text.split()
    return [word for part in text.split(b",") for word in part.split() or [b""]]


def _weight(text: bytes) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise ValueError
    return value
