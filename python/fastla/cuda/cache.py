"""What is kept between processes: machine code of kernels, and which plans were the fastest.

In FASTLA_CACHE_DIR, else the user's cache folder (XDG_CACHE_HOME). Files are replaced as a whole; one that is
damaged is as good as none.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

_TOOLS = ("numba-cuda", "llvmlite", "nvidia-nvvm", "nvidia-nvjitlink", "cuda-bindings")
_DIGEST = hashlib.sha256().digest_size


def folder() -> Path:
    given = os.environ.get("FASTLA_CACHE_DIR")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastla"


def _write(path: Path, data: bytes) -> None:
    """Another process sees what was there before, or all of it. Where nothing can be written, nothing is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)


@functools.cache
def _toolchain() -> bytes:
    """Of the kernels' sources and of what compiles them."""
    seen = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        seen.update(source.name.encode() + source.read_bytes())
    for tool in _TOOLS:
        try:
            seen.update(f"{tool} {importlib.metadata.version(tool)};".encode())
        except importlib.metadata.PackageNotFoundError:
            seen.update(f"{tool} of {os.environ.get('CUDA_HOME')};".encode())
    return seen.digest()


def cubin(name: str, compute_capability: tuple[int, int], make: Callable[[], bytes]) -> bytes:
    """The machine code of the kernel of that name: from the folder, or made and put there."""
    major, minor = compute_capability
    key = hashlib.sha256(_toolchain() + f"{name} {major}.{minor}".encode()).hexdigest()
    path = folder() / f"{name.replace(' ', '-')}-sm{major}{minor}-{key[:24]}.cubin"
    try:
        kept = path.read_bytes()
    except OSError:
        kept = b""
    digest, code = kept[:_DIGEST], kept[_DIGEST:]
    if not code or hashlib.sha256(code).digest() != digest:
        code = make()
        _write(path, hashlib.sha256(code).digest() + code)
    return code


def _tuned_file() -> Path:
    return folder() / "tuned.json"


@functools.cache
def _read_tuned(path: Path) -> dict[str, dict[str, str]]:
    try:
        table = json.loads(path.read_text())
        if all(isinstance(name, str) for plans in table.values() for name in plans.values()):
            return dict(table)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError):
        pass
    warnings.warn(f"{path} is damaged and is not used: no plan is tuned", RuntimeWarning, stacklevel=3)
    return {}


def tuned(device: str, problem: str) -> str | None:
    """The name of the plan that was the fastest on devices of that name."""
    return _read_tuned(_tuned_file()).get(device, {}).get(problem)


def keep_tuned(device: str, plans: dict[str, str]) -> None:
    """Adds plans' names by the problems' keys to the table, which is read anew."""
    _read_tuned.cache_clear()
    table = dict(_read_tuned(_tuned_file()))
    table[device] = {**table.get(device, {}), **plans}
    _write(_tuned_file(), json.dumps(table, indent=1, sort_keys=True).encode())
    _read_tuned.cache_clear()
