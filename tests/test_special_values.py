"""Signed zeros, subnormals, Inf and NaN come out where IEEE arithmetic puts them."""

import functools
import itertools

import numpy as np
import oracle
import pytest
import shapes
from shapes import Guarded, assert_same_bits, poisoned, random_matrix

import fastla
from fastla import _core


def ragged(row):
    """Tiles cut off on the right, below, and in both directions; a row, a column."""
    return [(1, row.nr + 5), (row.mr + 5, 1), (row.mr - 1, row.nr - 1), (row.mr + 1, row.nr + 1),
            (2 * row.mr + 1, 2 * row.nr - 3)]


def product(a, b, **kwargs):
    """fastla's product of poisoned operands, quietly, with the surroundings of out checked."""
    out = Guarded((a.shape[0], b.shape[1]), a.dtype)
    with np.errstate(all="ignore"):
        fastla.gemm(poisoned(a), poisoned(b), out=out.out, **kwargs)
    out.check()
    return out.out


@pytest.mark.portable
def test_a_product_is_never_minus_zero(isa, dtype, path):
    """total starts at +0, so -0 summands, and products that underflow to -0, give +0."""
    row = shapes.row_of(isa, dtype)
    tiny = np.finfo(dtype).tiny
    for (m, n), k in itertools.product(ragged(row), (0, 1, 2, oracle.kb(dtype) + 1)):
        for x, y in [(-0.0, 1.0), (0.0, -1.0), (-tiny, tiny), (-0.0, 0.0)]:
            got = product(np.full((m, k), x, dtype), np.full((k, n), y, dtype))
            assert_same_bits(got, np.zeros((m, n), dtype), f"{x} x {y}, {m}x{n}x{k}")


@pytest.mark.portable
def test_the_epilogue_can_make_minus_zero(isa, dtype, path):
    tiny = np.finfo(dtype).tiny
    for m, n in ragged(shapes.row_of(isa, dtype)):
        a, b = np.full((m, 3), tiny, dtype), np.full((3, n), tiny, dtype)
        minus_zero = np.full((m, n), -0.0, dtype)
        assert_same_bits(product(a, b, alpha=-1.0), minus_zero, "-1 * +0")
        assert_same_bits(product(a, b, col_scale=np.full(n, -1, dtype)), minus_zero, "scale")
        want = np.zeros((m, n), dtype)
        assert_same_bits(product(a, b, alpha=-1.0, activation="relu"), want, "relu(-0) is +0")
        assert_same_bits(product(a, b, residual=minus_zero), want, "+0 + -0")
        got = product(a, b, alpha=-1.0, bias=minus_zero[0], residual=minus_zero)
        assert_same_bits(got, minus_zero, "-0 + -0")
        got = product(a, b, beta=1.0, c=minus_zero)
        assert_same_bits(got, want, "fma(1, -0, +0)")


@functools.lru_cache(maxsize=64)
def subnormal_products(m, n, dtype):
    """(name, a, b, the oracle's product) with subnormal operands, products, sums and results."""
    rng = np.random.default_rng([31, m, n])
    info = np.finfo(dtype)
    k = oracle.kb(dtype) + 3
    a, b = random_matrix(rng, (m, k), dtype), random_matrix(rng, (k, n), dtype)
    root = dtype(2.0) ** (info.minexp // 2)
    pairs = {
        "subnormal b": (a / 64, b * info.tiny / 64),
        "subnormal a": (a * info.tiny / 64, b / 64),
        "subnormal products": (a * (root / 64), b * (root / 64)),
        "smallest": (np.full((m, 5), info.smallest_subnormal), np.ones((5, n), dtype)),
    }
    found = []
    for name, (x, y) in pairs.items():
        want = oracle.matmul2(x, y)
        assert ((np.abs(want) < info.tiny) & (want != 0)).any(), name
        found.append((name, x, y, want))
    return found


@pytest.mark.portable
def test_subnormals(isa, dtype, path, threads):
    """Neither flushed nor rounded twice."""
    for m, n in ragged(shapes.row_of(isa, dtype)):
        for name, x, y, want in subnormal_products(m, n, dtype):
            with np.errstate(all="ignore"):
                got = fastla.matmul(x, y, num_threads=threads)
            assert_same_bits(got, want, f"{name} {m}x{n}")


def special_values(dtype):
    info = np.finfo(dtype)
    return np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, info.max, -info.max, info.tiny,
                     -info.tiny, info.smallest_subnormal, 1 + info.eps], dtype)


@pytest.mark.portable
def test_every_pair_of_special_values(isa, dtype, path):
    """k = 1 and 2: all products, and all sums of two products, of the values above."""
    v = special_values(dtype)
    a, b = v[:, None], v[None, :]
    assert_same_bits(product(a, b), oracle.matmul2(a, b), "outer product")
    pairs = np.array(list(itertools.product(v, v)), dtype)
    other = pairs[:: 3].T.copy()
    assert_same_bits(product(pairs, other), oracle.matmul2(pairs, other), "two terms")


@functools.lru_cache(maxsize=64)
def spoiled(m, n, dtype):
    """(context, a, b, the oracle's product) with one special value in a's last row, one in b's last
    column."""
    k = oracle.kb(dtype) + 1
    a, b, found = shapes.case(m, n, (k,), dtype)
    problems = []
    for value, at in itertools.product((np.nan, np.inf, -np.inf), (0, k - 1)):
        x, y = a.copy(), b.copy()
        x[m - 1, at] = value
        y[(at + 1) % k, n - 1] = value
        want = found[k].copy()
        want[m - 1:] = oracle.matmul2(x[m - 1:], y)
        want[:, n - 1:] = oracle.matmul2(x, y[:, n - 1:])
        problems.append((f"{value} at {at}, {m}x{n}", x, y, want))
    return problems


@pytest.mark.portable
def test_nan_and_inf_stay_in_their_rows_and_columns(isa, dtype, path, threads):
    for m, n in ragged(shapes.row_of(isa, dtype)):
        for context, x, y, want in spoiled(m, n, dtype):
            with np.errstate(all="ignore"):
                got = fastla.matmul(x, y, num_threads=threads)
            assert_same_bits(got, want, context)


@pytest.mark.portable
@pytest.mark.parametrize("where", ["last row", "last column", "both"])
def test_inf_next_to_padding(isa, dtype, path, threads, where):
    """Inf at ragged edges: padding may neither turn it into NaN nor raise a flag of its own."""
    for m, n in ragged(shapes.row_of(isa, dtype)):
        for k in (1, 7, oracle.kb(dtype) + 2):
            a, b = np.ones((m, k), dtype), np.full((k, n), 2, dtype)
            want = np.full((m, n), 2 * k, dtype)
            if where in ("last row", "both"):
                a[-1, :] = np.inf
                want[-1, :] = np.inf
            if where in ("last column", "both"):
                b[:, -1] = np.inf
                want[:, -1] = np.inf
            with np.errstate(all="raise"):
                got = fastla.matmul(poisoned(a), poisoned(b), num_threads=threads)
            assert_same_bits(got, want, f"{where} {m}x{n}x{k}")


@pytest.mark.portable
def test_inf_next_to_padding_in_the_epilogue(isa, dtype, path):
    """Inf in the last entry of every operand of the epilogue, exceptions raised as errors."""
    for m, n in ragged(shapes.row_of(isa, dtype)):
        a, b = np.ones((m, 3), dtype), np.ones((3, n), dtype)
        bias, row_bias, scale = np.ones(n, dtype), np.ones(m, dtype), np.ones(n, dtype)
        extra = np.ones((m, n), dtype)
        bias[-1] = row_bias[-1] = scale[-1] = extra[-1, -1] = np.inf
        for steps in ({"bias": bias}, {"row_bias": row_bias}, {"col_scale": scale}, {"gate": extra},
                      {"residual": extra}, {"beta": 1.0, "c": extra},
                      {"bias": bias, "activation": "relu", "gate": extra, "residual": extra}):
            with np.errstate(all="raise"):
                got = fastla.gemm(poisoned(a), poisoned(b), **steps)
            assert_same_bits(got, oracle.gemm(a, b, **steps), f"{sorted(steps)} {m}x{n}")


@pytest.mark.portable
def test_zeros_are_never_skipped(isa, dtype, path):
    """0 x Inf and 0 x NaN are NaN, in sparse-looking data and with a zero alpha too."""
    a, b = np.zeros((14, 9), dtype), np.ones((9, 35), dtype)
    b[4, 7], b[5, 8] = np.inf, np.nan
    want = np.zeros((14, 35), dtype)
    want[:, 7:9] = np.nan
    assert_same_bits(product(a, b), want, "zero a")
    assert_same_bits(product(b.T.copy(), a.T.copy()), want.T, "zero b")
    assert_same_bits(product(a, b, alpha=0.0), want, "zero alpha")


@pytest.mark.portable
def test_overflow_inside_a_block_and_between_blocks(isa, dtype, path):
    """A chain that overflows stays Inf although the exact sum is small; block sums that cancel do not."""
    kb = oracle.kb(dtype)
    big = np.finfo(dtype).max
    for m, n in ragged(shapes.row_of(isa, dtype)):
        b = np.ones((2 * kb, n), dtype)
        a = np.zeros((m, 2 * kb), dtype)
        a[:, 0] = a[:, 1] = big
        a[:, 2] = a[:, 3] = -big
        assert_same_bits(product(a, b), np.full((m, n), np.inf, dtype), "inside")
        a = np.zeros((m, 2 * kb), dtype)
        a[:, 0], a[:, kb], a[:, kb + 1] = big, -big, 1
        assert_same_bits(product(a, b), oracle.matmul2(a, b), "between")


@pytest.mark.parametrize("code", "fdFD")
def test_one_product_of_two_numbers(code, rng):
    """It has a way of its own: the bits, and the flags, of any other path."""
    real = np.dtype(code.lower())
    info = np.finfo(real)
    special = [0.0, -0.0, 1.5, -3.0, info.max, info.tiny, info.smallest_subnormal,
               -info.smallest_subnormal, np.inf, -np.inf, np.nan, *rng.standard_normal(6)]
    numbers = np.array(special, real)
    if code in "FD":
        pairs = np.empty((numbers.size, numbers.size), code)
        pairs.real, pairs.imag = numbers[:, None], numbers
        numbers = pairs.ravel()[::5]

    def product(x, y, path):
        _core.force_path(path)
        seen = []
        with np.errstate(all="call"), np.errstate(call=lambda kind, _: seen.append(kind)):
            return fastla.matmul(x.reshape(1, 1), y.reshape(1, 1)), sorted(seen)

    for x in numbers:
        for y in numbers:
            want, flags = product(x, y, "direct")
            got, raised = product(x, y, "auto")
            assert_same_bits(got.view(real), want.view(real), f"{x} {y}")
            assert raised == flags, (x, y)
