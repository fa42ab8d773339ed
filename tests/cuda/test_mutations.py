"""Each barrier, wait, commit, fence and arrival of each kernel is missed: without it the product is another
one, or the emulator says what is wrong."""

import numpy as np
import pytest

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings", "ml_dtypes"):
    pytest.importorskip(needed, reason="needs fastla[cuda], greenlet and ml_dtypes")

import emulator  # noqa: E402
import ml_dtypes  # noqa: E402
import mutations  # noqa: E402
import test_doubles  # noqa: E402
import test_exact  # noqa: E402
import test_gemv  # noqa: E402
import test_hopper  # noqa: E402
import test_tensor_cores  # noqa: E402
from operands import epilogue  # noqa: E402

from fastla.cuda import doubles, gemm, halves, hopper, partial_sums, rings, vectors  # noqa: E402
from fastla.cuda.epilogue import Operand  # noqa: E402
from fastla.cuda.numbers import FLOAT16, FLOAT32  # noqa: E402
from fastla.cuda.warpgroups import FLOAT8_E4M3  # noqa: E402

ORDER = {"syncthreads", "cp_async_wait", "cp_async_commit", "sync_warp", "wait_for_cluster", "wait_for",
         "show_barriers", "begin_products", "commit_products", "wait_for_products", "take_sums", "release",
         "arrive_if", "expect_bytes", "make_barrier"}  # fmt: skip
# What else kernels call; registers are machine code's.
WORK = {"cp_async", "fetch", "fetch_both", "load_shared", "multiply_add", "multiply_stage", "put_aside",
        "finish_tile", "add_block", "put_vectors", "put_fragments", "finish_slice", "load_doubles",
        "multiply_doubles", "load_matrices", "multiply_matrices", "load_number", "load_numbers", "store_one",
        "copy_box", "copy_operand", "copy_tiles", "multiply_boxes", "give_registers", "take_registers",
        }  # fmt: skip
V = rings.VECTORS


def whole(rng, shape, dtype):
    return rng.integers(-4, 5, shape).astype(dtype)


def of_rings(product, dtype):
    """Of seven stages, so that slices of sums lie where the last stage is read."""
    def run(kernel, seed):
        rng = np.random.default_rng(2)
        depth = gemm.EXACT_TILES[dtype].depth
        a, b = whole(rng, (7 * depth, 64), dtype).T, whole(rng, (7 * depth, 128), dtype)
        c = product(a, b, np.full((64, 128), np.nan, dtype), (V, V), kernel, seed=seed)
        return np.array_equal(c, a.astype(int) @ b.astype(int))

    return run


def of_halves(kernel, seed):
    """Of five stages, for the same reason."""
    rng = np.random.default_rng(2)
    a, b = (whole(rng, (128, 5 * halves.DEPTH), np.float16) for _ in range(2))
    c = np.full((128, 128), np.nan, np.float32)
    test_tensor_cores.product(a, b, c, FLOAT16, (False, False), kernel, seed)
    return np.array_equal(c, a.astype(int) @ b.T.astype(int))


def of_vectors(kernel, seed):
    """Four warps share lines, in two rounds, of which the second is soon over."""
    rng = np.random.default_rng(3)
    a, x = whole(rng, (40, 2052), np.float32)[:, :2049], whole(rng, 2049, np.float32)
    c = test_gemv.product(a, x, np.full(40, np.nan, np.float32), vectors.STEPS, 4, lambda *_: kernel, seed)
    return np.array_equal(c, a.astype(int) @ x.astype(int))


def of_hopper(tile, dtype, m, n):
    """Two tiles, each once round the ring."""
    def run(kernel, seed):
        rng = np.random.default_rng(2)
        a, b = (whole(rng, (lines, tile.stages * 128 // dtype.itemsize), dtype) for lines in (m, n))
        c = np.full((m, n), np.nan, np.float32)
        test_hopper.product(a, b, c, tile, 1, lambda _: kernel, seed)
        return np.array_equal(c, a.astype(int) @ b.T.astype(int))

    return run


def of_parts(kernel, seed):
    machine = emulator.Machine(seed, 0.05)
    parts, c = whole(np.random.default_rng(4), (2, 16, 32), np.float32), np.full((16, 32), np.nan, np.float32)
    given = epilogue(machine, c, "float32", partial=Operand(machine.add(parts), 128, 4),
                     partial_apart=2048)
    machine.launch(kernel, (1, 1, 1), partial_sums.THREADS, partial_sums.SHARED_BYTES,
                   (16, 32, 2, *given.arguments()))
    return np.array_equal(c, parts[0] + parts[1])


WIDE, SHORT = hopper.HopperTile(FLOAT16, 256, False, False), hopper.HopperTile(FLOAT8_E4M3, 128, False, False)
SINGLE = gemm.EXACT_TILES["float32"]
# What makes a kernel, and lacks a call; the kernel from that; whether a product by it is right.
KERNELS = {
    "exact": (rings.ring_kernel, lambda make: make(SINGLE, V, V, gemm._chains("float32")),
              of_rings(test_exact.product, "float32")),
    "exact, in the end": (gemm._chains, lambda make: rings.ring_kernel(SINGLE, V, V, make("float32")),
                          of_rings(test_exact.product, "float32")),
    "doubles": (rings.ring_kernel, lambda make: make(doubles.TILE, V, V, doubles._by_tensor_cores(1)),
                of_rings(test_doubles.product, "float64")),
    "doubles, in the end": (doubles._by_tensor_cores,
                            lambda make: rings.ring_kernel(doubles.TILE, V, V, make(1)),
                            of_rings(test_doubles.product, "float64")),
    "halves": (halves.halves_kernel, lambda make: make(FLOAT16, *[halves.Layout(False)] * 2), of_halves),
    "vectors": (vectors.vector_kernel, lambda make: make(FLOAT32, vectors.STEPS), of_vectors),
    "hopper": (hopper.hopper_kernel, lambda make: make(WIDE), of_hopper(WIDE, np.dtype("float16"), 128, 264)),
    "hopper, 8 bits": (hopper.hopper_kernel, lambda make: make(SHORT),
                       of_hopper(SHORT, np.dtype(ml_dtypes.float8_e4m3fn), 128, 136)),
    "parts": (partial_sums.adding_kernel, lambda make: make(), of_parts),
}
SEEDS = 8


def right(name, kernel, seed):
    try:
        return KERNELS[name][2](kernel, seed)
    except emulator.Misuse:
        return False


@pytest.mark.parametrize("name", KERNELS)
def test_nothing_is_forgotten(name):
    """The kernel as it is; and no call is unknown here."""
    make, kernel, _ = KERNELS[name]
    assert set(mutations.calls(make)) <= ORDER | WORK
    assert right(name, kernel(make), 0)


def lacking():
    """Kernels and the calls that each may lack; Hopper's take sums in one of two places, by their kind."""
    for name, (make, *_) in KERNELS.items():
        calls = mutations.calls(make)
        of_stages = calls.index("take_sums") if "take_sums" in calls else None
        for number, call in enumerate(calls):
            if call in ORDER and (number == of_stages) == (name == "hopper, 8 bits"):
                yield name, number, call


@pytest.mark.parametrize("name, number, call", list(lacking()))
def test_what_is_missing_is_seen(name, number, call):
    make, kernel, _ = KERNELS[name]
    made = kernel(mutations.without(make, number))
    assert not all(right(name, made, seed) for seed in range(SEEDS))
