"""Graphs on disk: a header, then arrays as they are in memory, so that a file is opened by mapping it.

    magic, version, flags, n, m            8 + 4 + 4 + 8 + 8 bytes
    of each array: dtype, CRC-32, offset, bytes    8 + 4 (+ 4) + 8 + 8
    CRC-32 of all that                     4

All little-endian; arrays begin at multiples of 64 bytes. Names are one text in UTF-8 and where each ends.
"""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import struct
import sys
import tempfile
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._stream import EdgeFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC = b"FASTLAG\n"
VERSION = 1
_HEAD = struct.Struct("<8sIIQQ")
_ARRAY = struct.Struct("<8sIIQQ")
_NAMES = ("indptr", "indices", "weight", "id_ends", "id_text")
_SUM = struct.Struct("<I")
_HEADER_BYTES = _HEAD.size + len(_NAMES) * _ARRAY.size + _SUM.size
_DIRECTED = 1
_ALIGN = 64
_BLOCK = 1 << 24


class Stored(NamedTuple):
    """What a file holds; arrays are mapped, not read. `checks`: their CRC-32."""

    directed: bool
    arrays: dict[str, NDArray[Any]]
    checks: dict[str, int]
    file: EdgeFile


class GraphFile:
    """A file beside `path`, written an array after the other, which gets that name in the end: there is all
    of it or nothing."""

    def __init__(self, function: str, path: str | os.PathLike[str], directed: bool) -> None:
        _require_little_endian(function)
        self.path, self._directed = os.fspath(path), directed
        self._entries: dict[str, bytes] = {}
        self._lengths: dict[str, int] = {}
        handle, self._temporary = tempfile.mkstemp(
            prefix=os.path.basename(self.path) + ".", dir=os.path.dirname(os.path.abspath(path))
        )
        self._file = os.fdopen(handle, "wb")

    def __enter__(self) -> GraphFile:
        self._file.write(bytes(_HEADER_BYTES))
        return self

    def write(self, name: str, dtype: np.dtype[Any], parts: Iterable[NDArray[Any]]) -> None:
        """An array, part after part."""
        file = self._file
        file.write(bytes(-file.tell() % _ALIGN))
        offset, check = file.tell(), 0
        for part in parts:
            flat = np.ascontiguousarray(part, dtype)
            data = memoryview(flat.data).cast("B") if flat.size else memoryview(b"")
            for first in range(0, len(data), _BLOCK):
                block = data[first : first + _BLOCK]
                check = zlib.crc32(block, check)
                file.write(block)
        length = file.tell() - offset
        self._entries[name] = _ARRAY.pack(dtype.str.encode(), check, 0, offset, length)
        self._lengths[name] = length // dtype.itemsize

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            with self._file:
                if kind is None:
                    self._finish()
            if kind is None:
                os.replace(self._temporary, self.path)
        except BaseException:
            kind = BaseException
            raise
        finally:
            if kind is not None:
                with contextlib.suppress(OSError):
                    os.unlink(self._temporary)

    def _finish(self) -> None:
        n, m = self._lengths["indptr"] - 1, self._lengths["indices"]
        none = _ARRAY.pack(b"", 0, 0, 0, 0)
        header = _HEAD.pack(MAGIC, VERSION, _DIRECTED if self._directed else 0, n, m)
        header += b"".join(self._entries.get(name, none) for name in _NAMES)
        self._file.seek(0)
        self._file.write(header + _SUM.pack(zlib.crc32(header)))
        self._file.flush()
        os.fsync(self._file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(self._temporary, 0o666 & ~umask)


def save(path: str | os.PathLike[str], directed: bool, arrays: dict[str, NDArray[Any]]) -> None:
    """Write a file of arrays."""
    with GraphFile("save", path, directed) as file:
        for name in _NAMES:
            if name in arrays:
                file.write(name, arrays[name].dtype, [arrays[name]])


def load(path: str | os.PathLike[str], verify: bool) -> Stored:
    """Map a file; its header is checked, and its arrays too if `verify`."""
    _require_little_endian("open")
    path = os.fspath(path)
    with open(path, "rb") as file:
        header = file.read(_HEADER_BYTES)
        size = os.fstat(file.fileno()).st_size
        if len(header) < _HEADER_BYTES or not header.startswith(MAGIC):
            raise ValueError(f"open: {path} is no graph that Graph.save has written")
        if zlib.crc32(header[: -_SUM.size]) != _SUM.unpack(header[-_SUM.size :])[0]:
            raise ValueError(f"open: {path} is corrupt: its header's checksum is another")
        _, version, flags, n, m = _HEAD.unpack_from(header)
        if version != VERSION:
            raise ValueError(
                f"open: {path} is of version {version}; this fastla reads version {VERSION}"
            )
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        arrays, checks, places = {}, {}, {}
        for i, name in enumerate(_NAMES):
            entry = _ARRAY.unpack_from(header, _HEAD.size + i * _ARRAY.size)
            array = _mapped(path, name, entry, mapped, size, verify)
            if array is not None:
                arrays[name], checks[name] = array, entry[1]
                places[name] = (array.dtype, entry[3])
        edges = EdgeFile(file.fileno(), places)
    if not {"indptr", "indices"} <= arrays.keys():
        raise ValueError(f"open: {path} is corrupt: it has no edges' arrays")
    lengths = {"indptr": n + 1, "indices": m, "weight": m, "id_ends": n}
    for name, array in arrays.items():
        if len(array) != lengths.get(name, len(array)):
            raise ValueError(
                f"open: {path} is corrupt: {name} is {array.shape} for {n} nodes, {m} edges"
            )
    return Stored(bool(flags & _DIRECTED), arrays, checks, edges)


def _mapped(
    path: str,
    name: str,
    entry: tuple[bytes, int, int, int, int],
    mapped: mmap.mmap,
    size: int,
    verify: bool,
) -> NDArray[Any] | None:
    kind, check, _, offset, length = entry
    if offset == 0:
        return None
    if offset + length > size:
        raise ValueError(
            f"open: {path} is truncated: {name} ends at byte {offset + length}, the file at {size}"
        )
    if verify and zlib.crc32(memoryview(mapped)[offset : offset + length]) != check:
        raise ValueError(f"open: {path} is corrupt: the checksum of {name} is another")
    dtype = np.dtype(kind.rstrip(b"\0").decode())
    return np.frombuffer(mapped, dtype, length // dtype.itemsize, offset)


def pack_names(ids: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Names as one text and where each ends; integers stay as they are."""
    names = ids.tolist()
    if names and all(type(name) is int for name in names):
        return {"id_ends": np.array(names, np.int64)}
    wrong = next((name for name in names if not isinstance(name, str)), None)
    if wrong is not None:
        raise TypeError(
            f"save: ids has {wrong!r}; names are saved if all are texts or all integers"
        )
    parts = [name.encode() for name in names]
    ends = np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)))
    return {"id_ends": ends, "id_text": np.frombuffer(b"".join(parts), np.uint8)}


def unpack_names(arrays: dict[str, NDArray[Any]]) -> NDArray[Any] | None:
    """What `pack_names` was given."""
    if "id_ends" not in arrays:
        return None
    ends = arrays["id_ends"]
    names = np.empty(len(ends), object)
    if "id_text" not in arrays:
        names[:] = ends.tolist()
        return names
    text, places = arrays["id_text"].tobytes(), [0, *ends.tolist()]
    names[:] = [text[a:b].decode() for a, b in itertools.pairwise(places)]
    return names


def _require_little_endian(function: str) -> None:
    if sys.byteorder != "little":
        raise NotImplementedError(
            f"{function}: files of graphs are little-endian, this machine is not"
        )
