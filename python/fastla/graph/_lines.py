"""Files of lines, plain or compressed, a piece of whole lines at a time."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import numpy as np

from .._progress import show

PIECE = 1 << 24
_BEYOND = 64  # bytes that the core may read after a piece


class Piece(NamedTuple):
    """Whole lines: the first `length` bytes of a buffer that is used again for the next piece."""

    buffer: bytearray
    length: int


class LineFile:
    """A file, its name for messages, and how far it is read."""

    def __init__(self, function: str, path: str | os.PathLike[str], progress: bool = False) -> None:
        self.function = function
        self.path = os.fspath(path)
        self.bytes = os.path.getsize(self.path)
        self._raw: IO[bytes] = open(self.path, "rb")  # closed by __exit__
        packed = self._raw.read(2) == b"\x1f\x8b"
        self._raw.seek(0)
        self._file: Any = gzip.GzipFile(fileobj=self._raw) if packed else self._raw
        self.packed = packed
        self._progress = progress

    def __enter__(self) -> LineFile:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self._raw.close()

    def line(self) -> bytes:
        """The next line, before any pieces are taken; empty at the end."""
        return bytes(self._guarded(self._file.readline, PIECE))

    def pieces(self) -> Iterator[Piece]:
        """What is left, cut after newlines; the last line gets one if it has none."""
        room = PIECE if self.packed else min(PIECE, self.bytes + 1)
        buffer = bytearray(room + _BEYOND)
        kept = 0
        while True:
            end = kept
            while end < room:
                got = self._guarded(self._file.readinto, memoryview(buffer)[end:room])
                if not got:
                    break
                end += got
            if end == 0:
                return
            if end < room:
                if buffer[end - 1] != 10:
                    buffer[end] = 10
                    end += 1
                yield Piece(buffer, end)
                return
            cut = buffer.rfind(b"\n", 0, end) + 1
            if cut == 0:
                raise ValueError(
                    f"{self.function}: {self.path} has a line of more than {room} bytes; it holds no edges"
                )
            yield Piece(buffer, cut)
            kept = end - cut
            buffer[:kept] = buffer[cut:end]

    def share(self) -> float:
        """How much of the file has been read."""
        return self._raw.tell() / max(self.bytes, 1)

    def report(self, edges: int) -> None:
        """Say it, if that is wanted."""
        if self._progress:
            show(f"{self.function}: {self.share():4.0%} of {self.path}, {edges} edges")

    def _guarded(self, read: Any, what: Any) -> Any:
        try:
            return read(what)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(
                f"{self.function}: {self.path} is no whole gzip file: {error}"
            ) from None


def bytes_of(piece: Piece) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The buffer as the core takes it."""
    return np.frombuffer(piece.buffer, np.uint8)
