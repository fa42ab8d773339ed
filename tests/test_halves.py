"""float16 products: float32's bits, rounded once."""

import itertools

import numpy as np
import oracle
import pytest
from shapes import assert_same_bits, row_of

import fastla


def expected(a, b):
    with np.errstate(all="ignore"):
        return oracle.matmul2(a.astype(np.float32), b.astype(np.float32)).astype(np.float16)


def draw(rng, shape):
    return (rng.standard_normal(shape) * np.exp2(rng.integers(-6, 4, shape))).astype(np.float16)


def every_half():
    return np.arange(65536, dtype=np.uint16).view(np.float16)


def test_every_value_survives(isa):
    x = every_half()
    one = np.ones((1, 1), np.float16)
    with np.errstate(all="ignore"):
        assert_same_bits(fastla.matmul(x[:, None], one)[:, 0], x + np.float16(0))
        assert_same_bits(fastla.matmul(one, x[None, :])[0], x + np.float16(0))


def test_results_are_rounded_to_nearest(isa, rng):
    """Products of two float16 are exact in float32: ties, subnormals and overflow all occur."""
    x = every_half()[None, :]
    for y in rng.choice(every_half()[np.isfinite(every_half())], 40):
        column = np.full((1, 1), y, np.float16)
        with np.errstate(all="ignore"):
            want = (x.astype(np.float32) * np.float32(y) + np.float32(0)).astype(np.float16)
            assert_same_bits(fastla.matmul(column, x), want, float(y))


def test_every_size_at_an_edge(isa, path, rng):
    row = row_of(isa, np.float16)
    ms = sorted({1, row.mr - 1, row.mr, row.mr + 1, 2 * row.mr + 3})
    ns = sorted({1, row.nr // 2, row.nr - 1, row.nr, row.nr + 1, 2 * row.nr + 3})
    a, b = draw(rng, (max(ms), 130)), draw(rng, (130, max(ns)))
    for k in (0, 1, 2, 31, 33, 130):
        want = expected(a[:, :k], b[:k])
        for m, n in itertools.product(ms, ns):
            assert_same_bits(fastla.matmul(a[:m, :k], b[:k, :n]), want[:m, :n], (m, n, k))


@pytest.mark.parametrize("k", [511, 512, 513, 1100])
def test_blocks_and_layouts(isa, path, k, rng):
    for m, n in [(3, 29), (1, 33), (30, 1), (20, 70)]:
        a, b = draw(rng, (m, k)), draw(rng, (k, n))
        want = expected(a, b)
        swapped = np.dtype(np.float16).newbyteorder()
        lefts = (a, np.asfortranarray(a), a.astype(swapped), np.ascontiguousarray(a[::-1])[::-1], np.repeat(
            a, 2, 1)[:, ::2])
        rights = (b, np.asfortranarray(b), b.astype(swapped), np.repeat(b, 3, 0)[::3])
        for x, y in itertools.product(lefts, rights):
            assert_same_bits(fastla.matmul(x, y), want)
        buffer = np.full((2 * m + 4, 2 * n + 4), 7, np.float16)
        for view in (buffer[1:m + 1, 1:n + 1], buffer[1:2 * m + 1:2, 1:2 * n + 1:2], buffer[m:0:-1, n:0:-1]):
            for threads in (1, 3):
                assert fastla.matmul(a, b, out=view, num_threads=threads) is view
                assert_same_bits(view, want)
            view[...] = 7
            assert (buffer == 7).all()


def test_flags_are_numpys(isa):
    big, small, one = (np.full((2, 2), v, np.float16) for v in (65504, 6e-8, 1))
    with np.errstate(all="raise", under="ignore"):
        fastla.matmul(one, one)
        fastla.matmul(big / 4, one)
        with pytest.raises(FloatingPointError, match="overflow"):
            fastla.matmul(big, one)
    with np.errstate(under="raise"), pytest.raises(FloatingPointError, match="underflow"):
        fastla.matmul(small[:, :1], (one / 3)[:1])


def test_semantics(rng):
    a, b = draw(rng, (2, 1, 4, 30)), draw(rng, (3, 30, 7))
    got = fastla.matmul(a, b)
    assert got.dtype == np.float16
    for i, j in np.ndindex(2, 3):
        assert_same_bits(got[i, j], expected(a[i, 0], b[j]))
    wide = fastla.matmul(a, b, dtype=np.float32)
    assert_same_bits(wide, fastla.matmul(a.astype(np.float32), b.astype(np.float32)))
    assert fastla.matmul(a, b.astype(np.float32)).dtype == np.float32
    assert type(fastla.matmul(a[0, 0, 0], b[0, :, 0])) is np.float16
    with pytest.raises(TypeError, match="float16"):
        fastla.linear(a[0, 0], b[0].T, np.zeros(7, complex))
