"""Tensor cores' kernels of float16 and bfloat16: every layout against float64, and their machine code."""

import itertools

import numpy as np
import pytest

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings", "ml_dtypes"):
    pytest.importorskip(needed, reason="needs fastla[cuda], greenlet and ml_dtypes")

import emulator  # noqa: E402
import ml_dtypes  # noqa: E402
from operands import epilogue  # noqa: E402

from fastla.cuda import halves  # noqa: E402
from fastla.cuda.numbers import BFLOAT16, FLOAT16, narrowed, widened  # noqa: E402
from fastla.cuda.tiles import grid  # noqa: E402

KINDS = {FLOAT16: np.dtype(np.float16), BFLOAT16: np.dtype(ml_dtypes.bfloat16)}
LAYOUTS = list(itertools.product((False, True), repeat=2))


def operand(rng, lines, steps, dtype, follow):
    """Lines by steps, rows of memory at multiples of 16 bytes; what lies between them is NaN."""
    shape = (steps, -(-lines // 8) * 8) if follow else (lines, -(-steps // 8) * 8)
    x = np.full(shape, np.nan, dtype)
    view = x[:, :lines] if follow else x[:, :steps]
    view[...] = rng.standard_normal(view.shape).astype(dtype)
    return view.T if follow else view


def product(a, b, out, kind, layouts, kernel=None, seed=0, switching=0.02, **steps):
    """The epilogue of A B^T, of lines by steps; a, b and out may be stacks."""
    machine = emulator.Machine(seed, switching)
    (m, k), n = a.shape[-2:], b.shape[-2]
    parts = [halves.Layout(follow) for follow in layouts]
    strides = [x for array in (a, b)
               for x in (*array.strides[-2:], array.strides[0] if array.ndim == 3 else 0)]
    arguments = (machine.add(a), machine.add(b), m, n, k, *strides,
                 *epilogue(machine, out, "float32", **steps).arguments())
    machine.launch(kernel or halves.halves_kernel(kind, *parts),
                   grid(m, n, len(out) if out.ndim == 3 else 1, halves.ROWS, halves.COLS), halves.THREADS,
                   halves.shared_bytes(*parts), arguments)
    return out


def within_bounds(c, a, b, kind):
    """Each element within the error of its sum in float32, in any order and cut off, and of one rounding."""
    left, right = a.astype(float), b.astype(float)
    exact, sizes = left @ right.T, abs(left) @ abs(right).T
    bound = a.shape[1] * 2.0**-23 * sizes
    if c.dtype != np.float32:
        bound += (2.0**-11 if kind == FLOAT16 else 2.0**-8) * (abs(exact) + bound) + 2.0**-25
    return (abs(c.astype(float) - exact) <= bound).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layouts", LAYOUTS, ids=str)
@pytest.mark.parametrize("whole", [True, False])
def test_every_layout_of_ragged_operands(kind, layouts, whole):
    """Two tiles in each direction, both cut; a last stage that is not full; NaNs around the operands."""
    dtype = KINDS[kind]
    rng = np.random.default_rng(7)
    m, n, k = halves.ROWS + 3, halves.COLS + 11, 2 * halves.DEPTH + 5
    a, b = operand(rng, m, k, dtype, layouts[0]), operand(rng, n, k, dtype, layouts[1])
    c = product(a, b, np.full((m, n), np.nan, np.float32 if whole else dtype), kind, layouts)
    assert within_bounds(c, a, b, kind)


def test_stacks_and_strides():
    """A stack that goes backwards, one operand for all of it, C by columns with gaps."""
    rng = np.random.default_rng(3)
    dtype = KINDS[FLOAT16]
    a = rng.standard_normal((3, 10, 24)).astype(dtype)[::-1]
    b = operand(rng, 6, 24, dtype, True)
    c = np.full((3, 12, 20), np.nan, np.float32)[:, ::2, ::2].swapaxes(1, 2)
    product(a, b, c, FLOAT16, (False, True))
    assert all(within_bounds(c[i], a[i], b, FLOAT16) for i in range(3))
    assert np.isnan(c.base[:, 1::2]).all() and np.isnan(c.base[:, :, 1::2]).all()


def test_models_of_rounding():
    """As ml_dtypes and NumPy round, of all halves and of floats between them."""
    bits = np.arange(65536, dtype=np.uint32)
    for kind, dtype in KINDS.items():
        wide = widened(bits.astype(np.uint16), kind)
        np.testing.assert_array_equal(wide, bits.astype(np.uint16).view(dtype).astype(np.float32))
        values = np.random.default_rng(0).integers(0, 2**32, 100000, np.uint32).view(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            want = values.astype(dtype)
        got = narrowed(values, kind).view(dtype)
        np.testing.assert_array_equal(got.astype(np.float32), want.astype(np.float32))
