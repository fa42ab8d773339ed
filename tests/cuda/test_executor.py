"""Kernels as machine code of the CPU: their bits are right, and what is wrong with a kernel shows."""

import functools

import numpy as np
import pytest

import fastla

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings", "nvidia.cu13"):
    pytest.importorskip(needed, reason="needs fastla[cuda], greenlet and the tools of the CUDA toolkit")

import device  # noqa: E402
import executor  # noqa: E402
import mutations  # noqa: E402
import translated  # noqa: E402
from blocks import Misuse  # noqa: E402
from numba import cuda  # noqa: E402
from numba.cuda import int32, types  # noqa: E402
from operands import epilogue  # noqa: E402

from fastla.cuda import functions, gemm, launch, rings  # noqa: E402


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [19, 24])  # one at a time, in vectors
def test_activations(dtype, n):
    rng = np.random.default_rng(n)
    x, w, bias = (rng.standard_normal(shape).astype(dtype) for shape in ((5, 9), (n, 9), (n,)))
    for name in functions.ACTIVATIONS[1:]:
        with device.emulated(executor.Compiled()):
            got = device.call("linear", *map(device.Array, (x, w, bias)), activation=name, precision="exact")
        assert got.host.tobytes() == fastla.linear(x, w, bias, activation=name).tobytes(), name


@functools.cache
def small():
    return gemm.exact_kernel("float32", small=True)


def executed(kernel, signature, arguments, threads=64, shared_bytes=64):
    """A block of a kernel that is none of the shipped ones."""
    variant = launch.Variant(f"test {id(kernel)}", lambda: kernel, tuple(signature), threads, shared_bytes)
    executor.Compiled().execute(variant, (1, 1, 1), arguments)


def product(kernel, a, b, memory=None):
    """A B by a kernel of the small tile, both of whose operands lie row by row."""
    tile, orders = gemm.SMALL_TILES["float32"], (rings.STEPS, rings.STEPS)
    device.Array.memory = memory or device.Memory()
    out = np.full((len(a), b.shape[1]), np.nan, np.float32)
    machine = device.Array.memory
    arguments = rings.arguments(tile, orders, (*out.shape, a.shape[1]), (machine.add(a), machine.add(b)),
                                a.strides, b.strides, (0, 0), epilogue(machine, out, "float32"))
    executed(kernel, rings.SIGNATURE, arguments, tile.threads, tile.shared_bytes)
    return out


@pytest.mark.parametrize("name, which", [("syncthreads", 0), ("cp_async_wait", 0), ("cp_async_commit", 1)])
def test_what_is_missing(name, which):
    """Without the ring's barrier, or without waiting for copies, the product is another one."""
    rng = np.random.default_rng(2)
    tile = gemm.SMALL_TILES["float32"]
    a, b = (rng.standard_normal(shape, np.float32) for shape in ((32, 130), (130, 32)))
    number = [i for i, called in enumerate(mutations.calls(rings.ring_kernel)) if called == name][which]
    lacking = mutations.without(rings.ring_kernel, number)(tile, rings.EITHER, rings.EITHER,
                                                           gemm._chains("float32", small=True))
    for kernel, same in ((small(), True), (lacking, False)):
        assert (product(kernel, a, b).tobytes() == fastla.matmul(a, b).tobytes()) == same


def test_what_memory_has_not():
    a, b = np.ones((4, 4), np.float32), np.ones((4, 8), np.float32)

    class Short(device.Memory):
        def add(self, array):
            address = super().add(array)
            begin, end, *rest = self.arrays.pop()
            self.arrays.append((begin, end - 4, *rest))
            return address

    with pytest.raises(Misuse, match="in no array"):
        product(small(), a, b, Short())
    raw = np.zeros(70, np.uint8)
    with pytest.raises(Misuse, match="not aligned"):
        product(small(), np.ndarray((4, 4), np.float32, raw, 1), b)


def test_a_barrier_that_some_do_not_come_to():
    def kernel(least):
        if int32(cuda.threadIdx.x) > least:
            cuda.syncthreads()

    with pytest.raises(Misuse, match="wait for what does not come"):
        executed(kernel, [types.int64], (7,))


def test_instructions_without_a_translation():
    def kernel(least):
        cuda.threadfence()

    with pytest.raises(translated.Unknown, match="membar"):
        executed(kernel, [types.int64], (7,))
