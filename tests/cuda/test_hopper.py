"""Hopper's kernels: every layout and kind against float64, what waits for what, and their machine code."""

import itertools

import numpy as np
import pytest

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings", "ml_dtypes"):
    pytest.importorskip(needed, reason="needs fastla[cuda], greenlet and ml_dtypes")

import emulator  # noqa: E402
import ml_dtypes  # noqa: E402
from operands import epilogue  # noqa: E402

from fastla.cuda import hopper, partial_sums, warpgroups  # noqa: E402
from fastla.cuda.epilogue import Operand  # noqa: E402
from fastla.cuda.tensor_map import TensorMap  # noqa: E402
from fastla.cuda.tiles import grid  # noqa: E402

FLOAT16, BFLOAT16, TFLOAT32, E4M3, E5M2, INT8, UINT8 = range(7)
DTYPES = [np.dtype(x) for x in (np.float16, ml_dtypes.bfloat16, np.float32, ml_dtypes.float8_e4m3fn,
                                ml_dtypes.float8_e5m2, np.int8, np.uint8)]
LAYOUTS = list(itertools.product((False, True), repeat=2))


def operand(rng, shape, kind, follow):
    """Of lines by steps (or a stack of such), rows of memory at multiples of 16 bytes, NaNs between them."""
    dtype, (*stack, lines, steps) = DTYPES[kind], shape
    lanes = 16 // dtype.itemsize
    inner, outer = (lines, steps) if follow else (steps, lines)
    x = np.empty((*stack, outer, -(-inner // lanes) * lanes), dtype)
    x.view(np.uint8)[...] = 0xFF
    view = x[..., :inner]
    if dtype.kind in "iu":
        view[...] = rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, view.shape)
    else:
        view[...] = rng.standard_normal(view.shape).astype(np.float32).astype(dtype)
    return view.swapaxes(-1, -2) if follow else view


def described(machine, x, count):
    following = x.strides[0] if x.ndim == 3 else 0
    return hopper.Operand(machine.add(x), *x.shape[-2:], count, *x.strides[-2:], following)


def product(a, b, c, tile, blocks=2, make=hopper.hopper_kernel, seed=0, **steps):
    """C = A B^T of lines by steps."""
    machine = emulator.Machine(seed, 0.02)
    count = len(c) if c.ndim == 3 else 1
    sums = "int32" if warpgroups.KINDS[tile.kind].whole else "float32"
    sides = [described(machine, x, count) for x in (a, b)]
    arguments = hopper.hopper_arguments(tile, *sides, epilogue(machine, c, sums, **steps))
    machine.launch(make(tile), (blocks * tile.cluster, 1, 1), hopper.THREADS, tile.shared_bytes, arguments,
                   tile.cluster)
    return c


def within_bounds(c, a, b):
    """The error of a sum in float32, in any order and cut off; of tf32 also that of its operands, cut off."""
    left, right = a.astype(float), b.astype(float)
    exact, sizes = left @ right.T, abs(left) @ abs(right).T
    bound = a.shape[1] * 2.0**-23 * sizes
    if a.dtype == np.float32:
        bound += 2.1 * 2.0**-10 * sizes
    return (abs(c.astype(float) - exact) <= bound).all()


@pytest.mark.parametrize("kind", [FLOAT16, BFLOAT16])
@pytest.mark.parametrize("layouts", LAYOUTS, ids=str)
@pytest.mark.parametrize("cols", hopper.COLS)
def test_every_layout_of_ragged_operands(kind, layouts, cols):
    """Three tiles by two, the last ones cut, for two blocks or clusters; the ring goes round; NaNs around."""
    tile = hopper.HopperTile(kind, cols, *layouts)
    rng = np.random.default_rng(7)
    m, n, k = 2 * hopper.ROWS + 3, cols + 11, tile.stages * 32 + 5
    a, b = operand(rng, (m, k), kind, layouts[0]), operand(rng, (n, k), kind, layouts[1])
    assert within_bounds(product(a, b, np.full((m, n), np.nan, np.float32), tile), a, b)


@pytest.mark.parametrize("blocks", [1, 2, 7, 20])
def test_stacks_and_strides(blocks):
    """One operand for all of a stack, C by columns with gaps; fewer and more blocks than tiles."""
    rng = np.random.default_rng(3)
    tile = hopper.HopperTile(FLOAT16, 64, False, True)
    a, b = operand(rng, (3, 140, 24), FLOAT16, False), operand(rng, (70, 24), FLOAT16, True)
    c = np.full((3, 140, 280), np.nan, np.float32)[:, ::2, ::2].swapaxes(1, 2)[:, :, :70]
    product(a, b, c, tile, blocks)
    assert all(within_bounds(c[i], a[i], b) for i in range(3))
    assert np.isnan(c.base[:, 1::2]).all() and np.isnan(c.base[:, :, 1::2]).all()


@pytest.mark.parametrize("splits", [3, 7])
def test_parts_of_k(splits):
    """Their sums one after the other in memory, the last perhaps of nothing; then added, with an epilogue."""
    tile = hopper.HopperTile(BFLOAT16, 64, False, True)
    rng = np.random.default_rng(splits)
    a, b = operand(rng, (2, 66, 250), BFLOAT16, False), operand(rng, (70, 250), BFLOAT16, True)
    parts = np.full((2, splits, 66, 70), np.nan, np.float32)
    machine = emulator.Machine(splits, 0.02)
    sides = [described(machine, x, 2) for x in (a, b)]
    into = epilogue(machine, parts.reshape(-1, 66, 70), "float32")
    machine.launch(hopper.hopper_kernel(tile), (5, 1, 1), hopper.THREADS, tile.shared_bytes,
                   hopper.hopper_arguments(tile, *sides, into, splits))
    c, bias = np.full((2, 66, 70), np.nan, np.float32), rng.standard_normal(70).astype(np.float32)
    place = Operand(into.out.address, 70 * 4, 4, splits * 66 * 70 * 4)
    given = epilogue(machine, c, "float32", bias=bias, partial=place, partial_apart=66 * 70 * 4)
    machine.launch(partial_sums.adding_kernel(), grid(66, 70, 2, partial_sums.TALL, partial_sums.COLS),
                   partial_sums.THREADS, partial_sums.SHARED_BYTES, (66, 70, splits, *given.arguments()))
    total = np.zeros_like(c)
    for part in range(splits):
        total += parts[:, part]
    assert np.array_equal(c, total + bias)
    assert all(within_bounds(total[i], a[i], b) for i in range(2))


def test_the_smallest_numbers_of_8_bits():
    """All 256 patterns are decoded as ml_dtypes does."""
    bits = np.arange(256, dtype=np.uint8)
    for kind in (E4M3, E5M2):
        want = bits.view(DTYPES[kind]).astype(float)
        np.testing.assert_array_equal(warpgroups.decoded(bits, kind), want)


def test_what_copies_do_not_reach():
    """Lines and products at odd bytes, backwards or without a contiguous direction: no map."""
    def mapped(follow=False, kind=FLOAT16, **changed):
        usual = {"address": 4096, "lines": 10, "steps": 20, "count": 3, "line": 48, "step": 2, "next": 960}
        return hopper.Operand(**(usual | changed)).tensor_map(kind, follow, 128)

    assert mapped() == TensorMap(4096, 2, (20, 10, 3), (48, 960), (64, 128))
    assert mapped(True, line=2, step=32) == TensorMap(4096, 2, (10, 20, 3), (32, 960), (64, 64))
    assert mapped(next=0) == TensorMap(4096, 2, (20, 10, 1), (48, 16), (64, 128))
    for change in ({"address": 4104}, {"line": 50}, {"line": -48}, {"line": 0}, {"step": 4}, {"next": 962}):
        assert mapped(**change) is None, change
    assert mapped(lines=1, line=3) and mapped(count=1, next=5) and mapped(steps=1, step=7)
    assert mapped(True) is None and mapped(True, E4M3, line=1, step=16) is None
    assert mapped(False, E4M3, step=1)
