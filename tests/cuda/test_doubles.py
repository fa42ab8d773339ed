"""float64 by tensor cores, in the emulator: against exact products, with the bound of any order of a sum."""

import itertools

import numpy as np
import pytest

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings"):
    pytest.importorskip(needed, reason="needs fastla[cuda] and greenlet")

import emulator  # noqa: E402
import mutations  # noqa: E402
from operands import epilogue  # noqa: E402
from test_exact import LIE, operand  # noqa: E402

from fastla.cuda import doubles, rings  # noqa: E402
from fastla.cuda.tiles import grid  # noqa: E402

TILE = doubles.TILE


def product(a, b, out, orders, kernel=None, **steps):
    machine = emulator.Machine(3, 0.02)
    m, n, k = *out.shape[-2:], a.shape[-1]
    stack = tuple(x.strides[0] if x.ndim == 3 else 0 for x in (a, b))
    arguments = rings.arguments(
        TILE, orders, (m, n, k), (machine.add(a), machine.add(b)), a.strides[-2:], b.strides[-2:], stack,
        epilogue(machine, out, "float64", **steps))
    blocks = grid(m, n, out.shape[0] if out.ndim == 3 else 1, TILE.rows, TILE.cols)
    machine.launch(kernel or doubles.doubles_kernel(*orders, 1), blocks, rings.THREADS, TILE.shared_bytes,
                   arguments)
    return out


def within_bounds(c, a, b):
    wide = np.longdouble
    exact, sizes = a.astype(wide) @ b.astype(wide), abs(a) @ abs(b)
    return (abs(c - exact) <= (a.shape[-1] + 2) * 2.0**-53 * sizes).all()


@pytest.mark.parametrize("lie", list(itertools.product(LIE, repeat=2)), ids=" ".join)
def test_every_order_of_ragged_operands(lie):
    rng = np.random.default_rng(5)
    m, n, k = TILE.rows + 3, TILE.cols + 5, 5 * TILE.depth + 3
    a, b = operand(rng, m, k, "float64", 0, lie[0]), operand(rng, k, n, "float64", 1, lie[1])
    assert within_bounds(product(a, b, np.full((m, n), np.nan), [LIE[x] for x in lie]), a, b)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 0), (2, 5, 513), (64, 70, 8)], ids=str)
def test_small_shapes(shape):
    m, n, k = shape
    rng = np.random.default_rng(k)
    a, b = rng.standard_normal((m, k)), rng.standard_normal((k, n))
    assert within_bounds(product(a, b, np.full((m, n), np.nan), (rings.STEPS, rings.STEPS)), a, b)


def test_stack_and_epilogue():
    rng = np.random.default_rng(1)
    a, b, c = (rng.standard_normal(shape) for shape in ((3, 10, 14), (14, 6), (10, 6)))
    orders = rings.STEPS, rings.STEPS
    out = product(a[::-1], b, np.full((3, 10, 6), np.nan), orders, beta=0.5, c=c, alpha=2.0)
    for i in range(3):
        np.testing.assert_allclose(out[i], 2 * (a[2 - i] @ b) + c / 2, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", ["syncthreads", "cp_async_wait", "cp_async_commit"])
def test_the_emulator_sees_what_is_missing(name):
    rng = np.random.default_rng(2)
    k = 8 * TILE.depth
    a, b = operand(rng, 128, k, "float64", 0, "vectors"), operand(rng, k, 128, "float64", 1, "vectors")
    orders = rings.VECTORS, rings.VECTORS
    lacking = mutations.without(rings.ring_kernel, name)(TILE, *orders, doubles._by_tensor_cores(1))
    for kernel, right in ((None, True), (lacking, False)):
        assert within_bounds(product(a, b, np.full((128, 128), np.nan), orders, kernel), a, b) == right
