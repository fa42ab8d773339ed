"""Operands that workers copy once, for all of their tasks: a small B, a small A."""

import numpy as np
import oracle
import pytest
import shapes
from shapes import Guarded, assert_same_bits, poisoned, random_matrix

import fastla
from fastla import _core

M, N, K = 530, 37, 520  # B: plan_kept.cpp
WIDE = (45, 310, 520)  # A: packed.cpp


def operands(dtype):
    a, b, found = shapes.case(M, N, (K,), dtype)
    return poisoned(a), b, found[K]


@pytest.mark.portable
@pytest.mark.parametrize("layout", ["transposed", "rows", "reversed"])
def test_bits(isa, dtype, threads, layout):
    a, b, want = operands(dtype)
    of = {"transposed": poisoned(b.T).T, "rows": poisoned(b), "reversed": poisoned(b[::-1])[::-1]}
    assert fastla.explain(a, of[layout], num_threads=threads).path == "direct"
    out = Guarded((M, N), dtype)
    fastla.matmul(a, of[layout], out=out.out, num_threads=threads)
    assert_same_bits(out.out, want, layout)
    out.check(layout)


def test_an_epilogue(isa, dtype, threads, rng):
    a, b, y = operands(dtype)
    steps = {"bias": random_matrix(rng, (N,), dtype), "residual": random_matrix(rng, (M, N), dtype)}
    got = fastla.gemm(a, poisoned(b.T).T, num_threads=threads, **steps)
    assert_same_bits(got, oracle.epilogue(y, **steps))


def test_each_product_of_a_stack_has_its_own(isa, dtype, threads, rng):
    a, b = random_matrix(rng, (3, M, K), dtype), random_matrix(rng, (3, N, K), dtype)
    a, b = a[:, :, : K - 1], b[:, :, : K - 1]  # rows apart
    got = fastla.matmul(a, b.transpose(0, 2, 1), num_threads=threads)
    for i in range(3):
        _core.force_path("packed")
        assert_same_bits(got[i], fastla.matmul(a[i], b[i].T), f"item {i}")
        _core.force_path("auto")
    assert np.unique(got[:, 0, 0]).size == 3


@pytest.mark.portable
@pytest.mark.parametrize("layout", ["transposed", "rows"])
def test_panels_of_a_small_a(isa, dtype, threads, layout):
    m, n, k = WIDE
    a, b, found = shapes.case(m, n, (k,), dtype)
    b = poisoned(b.T).T if layout == "transposed" else poisoned(b)
    bias = random_matrix(np.random.default_rng(5), (n,), dtype)
    want = oracle.epilogue(found[k], bias=bias)
    _core.force_path("packed")
    for _ in range(2):
        out = Guarded((m, n), dtype)
        fastla.gemm(poisoned(a), b, bias=bias, out=out.out, num_threads=threads)
        assert_same_bits(out.out, want, layout)
        out.check(layout)
