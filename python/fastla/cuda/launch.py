"""Launches kernels: the driver, and what tests put in its place.

A backend (the driver, or a stand-in) knows devices and launches kernels, which streams put in order: nothing
here waits for a result.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
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


@dataclass(frozen=True, eq=False)
class Arguments:
    """Of a kernel: made of addresses, whose places in `template` are in `places`, one after the other.

    `maps` makes tensor maps of the first two, A's and B's; they are the first arguments.
    """

    template: tuple[int, ...]
    places: tuple[tuple[int, ...], ...]
    maps: Callable[[int, int], tuple[Any, ...]] | None = None

    def __call__(self, *addresses: int) -> tuple[Any, ...]:
        made: list[Any] = list(self.template)
        for places, address in zip(self.places, addresses, strict=True):
            for place in places:
                made[place] = address
        if self.maps is not None:
            made[:2] = self.maps(*addresses[:2])
        return tuple(made)


Grid = tuple[int, int, int]
Launch = Callable[..., None]


class Backend(Protocol):
    def __hash__(self) -> int: ...
    def device(self, number: int) -> Device: ...
    def device_of(self, address: int) -> int: ...
    def prepared(
        self, variant: Variant, grid: Grid, arguments: Callable[..., tuple[Any, ...]], device: int
    ) -> Launch:
        """What launches the kernel: a function of a stream and of the addresses that `arguments` takes."""


class _Block:
    """Room for a kernel's arguments, which one call uses at a time, and the addresses of all of them. Of A's
    and B's addresses `shown` has those that are in tensor maps, if the kernel takes such."""

    def __init__(self, arguments: Arguments, maps: tuple[int, ...], addresses: Sequence[int]) -> None:
        count = len(arguments.template)
        self.values = (ctypes.c_int64 * count)(*arguments.template)
        begin = ctypes.addressof(self.values)
        self._pointers = (ctypes.c_uint64 * count)(*range(begin, begin + 8 * count, 8))
        self.pointers = ctypes.addressof(self._pointers)
        self.shown = list(addresses[: len(maps)])
        self.map_addresses: list[int] = []
        self._room = (ctypes.c_uint8 * (_MAP_BYTES * len(maps) + _MAP_ALIGNMENT))()
        at = -(-ctypes.addressof(self._room) // _MAP_ALIGNMENT) * _MAP_ALIGNMENT
        for place, made in zip(maps, arguments.maps(*self.shown) if arguments.maps else (), strict=True):
            ctypes.memmove(at, made.encoded(), _MAP_BYTES)
            self._pointers[place] = at
            self.map_addresses.append(at)
            at += _MAP_BYTES


class Driver:
    """CUDA's, in each device's primary context, which other libraries use too."""

    def __init__(self) -> None:
        self._driver = importlib.import_module("cuda.bindings.driver")
        self._contexts: dict[int, Any] = {}
        self._devices: dict[int, Device] = {}
        self._kernels: dict[tuple[int, str], tuple[Any, Any]] = {}
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

    def prepared(
        self, variant: Variant, grid: Grid, arguments: Callable[..., tuple[Any, ...]], device: int
    ) -> Launch:
        """Loads the kernel. A call changes addresses in a block that it has to itself, and launches."""
        assert isinstance(arguments, Arguments)
        function, context = self._loaded(variant, device)
        stores = [(p, i) for i, places in enumerate(arguments.places) for p in places]
        size = (*grid, variant.threads, 1, 1, variant.shared_bytes)
        start = functools.partial(self._driver.cuLaunchKernel, function, *size)
        current = self._driver.cuCtxGetCurrent
        blocks: list[_Block] = []

        def launch(stream: int, *addresses: int) -> None:
            try:
                block = blocks.pop()
            except IndexError:
                block = _Block(arguments, variant.maps, addresses)
            values = block.values
            for place, i in stores:
                values[place] = addresses[i]
            for i, shown in enumerate(block.shown):
                if addresses[i] != shown:
                    self._show(block, i, addresses[i])
            if current()[1] == context:
                (status,) = start(stream, block.pointers, 0)
            else:
                with self._pushed(context):
                    (status,) = start(stream, block.pointers, 0)
            if status != 0:
                name = getattr(status, "name", status)
                raise RuntimeError(f"cuLaunchKernel: {name} ({variant.name}, {grid})")
            blocks.append(block)

        return launch

    def _show(self, block: _Block, i: int, address: int) -> None:
        """Another address in a tensor map that is there: a new map takes 30 us."""
        tensor_map = self._driver.CUtensorMap(_ptr=block.map_addresses[i])
        self._call("cuTensorMapReplaceAddress", tensor_map, address)
        block.shown[i] = address

    @contextlib.contextmanager
    def _pushed(self, context: Any) -> Iterator[None]:
        self._call("cuCtxPushCurrent", context)
        try:
            yield
        finally:
            self._call("cuCtxPopCurrent")

    def _loaded(self, variant: Variant, device: int) -> tuple[Any, Any]:
        """The kernel on a device, and the context that it is in."""
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
                self._kernels[key] = function, context
            return self._kernels[key]


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
