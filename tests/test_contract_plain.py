"""Products whose operands and C are near, in one block of K: tiles of their own (csrc/kernels/plain.hpp)."""

import numpy as np
import oracle
import pytest
import shapes
from shapes import Guarded, assert_same_bits, poisoned, random_matrix

import fastla

ROWS = range(1, 35)
STEPS = 5


def columns(dtype):
    """Up to nine vectors of AVX-512, at both sides of every half of one."""
    half = 32 // np.dtype(dtype).itemsize
    edges = {n for i in range(1, 19) for n in (half * i - 1, half * i, half * i + 1)}
    return sorted(edges | set(range(1, 2 * half)))


def test_every_tile(isa, dtype):
    ns = columns(dtype)
    a, b, found = shapes.case(max(ROWS), max(ns), (STEPS,), dtype)
    for n in ns:
        b_n = poisoned(b[:, :n])
        for m in ROWS:
            out = Guarded((m, n), dtype)
            fastla.matmul(poisoned(a[:m]), b_n, out=out.out)
            assert_same_bits(out.out, found[STEPS][:m, :n], f"{m}x{n}")
            out.check(f"{m}x{n}")


def test_every_tile_with_an_epilogue(isa, dtype):
    ns = columns(dtype)
    a, b, found = shapes.case(max(ROWS), max(ns), (STEPS,), dtype)
    rng = np.random.default_rng(3)
    bias, scale = (random_matrix(rng, (max(ns),), dtype) for _ in range(2))
    y = oracle.epilogue(found[STEPS], col_scale=scale, bias=bias)
    y = np.where(np.signbit(y), dtype(0), y)
    for n in ns:
        b_n, steps = poisoned(b[:, :n]), {"col_scale": poisoned(scale[:n]), "bias": poisoned(bias[:n])}
        for m in ROWS:
            for order in "CF":
                out = Guarded((m, n), dtype, order)
                fastla.gemm(poisoned(a[:m]), b_n, **steps, activation="relu", out=out.out)
                assert_same_bits(out.out, y[:m, :n], f"{m}x{n} {order}")
                out.check(f"{m}x{n} {order}")


def test_padding_raises_no_flag(isa, dtype):
    """What lies beyond the last column must meet infinite factors as real sums do, never as zeros."""
    for n in columns(dtype):
        for m in (1, 2, 7, 16):
            a, b = np.ones((m, STEPS), dtype), np.ones((STEPS, n), dtype)
            b[:, -1] = np.inf
            with np.errstate(all="raise"):
                got = fastla.gemm(a, b, col_scale=np.full(n, np.inf, dtype), gate=np.full((m, n), np.inf, dtype))
            assert np.isposinf(got).all()


@pytest.mark.parametrize("shape", [(128, 128, 128), (130, 256, 200), (97, 320, 512), (97, 513, 512), (20, 512, 64)],
                         ids=str)
def test_rows_of_b_far_apart(isa, dtype, shape):
    """B in place, or copied, according to how its rows lie in the cache."""
    m, n, k = shape
    a, b, found = shapes.case(m, n, (k,), dtype)
    for threads in (1, 2):
        got = fastla.matmul(a, b, num_threads=threads)
        assert_same_bits(got, found[k], f"{shape} on {threads}")
