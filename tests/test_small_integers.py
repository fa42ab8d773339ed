"""Wide integers with small values, which may be multiplied as floating-point numbers: the same bits."""

import numpy as np
import pytest

import fastla
from fastla import _core

DTYPES = [np.int32, np.uint32, np.int64, np.uint64]
M, K, N = 190, 260, 230


def by_loops(a, b):
    """The integers' own kernels."""
    _core.force_path("packed")
    try:
        return fastla.matmul(a, b)
    finally:
        _core.force_path("auto")


def draw(rng, shape, dtype, bits):
    """Magnitudes up to 2^bits, both ends among them; modulo what the dtype holds."""
    low = 0 if np.dtype(dtype).kind == "u" else -(2**bits)
    x = rng.integers(low, 2**bits, shape, endpoint=True, dtype=np.int64 if bits < 63 else np.uint64)
    x.flat[0], x.flat[-1] = low, 2**bits
    return x.astype(dtype)


BITS = [(0, 0), (7, 7), (7, 8), (8, 8), (12, 15), (20, 20), (21, 21), (21, 22), (22, 21), (30, 30), (30, 31),
        (1, 44), (50, 1)]
CASES = [(d, b) for d in DTYPES for b in BITS if max(b) < 8 * np.dtype(d).itemsize - 1]


@pytest.mark.parametrize(("dtype", "bits"), CASES, ids=[f"{np.dtype(d).name}-{b}" for d, b in CASES])
def test_around_the_limits(isa, dtype, bits, rng):
    """Sums of 260 products reach 2^24 and 2^51, and go beyond."""
    a, b = draw(rng, (M, K), dtype, bits[0]), draw(rng, (K, N), dtype, bits[1])
    a[3], b[:, 5] = a.max(), b.max()  # the largest sum there can be
    got = fastla.matmul(a, b)
    assert got.dtype == dtype
    assert np.array_equal(got, by_loops(a, b))
    sample = np.s_[::63], np.s_[:, ::77]
    with np.errstate(all="ignore"):
        assert np.array_equal(got[::63, ::77], np.matmul(a[sample[0]], b[sample[1]]))


@pytest.mark.parametrize("dtype", [np.int32, np.int64], ids=lambda d: np.dtype(d).name)
@pytest.mark.parametrize("bits", [6, 18])
def test_layouts_and_threads(isa, dtype, bits, threads, rng):
    a, b = draw(rng, (M, K), dtype, bits), draw(rng, (K, N), dtype, bits)
    want = by_loops(a, b)
    backwards = np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1]
    for left in (a, np.asfortranarray(a), np.repeat(a, 2, axis=1)[:, ::2], backwards):
        for right in (b, np.asfortranarray(b), np.repeat(b, 3, axis=0)[::3]):
            assert np.array_equal(fastla.matmul(left, right, num_threads=threads), want)
    for out in (np.empty((N, M), dtype).T, np.empty((2 * M, 3 * N), dtype)[::-2, ::3]):
        assert fastla.matmul(a, b, out=out, num_threads=threads) is out
        assert np.array_equal(out, want)
    square = draw(rng, (M + 30, M + 30), dtype, bits)
    want = by_loops(square, square)
    assert np.array_equal(fastla.matmul(square, square, out=square), want)


def test_one_large_value_is_seen_wherever_it_is(rng):
    for at in ((0, 0), (M - 1, K - 1), (77, 13)):
        for order in "CF":
            a = np.asarray(draw(rng, (M, K), np.int64, 5), order=order)
            b = draw(rng, (K, N), np.int64, 5)
            a[at] = 2**62 + 1
            b[at[1], 3] = 5
            assert np.array_equal(fastla.matmul(a, b), by_loops(a, b))


def test_no_flags_and_errors_untouched(rng):
    a = draw(rng, (M, M), np.int64, 20)
    with np.errstate(all="raise"):
        fastla.matmul(a, a)
    assert np.array_equal(fastla.matmul(a, a, overflow="raise"), by_loops(a, a))
