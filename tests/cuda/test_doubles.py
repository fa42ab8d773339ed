"""float64 by tensor cores, in the emulator: against exact products, with the bound of any order of a sum."""

import itertools

import numpy as np
import pytest

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings"):
    pytest.importorskip(needed, reason="needs fastla[cuda] and greenlet")

import emulator  # noqa: E402
from operands import epilogue  # noqa: E402
from test_exact import LIE, operand  # noqa: E402

from fastla.cuda import doubles, rings  # noqa: E402
from fastla.cuda.tiles import grid  # noqa: E402

TILE = doubles.TILE


def product(a, b, out, orders, kernel=None, seed=3, **steps):
    machine = emulator.Machine(seed, 0.02)
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
