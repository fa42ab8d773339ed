"""Launches kernels: the driver, and what tests put in its place.

A backend (the driver, or a stand-in) knows devices and launches kernels, which streams put in order: nothing
here waits for a result.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from . import cache, missing

_OLDEST = (8, 0)  # cp.async
_MAP_BYTES, _MAP_ALIGNMENT = 128, 64  # a CUtensorMap


@dataclass(frozen=True)
class Device:
    """What plans depend on."""

    name: str
    compute_capability: tuple[int, int]
    multiprocessors: int
    l2_bytes: int
    shared_bytes: int  # that a block of threads may have


@dataclass(frozen=True)
class Variant:
    """A kernel that can be compiled: its name says which one it is.

    `make` returns the function for Numba, `signature` has its arguments' types. Arguments are 8 bytes, those
    of a tuple one by one; at the places in `maps` there are tensor maps, by value. `cluster`: blocks that
    run together, of which grids are multiples.
    """

    name: str
    make: Callable[[], Callable[..., Any]] = field(compare=False)
    signature: tuple[Any, ...] = field(compare=False)
    threads: int = field(compare=False)
    shared_bytes: int = field(compare=False)
    maps: tuple[int, ...] = field(default=(), compare=False)
    cluster: int = field(default=1, compare=False)

    def cubin(self, compute_capability: tuple[int, int]) -> bytes:
        def compiled() -> bytes:
            from .code import compile_kernel

            made = compile_kernel(
                self.make(), self.signature, compute_capability, self.threads, self.cluster
            )
            return made.cubin

        return cache.cubin(self.name, compute_capability, compiled)


class Backend(Protocol):
    def __hash__(self) -> int: ...
    def device(self, number: int) -> Device: ...
    def device_of(self, address: int) -> int: ...
    def launch(
        self,
        variant: Variant,
        grid: tuple[int, int, int],
        arguments: Sequence[Any],
        device: int,
        stream: int,
    ) -> None: ...


class _Loaded:
    """A kernel in a context, with room for its arguments, which one call uses at a time."""

    def __init__(self, function: Any, context: Any, variant: Variant, count: int) -> None:
        self.function, self.context, self.context_number = function, context, int(context)
        self.lock = threading.Lock()
        self.values = (ctypes.c_int64 * count)()
        begin = ctypes.addressof(self.values)
        self.pointers = (ctypes.c_uint64 * count)(*range(begin, begin + 8 * count, 8))
        self.pointers_address = ctypes.addressof(self.pointers)
        self.maps = []
        for place in variant.maps:
            room = (ctypes.c_uint8 * (_MAP_BYTES + _MAP_ALIGNMENT))()
            self.pointers[place] = -(-ctypes.addressof(room) // _MAP_ALIGNMENT) * _MAP_ALIGNMENT
            self.maps.append((place, room))

    def fill(self, arguments: Sequence[Any]) -> None:
        if self.maps:
            arguments = list(arguments)
            for place, _ in self.maps:
                encoded = (ctypes.c_uint8 * _MAP_BYTES).from_buffer_copy(arguments[place].encoded())
                ctypes.memmove(self.pointers[place], encoded, _MAP_BYTES)
                arguments[place] = 0
        self.values[:] = arguments  # type: ignore[call-overload]


class Driver:
    """CUDA's, in each device's primary context, which other libraries use too."""

    def __init__(self) -> None:
        self._driver = importlib.import_module("cuda.bindings.driver")
        self._contexts: dict[int, Any] = {}
        self._devices: dict[int, Device] = {}
        self._kernels: dict[tuple[int, str], _Loaded] = {}
        self._loading = threading.Lock()
        self._call("cuInit", 0)

    def _call(self, name: str, *arguments: Any) -> Any:
        status, *results = getattr(self._driver, name)(*arguments)
        if int(status) != 0:
            raise RuntimeError(f"{name}: {getattr(status, 'name', status)}")
        return results[0] if len(results) == 1 else results

    def device(self, number: int) -> Device:
        found = self._devices.get(number)
        if found is None:
            handle, attributes = self._call("cuDeviceGet", number), self._driver.CUdevice_attribute
            major, minor, multiprocessors, l2, shared = (
                self._call("cuDeviceGetAttribute", getattr(attributes, f"CU_DEVICE_ATTRIBUTE_{what}"), handle)
                for what in ("COMPUTE_CAPABILITY_MAJOR", "COMPUTE_CAPABILITY_MINOR", "MULTIPROCESSOR_COUNT",
                             "L2_CACHE_SIZE", "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN")
            )
            name = self._call("cuDeviceGetName", 256, handle).rstrip(b"\0").decode()
            if (major, minor) < _OLDEST:
                raise RuntimeError(f"GPU {number} ({name}) has compute capability {major}.{minor}; "
                                   f"{_OLDEST[0]}.{_OLDEST[1]} is the oldest with kernels")
            found = self._devices[number] = Device(
                name, (major, minor), multiprocessors, l2, shared
            )
        return found

    def device_of(self, address: int) -> int:
        what = self._driver.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
        return int(self._call("cuPointerGetAttribute", what, address))

    def launch(
        self,
        variant: Variant,
        grid: tuple[int, int, int],
        arguments: Sequence[Any],
        device: int,
        stream: int,
    ) -> None:
        loaded = self._kernels.get((device, variant.name)) or self._load(variant, device, len(arguments))
        with loaded.lock, self._current(loaded.context, loaded.context_number):
            loaded.fill(arguments)
            (status,) = self._driver.cuLaunchKernel(
                loaded.function, *grid, variant.threads, 1, 1, variant.shared_bytes, stream,
                loaded.pointers_address, 0,
            )
        if int(status) != 0:
            raise RuntimeError(f"cuLaunchKernel: {getattr(status, 'name', status)} ({variant.name}, {grid})")

    def _current(self, context: Any, number: int) -> contextlib.AbstractContextManager[None]:
        if int(self._call("cuCtxGetCurrent")) == number:
            return _NOTHING
        return self._pushed(context)

    @contextlib.contextmanager
    def _pushed(self, context: Any) -> Iterator[None]:
        self._call("cuCtxPushCurrent", context)
        try:
            yield
        finally:
            self._call("cuCtxPopCurrent")

    def _load(self, variant: Variant, device: int, count: int) -> _Loaded:
        with self._loading:
            key = (device, variant.name)
            if key not in self._kernels:
                code = variant.cubin(self.device(device).compute_capability)
                if device not in self._contexts:
                    handle = self._call("cuDeviceGet", device)
                    self._contexts[device] = self._call("cuDevicePrimaryCtxRetain", handle)
                context = self._contexts[device]
                with self._pushed(context):
                    module = self._call("cuModuleLoadData", code)
                    (function,) = self._call("cuModuleEnumerateFunctions", 1, module)
                    limit = self._driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
                    self._call("cuFuncSetAttribute", function, limit, variant.shared_bytes)
                self._kernels[key] = _Loaded(function, context, variant, count)
            return self._kernels[key]


_NOTHING = contextlib.nullcontext()
_backend: Backend | None = None


def backend() -> Backend:
    """That in use: the driver, unless tests have put another one in its place."""
    global _backend
    if _backend is None:
        lacking = missing()
        if lacking:
            raise RuntimeError(f"products on a GPU: {lacking}")
        _backend = Driver()
    return _backend


@contextlib.contextmanager
def used(other: Backend) -> Iterator[None]:
    """Another backend, within a block, for tests."""
    global _backend
    before, _backend = _backend, other
    try:
        yield
    finally:
        _backend = before
