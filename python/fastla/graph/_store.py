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
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

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
    """What a file holds; arrays are mapped, not read."""

    directed: bool
    arrays: dict[str, NDArray[Any]]


def save(path: str | os.PathLike[str], directed: bool, arrays: dict[str, NDArray[Any]]) -> None:
    """Write a file beside `path`, then give it that name: there is all of it or nothing."""
    _require_little_endian("save")
    path = os.fspath(path)
    folder = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(prefix=os.path.basename(path) + ".", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(bytes(_HEADER_BYTES))
            entries = [_write(file, arrays.get(name)) for name in _NAMES]
            n, m = len(arrays["indptr"]) - 1, len(arrays["indices"])
            header = _HEAD.pack(MAGIC, VERSION, _DIRECTED if directed else 0, n, m) + b"".join(
                entries
            )
            file.seek(0)
            file.write(header + _SUM.pack(zlib.crc32(header)))
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _write(file: Any, array: NDArray[Any] | None) -> bytes:
    """An array at the next aligned place; its line of the header."""
    if array is None:
        return _ARRAY.pack(b"", 0, 0, 0, 0)
    file.write(bytes(-file.tell() % _ALIGN))
    offset, check = file.tell(), 0
    data = memoryview(np.ascontiguousarray(array).data).cast("B") if array.size else memoryview(b"")
    for first in range(0, len(data), _BLOCK):
        block = data[first : first + _BLOCK]
        check = zlib.crc32(block, check)
        file.write(block)
    return _ARRAY.pack(array.dtype.str.encode(), check, 0, offset, len(data))


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
    arrays = {}
    for i, name in enumerate(_NAMES):
        entry = _ARRAY.unpack_from(header, _HEAD.size + i * _ARRAY.size)
        array = _mapped(path, name, entry, mapped, size, verify)
        if array is not None:
            arrays[name] = array
    if not {"indptr", "indices"} <= arrays.keys():
        raise ValueError(f"open: {path} is corrupt: it has no edges' arrays")
    lengths = {"indptr": n + 1, "indices": m, "weight": m, "id_ends": n}
    for name, array in arrays.items():
        if len(array) != lengths.get(name, len(array)):
            raise ValueError(
                f"open: {path} is corrupt: {name} is {array.shape} for {n} nodes, {m} edges"
            )
    return Stored(bool(flags & _DIRECTED), arrays)


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
