"""Few rows of A against contiguous columns of B: A x, and x W^T."""

import numpy as np
import oracle
import pytest
from shapes import Guarded, assert_same_bits, random_matrix

import fastla


@pytest.mark.portable
@pytest.mark.parametrize("apart", [1000, 1024, 2048, 4096], ids=lambda b: f"{b} bytes")
def test_matrix_times_vector(isa, dtype, apart):
    """A x, also where A's rows begin in few sets of L1: taken some lines apart, if they are long enough."""
    kb, size = oracle.kb(dtype), np.dtype(dtype).itemsize
    rng = np.random.default_rng(9)
    times = -(-(3 * kb + 6) * size // apart) | 1
    whole = np.full((400, times * apart // size), np.nan, dtype)
    a = whole[:, 2:3 * kb + 5]
    a[...] = random_matrix(rng, a.shape, dtype)
    x, bias = random_matrix(rng, (a.shape[1],), dtype), random_matrix(rng, (400,), dtype)
    for m, depth in [(400, kb + 512 // size - 1), (77, kb), (77, 2 * kb + 512 // size),
                     (77, 1024 // size - 1), (50, 1024 // size), (47, 3 * kb + 3), (5, kb)]:
        for some in (a[:m, :depth], a[:m, :depth][::-1]):
            want = oracle.matmul2(some, x[:depth, None])[:, 0]
            for threads in (1, 2, 3):
                context = f"{m}x{depth}, {threads} threads"
                for layout in ("C", "strided"):
                    out = Guarded((1, m), dtype, layout)
                    fastla.matmul(some, x[:depth], out=out.out[0], num_threads=threads)
                    assert_same_bits(out.out[0], want, context)
                    out.check(context)
                got = fastla.matmul(some, np.repeat(x[:depth], 2)[::2], num_threads=threads)
                assert_same_bits(got, want, f"{context}, spread x")
        usual = np.pad(a[:m, :depth], ((0, 0), (0, 5)))[:, :depth]
        some = np.stack([x[:depth], *random_matrix(rng, (4, depth), dtype)])
        product = oracle.matmul2(some, a[:m, :depth].T) if m < 100 else None
        for rows in (1, 2, 3, 4, 5) if m < 100 else ():
            want = oracle.epilogue(product[:rows], bias=bias[:m], activation="relu")
            for w in (a[:m, :depth], usual):
                got = fastla.linear(some[:rows], w, bias[:m], activation="relu")
                assert_same_bits(got, want, f"{m}x{depth}, linear of {rows} rows")
            for spread in (some[:rows], np.repeat(some[:rows], 2, axis=1)[:, ::2]):
                got = fastla.matmul(spread, a[:m, :depth].T)
                assert_same_bits(got, product[:rows], f"{m}x{depth}, {rows} rows")


@pytest.mark.portable
def test_matrix_times_vector_a_line_at_a_time(isa, dtype):
    """Rows a page apart, wherever in a line they begin and end."""
    kb, line = oracle.kb(dtype), 64 // np.dtype(dtype).itemsize
    rng = np.random.default_rng(14)
    whole = random_matrix(rng, (2 * line + 1, 64 * line * 3), dtype)
    x = random_matrix(rng, (64 * line * 3,), dtype)
    for start in range(line + 1):
        for k in (1, 2, line - 1, line, line + 1, 2 * line + 3, kb + line - start, 2 * kb + 5):
            for m in (line, 2 * line - 1, 2 * line + 1):
                a, b = whole[:m, start:start + k], x[:k]
                out = Guarded((1, m), dtype, "C")
                fastla.matmul(a, b, out=out.out[0])
                assert_same_bits(out.out[0], oracle.matmul2(a, b[:, None])[:, 0], f"{m}x{k} from {start}")
                out.check(f"{m}x{k} from {start}")


@pytest.mark.portable
@pytest.mark.parametrize("m", [20, 43])
def test_few_rows_times_a_long_vector(isa, dtype, m):
    """Threads share the blocks of K, whose chains wait for each other."""
    rng = np.random.default_rng(11)
    k = 41 * oracle.kb(dtype) + 21
    a, x = random_matrix(rng, (m, k + 5), dtype)[:, :k], random_matrix(rng, (3, k), dtype)
    want = oracle.matmul2(x, a.T)
    for threads in (1, 2, 3, 8):
        assert_same_bits(fastla.matmul(a, x[0], num_threads=threads), want[0], f"A x, {threads} threads")
        assert_same_bits(fastla.matmul(x, a.T, num_threads=threads), want, f"three rows, {threads} threads")


@pytest.mark.parametrize("k", [511, 1100])
def test_large_matrix_of_rows_in_the_same_sets_times_vector(isa, dtype, k):
    """Most rows are zeros that were never written: their pages take no memory."""
    rng = np.random.default_rng(15)
    per_row = -(-k * np.dtype(dtype).itemsize // 4096) * 4096 // np.dtype(dtype).itemsize
    m = 100_001 if isa != "generic" else 10_001
    a = np.zeros((m, per_row), dtype)[:, :k]
    rows = np.unique([0, m - 1, m - 2, m - 8, *range(20), *rng.integers(0, m, 60)])
    a[rows] = random_matrix(rng, (len(rows), k), dtype)
    x = random_matrix(rng, (k,), dtype)
    want = oracle.matmul2(a[rows], x[:, None])[:, 0]
    for threads in (1, 2):
        assert_same_bits(fastla.matmul(a, x, num_threads=threads)[rows], want, f"{threads} threads")


def test_matrix_as_large_as_memory_times_vector(isa, dtype):
    """More bytes than any L3 for the plan; the rows overlap, so that they take few."""
    m, k = 400_000 if isa != "generic" else 60_000, oracle.kb(dtype) + 21
    rng = np.random.default_rng(12)
    window = random_matrix(rng, (2 * m + k,), dtype)
    a = np.lib.stride_tricks.as_strided(window, (m, k), (2 * window.itemsize, window.itemsize))
    x = random_matrix(rng, (3, k), dtype)
    rows = np.unique([0, m - 1, m - 2, *range(30), *rng.integers(0, m, 60)])
    want = oracle.matmul2(x, a[rows].T)
    for threads in (1, 2):
        got = fastla.matmul(a, x[0], num_threads=threads)
        assert_same_bits(got[rows], want[0], f"A x, {threads} threads")
        got = fastla.matmul(x, a.T, num_threads=threads)
        assert_same_bits(got[:, rows], want, f"three rows, {threads} threads")
