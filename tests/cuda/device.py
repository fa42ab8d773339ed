"""A GPU that is not there: arrays in its memory, and a backend that launches kernels in the emulator."""

import contextlib
import ctypes
import functools

import emulator
import numpy as np

import fastla._device
from fastla.cuda import arrays, launch

A100 = launch.Device("emulated", (8, 0), 108, 40 << 20, 163 << 10)
H200 = launch.Device("NVIDIA H200", (9, 0), 132, 60 << 20, 227 << 10)


class Memory(emulator.Machine):
    """Of arrays in the process's memory, at their own addresses: views overlap as they do on a GPU."""

    def add(self, array):
        low, high = np.lib.array_utils.byte_bounds(array)
        if array.size:
            owner = (ctypes.c_uint8 * (high - low)).from_address(low)
            self.arrays.append((low, high, np.frombuffer(owner, np.uint8), array))
        return array.ctypes.data


class Array:
    """What another library's array on a GPU looks like; `host` is what it holds."""

    memory = Memory()

    def __init__(self, host, stream=None):
        self.host, self._stream = host, stream
        self.memory.add(host)

    dtype = property(lambda self: self.host.dtype)
    shape = property(lambda self: self.host.shape)

    @property
    def __cuda_array_interface__(self):
        return {"version": 3, "typestr": self.host.dtype.str, "shape": self.host.shape,
                "strides": self.host.strides, "data": (self.host.ctypes.data, not self.host.flags.writeable),
                "stream": self._stream}


def empty(shape, dtype):
    """Of NaNs or the largest integers, at a multiple of 256 bytes."""
    kind = arrays._numpy_dtype(dtype)
    count = int(np.prod(shape, dtype=object)) * kind.itemsize
    raw = np.full(count + 256, 0xFF, np.uint8)
    begin = -raw.ctypes.data % 256
    return Array(raw[begin:begin + count].view(kind).reshape(shape))


def aligned(x):
    """The same strides, at a multiple of 256 bytes."""
    low, high = np.lib.array_utils.byte_bounds(x)
    room = np.zeros(high - low + 256, np.uint8)
    begin = -room.ctypes.data % 256
    made = np.ndarray(x.shape, x.dtype, room[begin:], 0, x.strides)
    made[...] = x
    return made


arrays.register(Array, empty)


class Emulated:
    """The backend: what was launched, in `launched`."""

    def __init__(self, device=A100):
        self._device, self.launched = device, []

    def device(self, number):
        return self._device

    def device_of(self, address):
        return 0

    def prepared(self, variant, grid, arguments, device):
        return lambda stream, *addresses: self.launch(variant, grid, arguments(*addresses), device, stream)

    def launch(self, variant, grid, arguments, device, stream):
        assert len(arguments) == sum(getattr(kind, "count", 1) for kind in variant.signature), variant
        assert variant.shared_bytes <= self._device.shared_bytes
        self.launched.append((variant.name, grid, arguments, device, stream))
        self.execute(variant, grid, arguments)

    def execute(self, variant, grid, arguments):
        Array.memory.launch(kernel(variant), grid, variant.threads, variant.shared_bytes, arguments,
                            variant.cluster)


@functools.cache
def kernel(variant):
    return variant.make()


@contextlib.contextmanager
def emulated(backend=None):
    """Products of Arrays, within a block, by the emulator."""
    backend = backend or Emulated()
    Array.memory = Memory()
    with launch.used(backend):
        yield backend


def call(name, *args, **kwargs):
    """A function of fastla by its name, of Arrays."""
    return fastla._device.call(name, args, kwargs)
