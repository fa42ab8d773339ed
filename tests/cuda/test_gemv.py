"""Kernels of a matrix and a vector: the CPU's bits, whatever the layout; and their machine code."""

import numpy as np
import pytest

import fastla

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings", "ml_dtypes"):
    pytest.importorskip(needed, reason="needs fastla[cuda], greenlet and ml_dtypes")

import emulator  # noqa: E402
import ml_dtypes  # noqa: E402
from operands import epilogue  # noqa: E402

from fastla.cuda import vectors  # noqa: E402

STEPS, LINES_FOLLOW, ELEMENTS = range(3)
DTYPES = [np.dtype(x) for x in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)]


def matrix(rng, shape, dtype, order):
    """Lines by steps (or a stack), in padded memory; NaNs between them."""
    *stack, lines, steps = shape
    lanes = 16 // dtype.itemsize
    inner, outer = (lines, steps) if order == LINES_FOLLOW else (steps, lines)
    padded = inner + (1 if order == ELEMENTS else -inner % lanes)
    x = np.full((*stack, outer, padded), np.nan, dtype)
    x[..., :inner] = rng.standard_normal((*stack, outer, inner)).astype(dtype)
    return x[..., :inner].swapaxes(-1, -2) if order == LINES_FOLLOW else x[..., :inner]


def product(a, x, out, order, parts=None, make=vectors.vector_kernel, seed=0, **steps):
    """out = A x, of a stack or not."""
    machine = emulator.Machine(seed, 0.05)
    kind = DTYPES.index(a.dtype)
    lines, k = a.shape[-2:]
    count = len(out) if out.ndim == 2 else 1
    launch = vectors.launch_of(lines, k, count, parts)
    sums = "float64" if a.dtype == np.float64 else "float32"
    given = epilogue(machine, out[..., None, :], sums, workspace=False, **steps)
    arguments = (
        machine.add(a), machine.add(x), lines, k, *a.strides[-2:], a.strides[0] if a.ndim == 3 else 0,
        x.strides[-1], x.strides[0] if x.ndim == 2 else 0, launch.parts, *given.arguments())
    machine.launch(make(kind, order), (launch.blocks, 1, 1), vectors.THREADS, vectors.SHARED_BYTES, arguments)
    return out


def expected(a, x):
    if a.dtype.itemsize == 2:
        a, x = a.astype(np.float32), x.astype(np.float32)
    return fastla.matvec(a, x)


@pytest.mark.parametrize(("kind", "order"), vectors.VARIANTS)
@pytest.mark.parametrize("k", [70, 1100])
def test_every_layout(kind, order, k):
    """Lines that end within a warp's; a K that ends within a block, whose warps are then more than enough."""
    dtype = DTYPES[kind]
    rng = np.random.default_rng(k)
    a, x = matrix(rng, (67, k), dtype, order), rng.standard_normal(k).astype(dtype)
    c = product(a, x, np.full(67, np.nan, np.float64 if kind == 3 else np.float32), order)
    assert c.tobytes() == expected(a, x).tobytes()


@pytest.mark.parametrize("parts", [1, 2, 4, 8])
def test_shared_lines(parts):
    """However many warps share lines, over several rounds, the bits are the same."""
    rng = np.random.default_rng(0)
    dtype = DTYPES[2]
    a, x = matrix(rng, (35, 2600), dtype, STEPS), rng.standard_normal(2600).astype(dtype)
    assert product(a, x, np.full(35, np.nan, dtype), STEPS, parts).tobytes() == expected(a, x).tobytes()


def test_nothing_to_add():
    for shape in ((3, 0), (1, 1), (67, 1), (300, 2)):
        a, x = np.ones(shape, np.float32), np.ones(shape[1], np.float32)
        assert (product(a, x, np.full(shape[0], np.nan, np.float32), ELEMENTS) == shape[1]).all()


def test_stacks_and_strides():
    """A stack that goes backwards, one vector for all or each its own, with gaps; results with gaps too."""
    rng = np.random.default_rng(1)
    a = rng.standard_normal((3, 40, 60)).astype(np.float32)[::-1, ::2, ::-3]
    x = rng.standard_normal((3, 40)).astype(np.float32)[:, ::2]
    c = np.full((3, 60), np.nan, np.float32)
    product(a, x, c[:, ::3], ELEMENTS)
    assert np.array_equal(c[:, ::3], expected(a, x))
    assert np.isnan(c[:, 1::3]).all() and np.isnan(c[:, 2::3]).all()
    assert np.array_equal(product(a, x[0], np.empty((3, 20), np.float32), ELEMENTS), expected(a, x[:1]))


def test_special_values():
    a = np.array([[np.inf, 0, -0.0], [1, np.nan, 2], [-0.0, -0.0, -0.0]])
    for x in ([0.0, 1, 1], [1.0, 1, 1], [-0.0, -0.0, -0.0]):
        c = product(a, np.array(x), np.full(3, 7.0), ELEMENTS)
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(c, fastla.matvec(a, np.array(x)))
        assert not np.signbit(c[2])
