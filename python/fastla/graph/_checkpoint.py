"""What a killed call goes on from: a file of its state, replaced at once, that knows whose state it is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import contract_version
from ._arrays import CompressedGraph

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_CALL = "call"
_CHECKED = 1 << 24  # bytes at a time, so that an interrupt is heard


class Checkpoint:
    """A file of arrays, written now and then; `call` says of what, in words that a message can quote."""

    def __init__(self, path: str | os.PathLike[str], seconds: float, call: dict[str, Any]) -> None:
        self.path, self._seconds, self._call = os.fspath(path), seconds, call
        self._written = time.monotonic()

    def load(self) -> dict[str, NDArray[Any]] | None:
        """What was written last by a call with the same arguments; None where there is no file."""
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            call = json.loads(arrays.pop(_CALL).tobytes())
        except FileNotFoundError:
            return None
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(
                f"pagerank: checkpoint {self.path} is no checkpoint or corrupt: {error}"
            ) from None
        wanted = json.loads(json.dumps(self._call))
        other = [name for name in wanted if call.get(name) != wanted[name]]
        if other:
            raise ValueError(
                f"pagerank: checkpoint {self.path} is of another call: {other[0]} is "
                f"{call.get(other[0])} there and {wanted[other[0]]} here; remove it to begin anew"
            )
        return arrays

    def offer(self, state: Callable[[], dict[str, NDArray[Any]]]) -> None:
        """Write the state if it is time to."""
        if time.monotonic() - self._written < self._seconds:
            return
        call = np.frombuffer(json.dumps(self._call).encode(), np.uint8)
        beside = self.path + ".part"
        with open(beside, "wb") as file:
            np.savez(file, **{_CALL: call}, **state())  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self.path)
        self._written = time.monotonic()

    def remove(self) -> None:
        for path in (self.path, self.path + ".part"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def call_of(graph: CompressedGraph, **arguments: Any) -> dict[str, Any]:
    """Everything that bits depend on; of arrays their hash."""
    named = {
        name: _hash(value) if isinstance(value, np.ndarray) else value
        for name, value in arguments.items()
    }
    return {"contract": contract_version, "graph": _named(graph), **named}


def _named(graph: CompressedGraph) -> str:
    """A graph in memory and its file have the same name."""
    arrays = {"indptr": graph.indptr, "indices": graph.indices, "weight": graph.weight}
    known = graph._checks or {k: _crc(x) for k, x in arrays.items() if x is not None}
    checks = "-".join(f"{known[name]:08x}" for name in arrays if name in known)
    return f"{graph!r} with checksums {checks}"


def _crc(x: NDArray[Any]) -> int:
    data, check = memoryview(np.ascontiguousarray(x).data).cast("B") if x.size else b"", 0
    for first in range(0, len(data), _CHECKED):
        check = zlib.crc32(data[first : first + _CHECKED], check)
    return check


def _hash(x: NDArray[Any]) -> str:
    return f"{x.shape} {hashlib.sha256(np.ascontiguousarray(x).data).hexdigest()[:16]}"
