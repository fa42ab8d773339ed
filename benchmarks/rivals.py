"""Who takes part: fastla, NumPy, SciPy, PyTorch, JAX, and any CBLAS named by FASTLA_RIVAL_CBLAS.

A contender prepares a problem once (views and wrappers, no copies where its interface allows) and
gives back a call without arguments, which is what gets timed. All get the same thread count.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.shapes import Problem

Call = Callable[[], object]
FULL_COUNT = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


class Contender:
    name = ""
    version = ""
    library = ""  # what computes underneath
    note = ""
    writes_out = True

    def set_threads(self, count: int) -> bool:
        """Takes this many threads from now on; False where that cannot be arranged."""
        return count == FULL_COUNT

    def prepare(self, problem: Problem) -> Call | None:
        """None: this contender has nothing to offer for the problem."""
        raise NotImplementedError

    def path(self, problem: Problem) -> str:
        """How the product is computed, where the contender tells."""
        return ""

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "version": self.version, "library": self.library,
                "note": self.note}  # fmt: skip


class Fastla(Contender):
    name = "fastla"

    def __init__(self) -> None:
        self.module = importlib.import_module("fastla")
        self.version = self.module.__version__
        chosen = {row.isa for row in self.module.kernels() if row.chosen}
        self.library = ", ".join(sorted(chosen))
        self.count = FULL_COUNT

    def set_threads(self, count: int) -> bool:
        self.count = count
        return True

    def prepare(self, problem: Problem) -> Call:
        a, b, out, bias, count = problem.a, problem.b, problem.out, problem.bias, self.count
        if problem.cell.kind == "linear":
            linear = self.module.linear
            return lambda: linear(a, b, bias, activation="gelu", out=out, num_threads=count)
        matmul = self.module.matmul
        return lambda: matmul(a, b, out, num_threads=count)

    def roof(self, dtype: str, count: int, seconds: float) -> float:
        """Of one dtype, over one stretch of so many seconds with all that interrupts it.

        fastla.roof() takes the median of short rounds, without the interruptions that every longer
        call has, and measures the memory's roof, too.
        """
        return float(self.module._core.roof_fma(dtype, count, seconds, rounds=1))

    def roofs(self, count: int) -> dict[str, float]:
        """Operations per second by dtype, and bytes per second, measured at leisure."""
        roof = self.module.roof(num_threads=count, seconds=0.2)
        return {**roof.flops, "bandwidth": roof.bandwidth}

    def describe(self) -> dict[str, Any]:
        names = ("isa", "dtype", "mr", "nr", "vector_bytes", "usable", "chosen")
        rows = [{name: getattr(row, name) for name in names} for row in self.module.kernels()]
        threads = self.module.get_num_threads()
        return {**super().describe(), "kernels": rows, "default_threads": threads}

    def path(self, problem: Problem) -> str:
        b = problem.b if problem.cell.kind == "matmul" else problem.b.T
        plan = self.module.explain(problem.a, b, num_threads=self.count)
        return f"{plan.path} {plan.isa}"


def erf() -> Any:
    with contextlib.suppress(ImportError):
        return importlib.import_module("scipy.special").erf
    return None


def then_gelu(product: Call, problem: Problem) -> Call | None:
    """product, then bias and gelu in place, as one would write them with NumPy and SciPy."""
    error_function = erf()
    if error_function is None:
        return None
    y, bias, scratch = problem.out, problem.bias, np.empty_like(problem.out)
    root = y.dtype.type(0.5**0.5)

    def call() -> None:
        product()
        np.add(y, bias, out=y)
        np.multiply(y, root, out=scratch)
        error_function(scratch, out=scratch)
        np.add(scratch, 1, out=scratch)
        np.multiply(y, scratch, out=y)
        np.multiply(y, 0.5, out=y)

    return call


class BlasContender(Contender):
    """One whose BLAS listens to threadpoolctl."""

    def __init__(self, package: str) -> None:
        self.version = importlib.import_module(package).__version__
        try:
            self.pools = importlib.import_module("threadpoolctl").ThreadpoolController()
        except ImportError:
            self.pools = None
            self.note = f"threadpoolctl is missing: only with {FULL_COUNT} threads"
            return
        pools = self.pools.select(user_api="blas").info()
        # NumPy's and SciPy's wheels bring a BLAS each, in numpy.libs and scipy.libs.
        own = [pool for pool in pools if f"{package}.libs" in pool["filepath"]] or pools
        facts = (f"{p['internal_api']} {p['version']} ({p.get('architecture', '')})" for p in own)
        self.library = ", ".join(facts)

    def set_threads(self, count: int) -> bool:
        if self.pools is None:
            return count == FULL_COUNT
        self.pools.limit(limits=count, user_api="blas")
        return True


class NumPy(BlasContender):
    name = "NumPy"

    def __init__(self) -> None:
        super().__init__("numpy")

    def prepare(self, problem: Problem) -> Call | None:
        a, b, out = problem.a, problem.b, problem.out
        if problem.cell.kind == "linear":
            w = b.T
            return then_gelu(lambda: np.matmul(a, w, out), problem)
        return lambda: np.matmul(a, b, out)


class SciPy(BlasContender):
    """The BLAS call itself. Its arrays are Fortran's, so it computes C^T = B^T A^T on views."""

    name = "SciPy"

    def __init__(self) -> None:
        self.blas = importlib.import_module("scipy.linalg.blas")
        super().__init__("scipy")

    def prepare(self, problem: Problem) -> Call | None:
        gemm = self.blas.sgemm if problem.a.dtype == np.float32 else self.blas.dgemm
        a, b, c = problem.a.T, problem.b.T, problem.out.T
        if problem.cell.kind == "linear":  # b is w^T, Fortran order; w itself is wanted
            return then_gelu(lambda: gemm(1.0, b, a, 0.0, c, 1, 0, 1), problem)
        return lambda: gemm(1.0, b, a, 0.0, c, 0, 0, 1)  # beta, c, trans_a, trans_b, overwrite_c


class PyTorch(Contender):
    name = "PyTorch"

    def __init__(self) -> None:
        self.torch = importlib.import_module("torch")
        self.version = self.torch.__version__
        text = self.torch.__config__.show()
        marks = {"oneMKL": r"Math Kernel Library Version (\S+)-Product",
                 "oneDNN": r"MKL-DNN v(\S+)", "BLAS": r"BLAS_INFO=(\w+)",
                 "CPU": r"CPU capability usage: (\w+)"}  # fmt: skip
        found = {name: re.search(mark, text) for name, mark in marks.items()}
        self.library = ", ".join(f"{name} {hit[1]}" for name, hit in found.items() if hit)

    def set_threads(self, count: int) -> bool:
        self.torch.set_num_threads(count)
        return True

    def prepare(self, problem: Problem) -> Call:
        torch = self.torch
        arrays = (problem.a, problem.b, problem.out, problem.bias)
        a, b, out, bias = (torch.from_numpy(array) for array in arrays)
        if problem.cell.kind == "linear":
            w, gelu = b.t(), torch.ops.aten.gelu_
            return lambda: gelu(torch.addmm(bias, a, w, out=out))
        return lambda: torch.mm(a, b, out=out)


class Jax(Contender):
    """Compiled once per problem; owns its result, for it has no out=."""

    name = "JAX"
    writes_out = False
    note = f"cannot change its threads after start: only with {FULL_COUNT}"

    def __init__(self) -> None:
        self.jax = importlib.import_module("jax")
        self.jax.config.update("jax_enable_x64", True)
        self.version = self.jax.__version__
        self.library = f"XLA, {self.jax.default_backend()}"
        if self.jax.default_backend() != "cpu":
            raise ImportError("JAX computes on another device here; set JAX_PLATFORMS=cpu")

    def prepare(self, problem: Problem) -> Call:
        jax = self.jax
        a, b, bias = (jax.device_put(v) for v in (problem.a, problem.b, problem.bias))
        if problem.cell.kind == "linear":
            layer = jax.jit(lambda x, w, v: jax.nn.gelu(x @ w.T + v, approximate=False))
            return lambda: layer(a, b, bias).block_until_ready()
        product = jax.jit(lambda x, y: jax.numpy.matmul(x, y, precision="highest"))
        return lambda: product(a, b).block_until_ready()


MAKERS: dict[str, Callable[[], Contender]] = {
    "fastla": Fastla, "NumPy": NumPy, "SciPy": SciPy, "PyTorch": PyTorch, "JAX": Jax,
}  # fmt: skip
DEFAULT, ALL = ("NumPy", "SciPy"), ("NumPy", "SciPy", "PyTorch", "JAX")


def candidates(which: str) -> list[str]:
    """Names that make() understands; a path is a CBLAS library."""
    paths = os.environ.get("FASTLA_RIVAL_CBLAS", "").split(os.pathsep)
    return [*(ALL if which == "all" else DEFAULT), *filter(None, paths)]


def make(name: str) -> Contender:
    """Raises ImportError, OSError or AttributeError where the contender is missing."""
    if name in MAKERS:
        return MAKERS[name]()
    from benchmarks.cblas import Cblas  # builds upon this module

    return Cblas(name)
