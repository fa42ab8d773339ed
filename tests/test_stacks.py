"""Stacks of small products, by kernels of their own: bits, layouts, threads, flags, memory around them."""

import sys

import numpy as np
import pytest
from process import HERE, run_python
from shapes import assert_same_bits, poisoned, random_matrix

import fastla
from fastla import _core

SIDES = (1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16)
DEPTHS = (1, 2, 3, 4, 5, 8, 15, 64)


def one_by_one(a, b):
    """The stack's products, each computed alone."""
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    left, right = (np.broadcast_to(x, stack + x.shape[-2:]) for x in (a, b))
    c = np.empty((*stack, a.shape[-2], b.shape[-1]), np.result_type(a, b))
    for at in np.ndindex(stack):
        c[at] = fastla.matmul(left[at], right[at])
    return c


def transposed(x):
    """The same values, each matrix of the stack stored by columns."""
    return np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)


@pytest.mark.portable
@pytest.mark.parametrize("m", SIDES)
def test_every_small_shape(isa, dtype, m, rng):
    for n in SIDES:
        k = DEPTHS[(m + n) % len(DEPTHS)]
        a, b = random_matrix(rng, (7, m, k), dtype), random_matrix(rng, (7, k, n), dtype)
        want = one_by_one(a, b)
        for left in (a, transposed(a)):
            for right in (b, transposed(b)):
                assert_same_bits(fastla.matmul(left, right), want, f"{m}x{n}x{k}")


@pytest.mark.portable
@pytest.mark.parametrize("k", DEPTHS)
@pytest.mark.parametrize("shape", [(4, 4), (3, 3), (4, 1), (1, 4), (3, 1), (1, 1), (13, 6), (5, 16)], ids=str)
def test_every_depth_and_count(isa, dtype, shape, k, rng):
    m, n = shape
    a, b = random_matrix(rng, (19, m, k), dtype), random_matrix(rng, (19, k, n), dtype)
    want = one_by_one(a, b)
    for count in (1, 2, 3, 4, 5, 8, 19):
        for right in (b, transposed(b)):
            got = fastla.matmul(a[:count], right[:count])
            assert_same_bits(got, want[:count], f"{count} of {shape}, k={k}")


@pytest.mark.portable
@pytest.mark.parametrize("shape", [(4, 4, 4), (3, 1, 3), (9, 10, 11), (2, 5, 3)], ids=str)
def test_layouts(isa, dtype, shape, threads, rng):
    """Stacks that repeat, run backwards, skip, lie inside of the rows; several axes; out= of every kind."""
    m, n, k = shape
    a, b = random_matrix(rng, (6, 5, m, k), dtype), random_matrix(rng, (6, 5, k, n), dtype)
    want = one_by_one(a, b)

    def check(left, right, expected, what):
        assert_same_bits(fastla.matmul(left, right, num_threads=threads), expected, what)

    check(a, b, want, "two axes")
    check(a[::-1, ::2], b[::-1, ::2], want[::-1, ::2], "backwards, every other")
    check(a.swapaxes(0, 1), b.swapaxes(0, 1), want.swapaxes(0, 1), "axes exchanged")
    check(a[:, :1], b, one_by_one(a[:, :1], b), "a repeats along one axis")
    check(a, b[0, 0], one_by_one(a, b[0, 0]), "one b")
    check(a[0, 0], b, one_by_one(a[0, 0], b), "one a")
    inside = np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1)
    check(inside, b, want, "the stack innermost in memory")
    check(poisoned(a), poisoned(b), want, "inside of a larger buffer")
    unaligned = np.frombuffer(b"x" + b.tobytes(), np.uint8)[1:].view(dtype).reshape(b.shape)
    check(a, unaligned, want, "unaligned")
    for out in (np.empty_like(want), np.empty((5, 6, m, n), dtype).swapaxes(0, 1), transposed(want * 0),
                np.empty((6, 5, 2 * m, 2 * n), dtype)[..., ::-2, ::2]):
        assert fastla.matmul(a, b, out=out, num_threads=threads) is out
        assert_same_bits(out, want, f"out with strides {out.strides}")
    if m == n == k:
        c = b.copy()
        fastla.matmul(a, c, out=c)
        assert_same_bits(c, want, "out is an operand")


@pytest.mark.parametrize("columns", [False, True], ids=["rows", "columns"])
def test_special_values_and_their_flags(isa, dtype, columns, rng):
    """Inf times 0 and overflow are reported where they are, and nowhere else."""
    a, b = random_matrix(rng, (9, 3, 3), dtype), random_matrix(rng, (9, 3, 3), dtype)
    b = transposed(b) if columns else b
    with np.errstate(all="raise"):
        want = fastla.matmul(a, b)
    for value, error in ((np.inf, "invalid"), (np.finfo(dtype).max, "overflow")):
        for at in ((0, 0, 0), (8, 2, 2), (4, 1, 2)):
            x, y = a.copy(), b.copy()
            x[at] = value
            y[at[0], at[2], at[1]] = 0 if error == "invalid" else value
            with pytest.raises(FloatingPointError, match=error), np.errstate(all="raise"):
                fastla.matmul(x, y)
            with np.errstate(all="ignore"):
                got = fastla.matmul(x, y)
            others = np.arange(9) != at[0]
            assert_same_bits(got[others], want[others], f"{error} at {at}")
            assert not np.isfinite(got[at[0]]).all()
    assert_same_bits(fastla.matmul(-a * 0, b), np.zeros_like(want), "no -0")


def test_many_threads_share_a_long_stack(dtype, rng):
    a, b = random_matrix(rng, (30000, 4, 4), dtype), random_matrix(rng, (30000, 4, 4), dtype)
    want = fastla.matmul(a, b, num_threads=1)
    for threads in (2, 3, 8):
        assert_same_bits(fastla.matmul(a, b, num_threads=threads), want, f"{threads} threads")
    assert_same_bits(want[::997], one_by_one(a[::997], b[::997]), "a sample")


@pytest.mark.parametrize("m", [1, 2, 3, 4, 6, 8, 12])
def test_rows_of_four(isa, dtype, m, rng):
    """A row of C fills a quad of a vector; rows that are padded, and columns of more than four, do not."""
    a, b = random_matrix(rng, (9, m, 4), dtype), random_matrix(rng, (9, 4, 4), dtype)
    want = one_by_one(a, b)
    assert_same_bits(fastla.matmul(a, b), want, "contiguous")
    for step in (2, 4):
        padded = np.zeros((9, m + step, 4 + step), dtype)[:, :m, :4]
        for x in (a, b):
            spread = np.zeros((9, x.shape[1] + 1, 4 + step), dtype)[:, : x.shape[1], :4]
            spread[...] = x
            left, right = (spread, b) if x is a else (a, spread)
            assert_same_bits(fastla.matmul(left, right), want, f"padded by {step}")
        fastla.matmul(a, b, out=padded)
        assert_same_bits(padded, want, "out= padded")
        assert not padded.base[:, m:].any() and not padded.base[:, :, 4:].any()


# So many bytes of products are written past the caches.
LARGE = 17 << 20


@pytest.mark.parametrize("shape", [(4, 4, 4), (4, 1, 4), (3, 3, 3), (1, 1, 2), (5, 3, 7), (20, 21, 5)],
                         ids=str)
@pytest.mark.parametrize("name", ["float32", "float64", "int16", "complex64"])
def test_large_results_and_what_lies_around_them(name, shape, rng):
    """Whole lines of C go to memory directly: the parts of lines at both ends, and of pieces, as ever."""
    m, n, k = shape
    size = np.dtype(name).itemsize
    count = LARGE // (m * n * size) + 1
    draw = rng.integers(-9, 9, 1000 + m * k + k * n).astype(name)
    a = np.lib.stride_tricks.sliding_window_view(draw, m * k)[np.arange(count) % 997].reshape(count, m, k)
    b = np.lib.stride_tricks.sliding_window_view(draw, k * n)[np.arange(count) % 991].reshape(count, k, n)
    some = 1000
    want = np.concatenate([fastla.matmul(a[i : i + some], b[i : i + some]) for i in range(0, count, some)])
    for threads in (1, 2):
        assert_same_bits(fastla.matmul(a, b, num_threads=threads), want, f"{threads} threads")
    room = np.empty(want.size * size + 256, np.uint8)
    for offset in (64 - room.ctypes.data % 64, size, 100 // size * size + size):
        room[:] = 0xA5
        out = room[offset : offset + want.nbytes].view(name).reshape(want.shape)
        fastla.matmul(a, b, out=out)
        assert_same_bits(out, want, f"from byte {offset} on")
        assert (room[:offset] == 0xA5).all() and (room[offset + want.nbytes :] == 0xA5).all()
    pairs = (count // 2, 2)  # runs of two products
    a2, b2 = (x[: 2 * pairs[0]].reshape(*pairs, *x.shape[1:])[:, ::-1] for x in (a, b))
    assert_same_bits(fastla.matmul(a2, b2)[:, ::-1].reshape(-1, m, n), want[: 2 * pairs[0]], "short runs")


def test_forced_paths_have_the_bits_of_the_kernels_for_stacks(isa, dtype, rng):
    a, b = random_matrix(rng, (11, 6, 9), dtype), random_matrix(rng, (11, 9, 5), dtype)
    want = fastla.matmul(a, b)
    for path in ("packed", "direct"):
        _core.force_path(path)
        assert_same_bits(fastla.matmul(a, b), want, path)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "complex64", "complex128", "float16"])
def test_other_dtypes(isa, dtype, threads, rng):
    """One block of each item, of which only the addresses change; and what needs scratch, item by item."""
    for m, n, k in [(3, 3, 3), (4, 1, 4), (1, 5, 6), (20, 30, 10), (2, 2, 700), (40, 40, 40)]:
        draw = (lambda *s: rng.integers(-9, 9, s)) if "int" in dtype else (lambda *s: rng.standard_normal(s))
        a, b = draw(5, 3, m, k).astype(dtype), draw(5, 3, k, n).astype(dtype)
        got = fastla.matmul(a, b, num_threads=threads)
        assert got.tobytes() == one_by_one(a, b).tobytes(), (dtype, m, n, k)


GUARDED = """
    import sys
    import numpy as np
    import fastla
    sys.path.insert(0, {tests!r})
    from guarded import guarded, held

    rng = np.random.default_rng(7)
    with fastla.use_isa({isa!r}):
        for dtype in (np.float32, np.float64):
            for m in (1, 2, 3, 4, 5, 9, 16):
                for n in (1, 2, 3, 4, 5, 7, 8, 11, 16):
                    for k in (1, 2, 3, 4, 6, 9):
                        count = 1 + (m + n + k) % 7
                        a, b = (rng.standard_normal((count, *s)).astype(dtype) for s in ((m, k), (k, n)))
                        x, y = guarded(a.shape, dtype, {at_end}), guarded(b.shape, dtype, {at_end})
                        yt = guarded((count, n, k), dtype, {at_end})
                        out = guarded((count, m, n), dtype, {at_end})
                        x[...], y[...], yt[...] = a, b, b.swapaxes(1, 2)
                        want = fastla.matmul(a, b)
                        for right in (y, yt.swapaxes(1, 2)):
                            fastla.matmul(x, right, out=out)
                            assert np.array_equal(out, want), (dtype, m, n, k)
                        del x, y, yt, out, right
                        held.clear()
    print("ok")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
@pytest.mark.parametrize("at_end", [True, False], ids=["end", "begin"])
def test_neighbouring_pages(isa, at_end):
    assert run_python(GUARDED.format(isa=isa, at_end=at_end, tests=HERE), timeout=300) == "ok"
