"""A GPU that benchmarks.gpu can be tried on: NumPy's arrays, and a clock that calls move on.

`faults` in the facts say what goes wrong: {"hang": name}, {"crash": name}, {"raise": name}, {"gone": name}
(an error that all that follows has), {"wrong": [names]}, {"slow": seconds}.
"""

import functools
import os
import signal
import time

import ml_dtypes
import numpy as np

from benchmarks.gpu.backend import Bench, Library
from benchmarks.gpu.problems import Absent

FACTS = {"name": "NVIDIA H100 80GB HBM3", "major": 9, "minor": 0, "multiprocessors": 132, "l2_bytes": 4096,
         "memory_bytes": 80 << 30, "clock_khz": 1980000, "driver_cuda": 13000, "smi": {},
         "versions": {"numpy": np.__version__}, "faults": {}}
CANDIDATES = {"small tiles": 3e-3, "large tiles": 1e-3, "huge tiles": 2e-3}  # seconds


class Device(Library):
    name = "NumPy"
    l2_bytes = FACTS["l2_bytes"]

    def __init__(self):
        self.clock, self.gone = 0.0, False

    def seconds(self, call, count):
        before = self.clock
        call()
        return self.clock - before

    def dtype(self, name):
        return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)

    def synchronize(self):
        if self.gone:
            raise RuntimeError("the context is gone")

    def empty(self, shape, dtype):
        return np.zeros(shape, self.dtype(dtype))

    def poison(self, x):
        x.view(np.uint8)[...] = 0xFF

    def normal(self, shape, dtype, seed):
        return np.random.default_rng(seed).standard_normal(shape).astype(self.dtype(dtype))

    def integers(self, shape, dtype, seed, most=4):
        return np.random.default_rng(seed).integers(-most, most + 1, shape).astype(self.dtype(dtype))

    def double(self, x):
        return x.astype(np.float64)

    def cast(self, x, dtype):
        return x.astype(np.float32).astype(self.dtype(dtype)) if dtype != "float64" else x

    def tanh(self, x):
        return np.tanh(x)

    def same(self, x, y):
        return x.tobytes() == y.tobytes()

    def put(self, x, dtype):
        return x.astype(self.dtype(dtype))

    def get(self, x):
        return x.astype(np.float32) if x.itemsize == 2 else x

    def address(self, x):
        return x.ctypes.data

    def product(self, a, b, out):
        return lambda: np.matmul(a, b, out=out)


class Contender:
    """A product that takes so long by the device's clock."""

    def __init__(self, device, name, seconds, faults=None):
        self.device, self.name, self.cost, self.faults = device, name, seconds, faults or {}

    def compute(self, problem):
        y = problem.a.astype(np.float64) @ problem.b.astype(np.float64)
        if problem.cell.kind == "linear":
            y = y + problem.bias.astype(np.float64)
            y = 0.5 * y * (1 + np.tanh((2 / np.pi) ** 0.5 * (y + 0.044715 * y**3)))
        problem.out[...] = y.astype(problem.out.dtype)

    def prepare(self, problem):
        if problem.cell.dtype == "float8_e4m3fn":
            raise Absent("there is no float8_e4m3fn")

        def call():
            if self.faults.get("hang") == self.name:
                time.sleep(1000)
            if self.faults.get("crash") == self.name:
                os.kill(os.getpid(), signal.SIGSEGV)
            self.device.gone = self.faults.get("gone") == self.name
            if self.name in (self.faults.get("raise"), self.faults.get("gone")):
                raise RuntimeError("cuLaunchKernel: CUDA_ERROR_LAUNCH_FAILED")
            time.sleep(self.faults.get("slow", 0))
            self.device.clock += self.cost
            self.compute(problem)
            if self.name in self.faults.get("wrong", ()):
                problem.out[..., -1, -1] += 1

        return call


class Fastla(Contender):
    kept = None

    def plan(self, problem):
        return "large tiles"

    def candidates(self, problem):
        return [(name, functools.partial(self.prepare_one, name)) for name in CANDIDATES]

    def prepare_one(self, name, problem):
        return Contender(self.device, name, CANDIDATES[name], self.faults).prepare(problem)

    def keep(self, problem, name):
        self.kept = name
        return problem.cell.label


def open_bench(facts):
    device, faults = Device(), facts["faults"]
    rivals = [Contender(device, "cuBLAS", 2e-3, faults), Contender(device, "torch.matmul", 4e-3, faults)]
    return Bench(device, [device], Fastla(device, "fastla", 1e-3, faults), rivals, {"CuPy": "not installed"})
