"""What a product on a GPU costs the CPU: `python -m benchmarks.gpu_call_cost`.

No GPU takes part. PyTorch's tensors are the CPU's and pass for a GPU's, CuPy's arrays have the attributes
that are read, and the driver's functions return at once (those of cuda.bindings add about 1 us). The last
column is what the library takes to make an array, which is part of a call without out=.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

import fastla
from fastla.cuda import arrays, launch

SIZE = 64
ROUNDS, CALLS = 25, 1000
Rows = dict[str, Callable[[], Any]]


def driver() -> Any:
    """In the place of cuda.bindings.driver, with a Hopper GPU."""
    room = ctypes.create_string_buffer(128)
    results = {
        "CtxGetCurrent": 1, "DevicePrimaryCtxRetain": 1, "DeviceGet": 0, "DeviceGetName": b"Hopper",
        "ModuleLoadData": 1, "ModuleEnumerateFunctions": [1], "PointerGetAttribute": 0,
        "TensorMapEncodeTiled": SimpleNamespace(getPtr=lambda: ctypes.addressof(room)),
    }  # fmt: skip
    success, made = Success(), mock.MagicMock()  # enumerations have any names
    for name, result in results.items():
        setattr(made, f"cu{name}", lambda *given, both=(success, result): both)
    for name in ("Init", "FuncSetAttribute", "CtxPushCurrent", "CtxPopCurrent", "LaunchKernel"):
        setattr(made, f"cu{name}", lambda *given: (0,))
    facts = {"COMPUTE_CAPABILITY_MAJOR": 9, "COMPUTE_CAPABILITY_MINOR": 0, "MULTIPROCESSOR_COUNT": 132,
             "L2_CACHE_SIZE": 60 << 20}  # fmt: skip
    for name, value in facts.items():
        setattr(made.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}", value)
    made.cuDeviceGetAttribute = lambda attribute, device: (0, attribute)
    return made


class Success(int):
    value = 0


@contextlib.contextmanager
def no_gpu() -> Iterator[None]:
    """Calls get as far as that driver, with kernels of no code."""
    importlib.import_module("fastla.cuda.products")  # with the driver that there is
    made = driver()
    with (
        mock.patch.dict(sys.modules, {"cuda.bindings.driver": made}),
        mock.patch.object(launch.Variant, "cubin", lambda *given: b""),
    ):
        with launch.used(launch.Driver()):
            yield


def of_torch() -> tuple[Callable[[str, tuple[int, ...]], Any], Callable[[], Any]]:
    """What makes tensors, and what a result takes."""
    torch = importlib.import_module("torch")
    torch.Tensor.is_cuda = True
    library: Any = arrays.library_of(torch.Tensor)
    library.stream = lambda given: 0
    library.empty = lambda shape, dtype, device: torch.empty(shape, dtype=getattr(torch, dtype))
    return (
        lambda dtype, shape: torch.ones(shape, dtype=getattr(torch, dtype)),
        lambda: torch.empty((SIZE, SIZE), dtype=torch.float32),
    )


class Ndarray:
    """Of CuPy, in no memory."""

    __slots__ = ("data", "dtype", "shape", "strides")
    __module__ = "cupy"
    __cuda_array_interface__ = None
    begins = itertools.count(1 << 40, 1 << 20)

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.strides = (shape[1] * self.dtype.itemsize, self.dtype.itemsize)
        self.data = SimpleNamespace(ptr=next(self.begins), device_id=0)


def of_cupy() -> tuple[Callable[[str, tuple[int, ...]], Any], Callable[[], Any]]:
    cupy, stream = ModuleType("cupy"), SimpleNamespace(ptr=0)
    cupy.cuda = SimpleNamespace(  # type: ignore[attr-defined]
        get_current_stream=lambda number: stream, runtime=SimpleNamespace(getDevice=lambda: 0)
    )
    cupy.empty = Ndarray  # type: ignore[attr-defined]
    sys.modules["cupy"] = cupy
    float32 = np.dtype("float32")
    return lambda dtype, shape: Ndarray(shape, dtype), lambda: Ndarray((SIZE, SIZE), float32)


def calls(make: Callable[[str, tuple[int, ...]], Any]) -> Rows:
    square = (SIZE, SIZE)
    a, b, out, residual = (make("float32", square) for _ in range(4))
    half, other = (make("float16", square) for _ in range(2))
    return {
        "matmul": lambda: fastla.matmul(a, b),
        "matmul out=": lambda: fastla.matmul(a, b, out),
        "matmul float16": lambda: fastla.matmul(half, other),
        "linear residual, gelu": lambda: fastla.linear(a, b, residual=residual, activation="gelu"),
    }


def microseconds(call: Callable[[], Any]) -> float:
    def once() -> float:
        begin = time.perf_counter()
        for _ in range(CALLS):
            call()
        return (time.perf_counter() - begin) / CALLS * 1e6

    once()
    return statistics.median(once() for _ in range(ROUNDS))


def main() -> None:
    print(f"{SIZE} x {SIZE} by {SIZE} x {SIZE}; no GPU: the driver is a stand-in. Median us of a call")
    for name, library in (("PyTorch", of_torch), ("CuPy (stand-in)", of_cupy)):
        try:
            make, result = library()
        except ImportError as error:
            print(f"{name}: {error}")
            continue
        with no_gpu():
            array = microseconds(result)
            for row, call in calls(make).items():
                made = 0.0 if "out=" in row else array
                print(f"{name:16} {row:24} {microseconds(call):6.2f}  an array: {made:5.2f}")


if __name__ == "__main__":
    main()
