"""The exact kernels' bits are the CPU's (in the emulator), and their machine code is what it should be."""

import itertools

import numpy as np
import pytest

import fastla

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings"):
    pytest.importorskip(needed, reason="needs fastla[cuda] and greenlet")

import emulator  # noqa: E402
from operands import epilogue  # noqa: E402

from fastla.cuda import gemm, rings  # noqa: E402
from fastla.cuda.tiles import grid  # noqa: E402

STEPS, VECTORS = rings.STEPS, rings.VECTORS

DTYPES = ("float32", "float64")


# How an operand lies, and the order in which it comes: vectors of lines; steps contiguous; lines contiguous,
# but not at multiples of 16 bytes.
LIE = {"vectors": VECTORS, "steps": STEPS, "lines": STEPS}


def operand(rng, rows, cols, dtype, lines_along, lie):
    """A matrix of lines (0: rows, 1: columns) that lies so, in padded memory."""
    lines, steps = (rows, cols) if lines_along == 0 else (cols, rows)
    lanes = 16 // np.dtype(dtype).itemsize
    if lie == "steps":
        x = rng.standard_normal((lines, steps + 3)).astype(dtype)[:, :steps]
    else:
        padded = lines + (-lines % lanes if lie == "vectors" else 1)
        x = rng.standard_normal((steps, padded)).astype(dtype)[:, :lines].T
    return x if lines_along == 0 else x.T


def product(a, b, out, orders, kernel=None, small=False, switching=0.02, seed=0, **steps):
    """The epilogue of A B in the emulator; a, b and out may be stacks."""
    dtype = a.dtype.name
    tile = (gemm.SMALL_TILES if small else gemm.EXACT_TILES)[dtype]
    machine = emulator.Machine(seed, switching)
    m, n, k = *out.shape[-2:], a.shape[-1]
    stack = tuple(x.strides[0] if x.ndim == 3 else 0 for x in (a, b))
    arguments = rings.arguments(
        tile, orders, (m, n, k), (machine.add(a), machine.add(b)), a.strides[-2:], b.strides[-2:], stack,
        epilogue(machine, out, dtype, **steps))
    count = out.shape[0] if out.ndim == 3 else 1
    machine.launch(kernel or gemm.exact_kernel(dtype, small=small), grid(m, n, count, tile.rows, tile.cols),
                   tile.threads, tile.shared_bytes, arguments)
    return out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lie", list(itertools.product(LIE, repeat=2)), ids=" ".join)
@pytest.mark.parametrize("small", [False, True], ids=["large", "small"])
def test_every_order_of_ragged_operands(dtype, lie, small):
    """Two tiles in each direction, both cut; a last stage that is not full."""
    tile = (gemm.SMALL_TILES if small else gemm.EXACT_TILES)[dtype]
    rng = np.random.default_rng(5)
    m, n, k = tile.rows + 3, tile.cols + 5, 2 * tile.depth + 3
    a, b = operand(rng, m, k, dtype, 0, lie[0]), operand(rng, k, n, dtype, 1, lie[1])
    c = product(a, b, np.full((m, n), np.nan, dtype), [LIE[x] for x in lie], small=small)
    assert c.tobytes() == fastla.matmul(a, b).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 0), (2, 5, 512), (5, 3, 513), (1, 9, 1030)], ids=str)
@pytest.mark.parametrize("small", [False, True], ids=["large", "small"])
def test_blocks_of_k(dtype, shape, small):
    m, n, k = shape
    rng = np.random.default_rng(k)
    a, b = (operand(rng, *size, dtype, along, "steps") for along, size in enumerate([(m, k), (k, n)]))
    c = product(a, b, np.full((m, n), np.nan, dtype), (STEPS, STEPS), small=small, switching=0)
    assert c.tobytes() == fastla.matmul(a, b).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_stacks_and_strides(dtype):
    """A stack that goes backwards, one operand for all of it, C by columns with gaps."""
    rng = np.random.default_rng(1)
    a = rng.standard_normal((3, 10, 14)).astype(dtype)[::-1, ::2, ::-1]
    b = rng.standard_normal((14, 6)).astype(dtype)
    c = np.full((3, 12, 10), np.nan, dtype)[:, ::2, ::2].swapaxes(1, 2)
    want = np.stack([fastla.matmul(x, b) for x in a])
    assert np.array_equal(product(a, b, c, (STEPS, STEPS)), want)
    assert np.isnan(c.base[:, 1::2]).all() and np.isnan(c.base[:, :, 1::2]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_values(dtype):
    """Of what does not exist nothing is multiplied; -0 becomes +0."""
    a = np.array([[np.inf, 0, -0.0], [1, np.nan, 2], [-0.0, -0.0, -0.0]], dtype)
    b = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]], dtype)
    c = product(a, b, np.full((3, 3), 7, dtype), (STEPS, STEPS), switching=0)
    with np.errstate(invalid="ignore"):
        want = fastla.matmul(a, b)
    np.testing.assert_array_equal(c, want)
    assert not np.signbit(c[2]).any()


def test_the_emulator_sees_what_memory_has_not():
    a, b = np.ones((4, 4), np.float32), np.ones((4, 4), np.float32)
    with pytest.raises(emulator.Misuse, match="in no array"):
        product(a, b, np.ones((4, 8), np.float32), (STEPS, STEPS), switching=0)
    with pytest.raises(emulator.Misuse, match="not aligned"):
        odd = np.ones((4, 5), np.float32)[:, 1:]
        product(a.T, odd, np.ones((4, 4), np.float32), (VECTORS, VECTORS), switching=0)
