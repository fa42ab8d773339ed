"""Products whose operands and C are near, in one block of K: tiles of their own (csrc/kernels/plain.hpp)."""

import functools
import itertools

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


@pytest.mark.portable
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


@functools.lru_cache(maxsize=8)
def epilogues(m, n, dtype):
    """(steps, the oracle's result) of what layers have, which is one pass, and of what takes several."""
    _, _, found = shapes.case(m, n, (STEPS,), dtype)
    rng = np.random.default_rng(3)
    bias, scale = (random_matrix(rng, (n,), dtype) for _ in range(2))
    results = []
    for steps in ({"bias": bias}, {"bias": bias, "activation": "relu"},
                  {"col_scale": scale, "bias": bias, "activation": "relu"}):
        y = oracle.epilogue(found[STEPS], **{k: v for k, v in steps.items() if k != "activation"})
        results.append((steps, np.where(np.signbit(y), dtype(0), y) if "activation" in steps else y))
    return results


@pytest.mark.parametrize("layout", ["C", "F", "strided", "reversed"])
def test_every_tile_with_an_epilogue(isa, dtype, layout):
    ns = columns(dtype)
    a, b, _ = shapes.case(max(ROWS), max(ns), (STEPS,), dtype)
    for n, m in itertools.product(ns, ROWS[::3]):
        # Column by column out is computed as its transpose, in place when a is stored so too.
        a_m = np.asfortranarray(a[:m]) if layout == "F" else poisoned(a[:m])
        for steps, y in epilogues(max(ROWS), max(ns), dtype):
            out = Guarded((m, n), dtype, layout)
            fastla.gemm(a_m, poisoned(b[:, :n]), out=out.out,
                        **{k: v if k == "activation" else v[:n] for k, v in steps.items()})
            assert_same_bits(out.out, y[:m, :n], f"{m}x{n} {layout} {[*steps]}")
            out.check(f"{m}x{n} {layout} {[*steps]}")


@pytest.mark.portable
@pytest.mark.parametrize("m, n", [(40, 290), (290, 40), (100, 100)])
def test_an_epilogue_on_many_threads(isa, dtype, m, n, threads):
    """Tasks of rows and of columns: each finds its own part of every operand."""
    k = 100
    a, b, found = shapes.case(m, n, (k,), dtype)
    rng = np.random.default_rng(4)
    bias, residual = random_matrix(rng, (n,), dtype), random_matrix(rng, (m, n), dtype)
    y = oracle.epilogue(found[k], bias=bias)
    assert_same_bits(fastla.gemm(a, b, bias=bias, num_threads=threads), y)
    got = fastla.gemm(a, b, bias=bias, residual=residual, num_threads=threads)
    assert_same_bits(got, oracle.epilogue(found[k], bias=bias, residual=residual))


@pytest.mark.portable
def test_rows_in_the_same_sets_of_the_cache(isa, dtype):
    """Tiles are lower then: rows of A, or of C, a page apart, or all the same one."""
    size = np.dtype(dtype).itemsize
    m, n, page = 37, 3 * 64 // size, 4096 // size
    a, b, found = shapes.case(m, n, (16,), dtype)
    wide = np.zeros((m, page), dtype)
    wide[:, :16] = a
    assert_same_bits(fastla.matmul(wide[:, :16], b), found[16])
    out = np.zeros((m, page), dtype)
    assert_same_bits(fastla.matmul(a, b, out=out[:, :n]), found[16])
    assert not out[:, n:].any()
    same = fastla.matmul(np.broadcast_to(a[0], (m, 16)), b)
    assert_same_bits(same, np.repeat(found[16][:1], m, axis=0))


@pytest.mark.parametrize("shape", [(128, 128, 128), (130, 256, 200), (97, 320, 512), (97, 513, 512),
                                   (20, 512, 64), (900, 32, 400)], ids=str)
def test_operands_that_are_hardly_near(isa, dtype, shape):
    """B in place, or copied, according to how its rows lie in the cache; A larger than it."""
    m, n, k = shape
    a, b, found = shapes.case(m, n, (k,), dtype)
    for threads in (1, 2):
        got = fastla.matmul(a, b, num_threads=threads)
        assert_same_bits(got, found[k], f"{shape} on {threads}")


def test_padding_raises_no_flag(isa, dtype, path):
    """Lanes beyond the last column compute what a real element computes, from one column throughout."""
    inf = np.inf
    for n, m in itertools.product(columns(dtype), (1, 2, 7, 16)):
        if n == 1:
            continue
        a, b = np.ones((m, STEPS), dtype), np.ones((STEPS, n), dtype)
        for here, there in ((slice(-1, None), slice(-1)), (slice(-1), slice(-1, None))):
            b[:] = 1
            b[:, here] = inf
            zero, minus = np.ones(n, dtype), np.zeros(n, dtype)
            zero[there], minus[there] = 0, -inf  # inf * 0 and inf - inf, if columns are mixed
            full, lower = np.tile(zero, (m, 1)), np.tile(minus, (m, 1))
            with np.errstate(all="raise"):
                fastla.matmul(a, b)
                for steps in ({"col_scale": zero}, {"gate": full}, {"bias": minus}, {"residual": lower},
                              {"bias": minus, "activation": "relu"}, {"beta": 1.0, "c": lower}):
                    fastla.gemm(a, b, **steps)


@pytest.mark.parametrize("m", [1, 5])
def test_padding_raises_no_flag_where_blocks_of_k_meet(isa, dtype, path, m):
    kb = oracle.kb(dtype)
    for n in columns(dtype):
        a, b = np.ones((m, 2 * kb), dtype), np.ones((2 * kb, n), dtype)
        b[0, -1], b[kb + 9, :-1] = np.inf, -np.inf
        with np.errstate(all="raise"):
            fastla.matmul(a, b)


@pytest.mark.parametrize("long", [False, True], ids=["short rows", "long rows"])
def test_padding_of_a_row_that_is_streamed(isa, dtype, long):
    """Its chains begin in one loop and end in another."""
    k, size = 512, np.dtype(dtype).itemsize
    n = (24 << 20) // k // size // 8 * 8 + 21 if long else 8000 // size + 3
    a, b = np.ones((1, k), dtype), np.ones((k, n), dtype)
    b[0, -1], b[k - 1, :-1] = np.inf, -np.inf
    with np.errstate(all="raise"):
        fastla.matmul(a, b, num_threads=1)
