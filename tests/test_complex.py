"""Complex products: the bits of docs/contract.md on every kernel row, path, layout and thread count."""

import itertools

import numpy as np
import oracle
import pytest
from shapes import row_of, usable

import fastla
from fastla import _core

DTYPES = (np.complex64, np.complex128)


@pytest.fixture(params=DTYPES, ids=lambda d: d.__name__)
def dtype(request):
    return request.param


def draw(rng, shape, dtype):
    """Parts over 12 binades: nearly every sum rounds."""
    x = np.empty(shape, dtype)
    for part in (x.real, x.imag):
        part[...] = rng.standard_normal(shape) * np.exp2(rng.integers(-6, 6, shape))
    return x


def assert_same(got, want, context=""):
    """Equal dtype and bits; any NaN equals any NaN."""
    got, want = np.asarray(got), np.asarray(want)
    assert (got.dtype, got.shape) == (want.dtype, want.shape), context
    real = want.real.dtype
    for x, y in ((got.real, want.real), (got.imag, want.imag)):
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
        unsigned = f"u{real.itemsize}"
        same = (x.view(unsigned) == y.view(unsigned)) | (np.isnan(x) & np.isnan(y))
        assert same.all(), (context, np.argwhere(~same)[:3])


def layouts(x):
    yield "C", np.ascontiguousarray(x)
    yield "Fortran", np.asfortranarray(x)
    yield "byte-swapped", x.astype(x.dtype.newbyteorder())
    yield "byte-swapped Fortran", np.asfortranarray(x.astype(x.dtype.newbyteorder()))
    yield "reversed", np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]
    big = np.full((2 * x.shape[0] + 3, 3 * x.shape[1] + 1), np.nan, x.dtype)
    big[1:2 * x.shape[0] + 1:2, :3 * x.shape[1]:3] = x
    yield "strided", big[1:2 * x.shape[0] + 1:2, :3 * x.shape[1]:3]
    big[1:x.shape[0] + 1, 1:x.shape[1] + 1] = x
    yield "padded", big[1:x.shape[0] + 1, 1:x.shape[1] + 1]
    raw = np.zeros(x.nbytes + 1, np.uint8)
    odd = np.ndarray(x.shape, x.dtype, raw, 1)
    odd[...] = x
    yield "unaligned", odd


def test_every_size_at_an_edge(isa, path, dtype, rng):
    row = row_of(isa, dtype)
    ms = [1, row.mr - 1, row.mr, row.mr + 1, 2 * row.mr + 1]
    ns = [1, row.nr // 3, row.nr - 1, row.nr, row.nr + 1, 2 * row.nr + 3]
    a, b = draw(rng, (max(ms), 70), dtype), draw(rng, (70, max(ns)), dtype)
    for k in (0, 1, 2, 3, 70):
        want = oracle.complex2(a[:, :k], b[:k])
        for m, n in itertools.product(sorted({m for m in ms if m}), sorted({n for n in ns if n})):
            assert_same(fastla.matmul(a[:m, :k], b[:k, :n]), want[:m, :n], (m, n, k))


@pytest.mark.parametrize("k", [511, 512, 513, 1030])
def test_blocks_of_k(isa, path, dtype, k, rng):
    for m, n in [(3, 29), (1, 33), (30, 1), (9, 5)]:
        a, b = draw(rng, (m, k), dtype), draw(rng, (k, n), dtype)
        want = oracle.complex2(a, b)
        for threads in (1, 2, 3):
            for x, y in [(a, b), (np.asfortranarray(a), b), (a, np.asfortranarray(b))]:
                assert_same(fastla.matmul(x, y, num_threads=threads), want, (m, n, threads))


def test_layouts(isa, path, dtype, rng):
    for m, n, k in [(5, 9, 7), (1, 40, 30), (40, 1, 30), (11, 50, 30)]:
        a, b = draw(rng, (m, k), dtype), draw(rng, (k, n), dtype)
        want = oracle.complex2(a, b)
        for name, x in layouts(a):
            assert_same(fastla.matmul(x, b), want, ("a", name, m))
        for name, y in layouts(b):
            assert_same(fastla.matmul(a, y), want, ("b", name, m))


def test_out(isa, path, dtype, rng):
    for m, n, k in [(5, 9, 7), (1, 40, 600), (40, 1, 30), (11, 50, 600)]:
        a, b = draw(rng, (m, k), dtype), draw(rng, (k, n), dtype)
        want = oracle.complex2(a, b)
        buffer = np.full((2 * max(m, n) + 4, 2 * max(m, n) + 4), 7, dtype)
        for view in (buffer[1:m + 1, 1:n + 1], buffer[1:n + 1, 1:m + 1].T,
                     buffer[1:2 * m + 1:2, 1:2 * n + 1:2], buffer[m:0:-1, n:0:-1]):
            assert fastla.matmul(a, b, out=view) is view
            assert_same(view, want, view.strides)
            view[...] = 7
            assert (buffer == 7).all()


def test_a_product_with_its_conjugate_transpose_is_hermitian(isa, dtype, rng):
    for m, k in [(7, 600), (40, 90)]:
        a = draw(rng, (m, k), dtype)
        c = fastla.matmul(a, a.conj().T)
        assert_same(c, np.ascontiguousarray(c.conj().T) + dtype(0))
        assert (c.imag.diagonal() == 0).all()


def test_special_values_and_flags(isa, path, dtype):
    """Infinities as the four chains give them; nothing beside the real numbers raises anything."""
    inf, nan = np.inf, np.nan
    values = [complex(inf, 0), complex(0, -inf), complex(nan, 1), complex(1, 1), complex(0, 0),
              complex(-0.0, -0.0)]
    for x, y in itertools.product(values, values):
        for n in (1, 3, 9):
            a, b = np.full((2, 1), x, dtype), np.full((1, n), y, dtype)
            want = oracle.complex2(a, b)
            with np.errstate(all="ignore"):
                assert_same(fastla.matmul(a, b), want, (x, y))
    ones = np.ones((3, 5), dtype)
    big = np.full((5, 7), complex(inf, inf), dtype)
    with np.errstate(all="raise"):
        fastla.matmul(ones, ones.T)
        with pytest.raises(FloatingPointError, match="invalid"):
            fastla.matmul(ones, big)  # inf - inf
    # inf times (1 + 0i) is inf + nan i, which is invalid; a finite row beside it is not touched by that.
    finite = np.ones((1, 8), dtype)
    with np.errstate(all="raise"):
        for n in range(1, 9):
            fastla.matmul(np.full((1, 1), complex(1e3, -1e3), dtype), finite[:, :n])


def test_stacks_promotion_and_delegation(dtype, rng):
    a, b = draw(rng, (2, 1, 6, 30), dtype), draw(rng, (3, 30, 11), dtype)
    got = fastla.matmul(a, b)
    for i, j in np.ndindex(2, 3):
        assert_same(got[i, j], oracle.complex2(a[i, 0], b[j]))
    real = rng.standard_normal((30, 4)).astype(dtype(0).real.dtype)
    assert_same(fastla.matmul(a[0, 0], real), oracle.complex2(a[0, 0], real.astype(dtype)))
    assert fastla.matmul(a[0, 0], np.ones((30, 2), np.int64)).dtype == np.complex128
    assert fastla.explain(a[0, 0], b[0]).path == "direct"
    for call in (fastla.linear, fastla.gemm):
        with pytest.raises(TypeError, match="complex"):
            call(a[0, 0], b[0])


def test_large_products_agree_between_rows(dtype, rng):
    """Blocked for the caches and shared by threads: too large for the oracle."""
    a, b = draw(rng, (200, 1100), dtype), draw(rng, (1100, 310), dtype)
    with fastla.use_isa("generic"):
        want = fastla.matmul(a, b, num_threads=1)
    assert_same(want[:5, :5], oracle.complex2(a[:5], b[:, :5]))
    for isa in ("zen4", "avx512", "avx2", "neon"):
        if isa in {r.isa for r in fastla.kernels()} and usable(isa):
            with fastla.use_isa(isa):
                for threads in (1, 2, 3):
                    assert_same(fastla.matmul(a, b, num_threads=threads), want, (isa, threads))


def test_scratch_stays_small(dtype):
    """Sums of earlier blocks of K wait in scratch: of as many rows and columns as stay near, not of C."""
    size = np.dtype(dtype).itemsize
    wide = np.lib.stride_tricks.as_strided(np.zeros(1, dtype), (600, 1_000_000), (0, size))
    tall = np.lib.stride_tricks.as_strided(np.zeros(1, dtype), (1_000_000, 600), (600 * size, size))
    thin = np.zeros((600, 32), dtype)
    for a, b in [(np.zeros((16, 600), dtype), wide), (tall, thin), (tall, thin[:, 0])]:
        for threads in (1, 16, 64):
            assert fastla.explain(a, b, num_threads=threads).scratch_bytes <= threads << 20, a.shape


def test_in_place_sums_of_many_blocks(isa, dtype, rng):
    """In parts of rows and columns, for several threads."""
    for m, n, k in [(3, 2500, 1100), (300, 20, 1100), (16, 700, 600)]:
        a, b = draw(rng, (m, k), dtype), draw(rng, (k, n), dtype)
        _core.force_path("packed")
        want = fastla.matmul(a, b, num_threads=1)
        _core.force_path("auto")
        assert_same(want[:3, -5:], oracle.complex2(a[:3], b[:, -5:]))
        for threads in (1, 2, 5):
            assert_same(fastla.matmul(a, b, num_threads=threads), want, (m, n, threads))
