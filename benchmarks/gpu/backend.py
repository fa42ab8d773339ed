"""The device: arrays of PyTorch or CuPy on it, its clock, and who takes part there.

`open_bench` is what a worker calls. Tests put a module with the same function in its place.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.gpu.problems import Call

CLOCK = 2e9  # cycles a second, about
QUEUE_SECONDS = 25e-6  # what a call takes to be enqueued, at most
NAN_BYTES = {1: "int8", 2: "int16", 4: "int32", 8: "int64"}
SPIN = r"""extern "C" __global__ void spin(long long cycles) {
  const long long start = clock64();
  while (clock64() - start < cycles) {}
}"""


class Library:
    """What arrays of a library on the device can do. The rest of the package knows nothing else of them."""

    name = ""
    l2_bytes = 0

    def seconds(self, call: Call, count: int) -> float:
        """Of a call on the device, without what Python takes.

        The device is kept busy until all calls are enqueued, so that they follow each other without gaps.
        """
        start, end = self.events
        self.busy(count * QUEUE_SECONDS)
        start.record()
        for _ in range(count):
            call()
        end.record()
        end.synchronize()
        return self.elapsed(start, end) / 1e3 / count

    def poisoned(self, shape: tuple[int, ...], dtype: str) -> Any:
        out = self.empty(shape, dtype)
        self.poison(out)
        return out


class Torch(Library):
    name = "PyTorch"
    place = "cuda"

    def __init__(self, facts: dict[str, Any]) -> None:
        self.xp = xp = importlib.import_module("torch")
        if not xp.cuda.is_available():
            raise ImportError(f"PyTorch {xp.__version__} finds no GPU")
        self.l2_bytes = facts["l2_bytes"]
        self.events = [xp.cuda.Event(enable_timing=True) for _ in range(2)]

    def dtype(self, name: str) -> Any:
        return getattr(self.xp, name)

    def busy(self, seconds: float) -> None:
        self.xp.cuda._sleep(int(seconds * CLOCK))

    def elapsed(self, start: Any, end: Any) -> float:
        return float(start.elapsed_time(end))

    def synchronize(self) -> None:
        self.xp.cuda.synchronize()

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        return self.xp.empty(shape, dtype=self.dtype(dtype), device=self.place)

    def poison(self, x: Any) -> None:
        x.view(self.dtype(NAN_BYTES[x.element_size()])).fill_(-1)

    def _generator(self, seed: int) -> Any:
        return self.xp.Generator(self.place).manual_seed(seed)

    def normal(self, shape: tuple[int, ...], dtype: str, seed: int) -> Any:
        if dtype == "int8":
            return self.integers(shape, dtype, seed, 127)
        wide = self.dtype(dtype if dtype == "float64" else "float32")
        made = self.xp.randn(shape, generator=self._generator(seed), device=self.place, dtype=wide)
        return made.to(self.dtype(dtype))

    def integers(self, shape: tuple[int, ...], dtype: str, seed: int, most: int = 4) -> Any:
        made = self.xp.randint(-most, most + 1, shape, generator=self._generator(seed), device=self.place)
        return made.to(self.dtype(dtype))

    def double(self, x: Any) -> Any:
        return x.to(self.xp.float32).double() if x.element_size() == 1 else x.double()

    def cast(self, x: Any, dtype: str) -> Any:
        return x.to(self.dtype(dtype)) if dtype == "float64" else x.float().to(self.dtype(dtype))

    def tanh(self, x: Any) -> Any:
        return self.xp.tanh(x)

    def same(self, x: Any, y: Any) -> bool:
        """Bit by bit."""
        whole = self.dtype(NAN_BYTES[x.element_size()])
        return bool(self.xp.equal(x.contiguous().view(whole), y.contiguous().view(whole)))

    def put(self, x: np.ndarray, dtype: str) -> Any:
        return self.xp.from_numpy(np.ascontiguousarray(x)).to(self.dtype(dtype)).to(self.place)

    def get(self, x: Any) -> np.ndarray:
        """float16 and bfloat16 come as float32."""
        return (x.float() if x.element_size() == 2 else x).cpu().numpy()

    def address(self, x: Any) -> int:
        return int(x.data_ptr())

    def product(self, a: Any, b: Any, out: Any) -> Call:
        matmul = self.xp.matmul
        return lambda: matmul(a, b, out=out)


class CuPy(Library):
    name = "CuPy"

    def __init__(self, facts: dict[str, Any]) -> None:
        self.xp = xp = importlib.import_module("cupy")
        self.runtime = xp.cuda.runtime
        if not self.runtime.getDeviceCount():
            raise ImportError(f"CuPy {xp.__version__} finds no GPU")
        self.l2_bytes = facts["l2_bytes"]
        self.events = [xp.cuda.Event() for _ in range(2)]
        self.spin = xp.RawKernel(SPIN, "spin")

    def dtype(self, name: str) -> Any:
        if name == "bfloat16":
            return np.dtype(importlib.import_module("ml_dtypes").bfloat16)
        return np.dtype(name)

    def busy(self, seconds: float) -> None:
        self.spin((1,), (1,), (np.int64(seconds * CLOCK),))

    def elapsed(self, start: Any, end: Any) -> float:
        return float(self.xp.cuda.get_elapsed_time(start, end))

    def synchronize(self) -> None:
        self.xp.cuda.Device().synchronize()

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        return self.xp.empty(shape, self.dtype(dtype))

    def poison(self, x: Any) -> None:
        x.view(NAN_BYTES[x.itemsize]).fill(-1)

    def normal(self, shape: tuple[int, ...], dtype: str, seed: int) -> Any:
        if dtype == "int8":
            return self.integers(shape, dtype, seed, 127)
        wide = np.float64 if dtype == "float64" else np.float32
        return self.xp.random.default_rng(seed).standard_normal(shape, wide).astype(self.dtype(dtype))

    def integers(self, shape: tuple[int, ...], dtype: str, seed: int, most: int = 4) -> Any:
        made = self.xp.random.default_rng(seed).integers(-most, most + 1, shape)
        return made.astype("float32").astype(self.dtype(dtype))

    def double(self, x: Any) -> Any:
        return x.astype("float32").astype("float64") if x.itemsize == 2 else x.astype("float64")

    def cast(self, x: Any, dtype: str) -> Any:
        return x.astype(dtype) if dtype == "float64" else x.astype("float32").astype(self.dtype(dtype))

    def tanh(self, x: Any) -> Any:
        return self.xp.tanh(x)

    def same(self, x: Any, y: Any) -> bool:
        """Bit by bit."""
        whole = NAN_BYTES[x.itemsize]
        x, y = (self.xp.ascontiguousarray(v).view(whole) for v in (x, y))
        return bool(x.shape == y.shape and (x == y).all())

    def put(self, x: np.ndarray, dtype: str) -> Any:
        return self.xp.asarray(x.astype(self.dtype(dtype)))

    def get(self, x: Any) -> np.ndarray:
        """float16 and bfloat16 come as float32."""
        return np.asarray(self.xp.asnumpy(x.astype("float32") if x.itemsize == 2 else x))

    def address(self, x: Any) -> int:
        return int(x.data.ptr)

    def product(self, a: Any, b: Any, out: Any) -> Call:
        matmul = self.xp.matmul
        return lambda: matmul(a, b, out=out)


@dataclass(frozen=True)
class Bench:
    """The device through the library whose arrays are used, all libraries there, and the contenders."""

    device: Any
    libraries: Sequence[Any]
    fastla: Any
    rivals: Sequence[Any]
    absent: dict[str, str]


def open_bench(facts: dict[str, Any]) -> Bench:
    """Raises ImportError where neither library can be used."""
    from benchmarks.gpu import ours, rivals

    libraries, absent = [], {}
    for make in (Torch, CuPy):
        try:
            libraries.append(make(facts))
        except Exception as error:  # what they raise without a device differs
            absent[make.name] = f"{type(error).__name__}: {error}"
    if not libraries:
        said = "; ".join(f"{name}: {reason}" for name, reason in absent.items())
        raise ImportError(f"needs PyTorch or CuPy for arrays on the GPU ({said})")
    device = libraries[0]
    found = rivals.contenders(device, libraries, absent)
    return Bench(device, libraries, ours.Fastla(), found, absent)
