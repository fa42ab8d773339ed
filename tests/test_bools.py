"""Products of bool: OR, exclusive OR and counts of ANDs."""

import numpy as np
import pytest
from process import HERE, run_python

import fastla

SHAPES = [(1, 1, 1), (3, 5, 7), (9, 2, 40), (9, 3, 9), (8, 70, 20), (9, 64, 8), (40, 65, 513), (17, 1024, 31),
          (20, 1025, 600), (30, 4200, 40), (0, 4, 4), (4, 0, 4), (12, 7, 0), (2000, 1, 33), (1, 300, 900)]


def counts(a, b):
    return np.matmul(a.astype(np.int64), b.astype(np.int64))


def layouts(x):
    yield x
    yield np.asfortranarray(x)
    yield np.repeat(np.repeat(x, 2, axis=0), 3, axis=1)[::2, ::3]
    yield np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_semiring(shape, share, threads, rng):
    m, n, k = shape
    a, b = rng.random((m, k)) < share, rng.random((k, n)) < share
    want = counts(a, b)
    for x, y in zip(layouts(a), layouts(b), strict=True):
        for left, right in ((a, y), (x, b), (x, y)):
            got = fastla.matmul(left, right, num_threads=threads)
            assert got.dtype == bool and got.view(np.uint8).max(initial=0) <= 1
            assert np.array_equal(got, want > 0)
            assert np.array_equal(fastla.matmul(left, right, semiring="or"), want > 0)
            odd = fastla.matmul(left, right, semiring="xor", num_threads=threads)
            assert odd.dtype == bool and np.array_equal(odd, want % 2 == 1)
            count = fastla.matmul(left, right, semiring="count", num_threads=threads)
            assert count.dtype == np.intp and np.array_equal(count, want)


@pytest.mark.parametrize("share", [0.003, 0.5])
@pytest.mark.parametrize("shape", [(600, 1500, 700), (3000, 2, 500), (40, 5000, 1200)], ids=str)
def test_threads_share_large_products(shape, share, threads, rng):
    """Large enough for several threads; columns of B apart, along and down it."""
    m, n, k = shape
    a, b = rng.random((m, k)) < share, rng.random((k, n)) < share
    want = np.matmul(a.astype(float), b.astype(float)).astype(int)  # exact
    for right in (b, np.asfortranarray(b), np.repeat(b, 2, axis=1)[:, ::2]):
        assert np.array_equal(fastla.matmul(a, right, num_threads=threads), want > 0)
        assert np.array_equal(fastla.matmul(a, right, semiring="xor", num_threads=threads), want % 2 == 1)


def test_as_numpy(rng):
    """Vectors, stacks, broadcasting, out= of other layouts and dtypes, other nonzero bytes."""
    a, b = rng.random((3, 1, 12, 50)) < 0.1, rng.random((2, 50, 30)) < 0.1
    for x, y in [(a, b), (a[0, 0], b), (a, b[0]), (a[0, 0, 0], b), (a, b[0, :, 0]), (a[0, 0, 0], b[0, :, 0])]:
        want = np.matmul(x, y)
        assert np.array_equal(fastla.matmul(x, y), want) and np.shape(fastla.matmul(x, y)) == want.shape
        assert np.array_equal(fastla.matmul(x, y, semiring="count"), counts(x, y))
    left, right = a[0, 0], b[0]
    for out in (np.zeros((30, 12), bool).T, np.zeros((24, 60), bool)[::-2, ::2], np.zeros((12, 30), np.int8),
                np.zeros((12, 30), complex)):
        assert fastla.matmul(left, right, out=out) is out
        assert np.array_equal(out, np.matmul(left, right))
    square = rng.random((70, 70)) < 0.1
    want = np.matmul(square, square)
    assert np.array_equal(fastla.matmul(square, square, out=square), want)
    odd = rng.integers(0, 256, (40, 70), dtype=np.uint8)
    odd[rng.random((40, 70)) < 0.8] = 0
    got = fastla.matmul(odd.view(bool), odd.T.copy().view(bool))
    assert np.array_equal(got, counts(odd > 0, (odd > 0).T) > 0)
    got = fastla.matmul(odd.view(bool), odd.T.copy().view(bool), semiring="count")
    assert np.array_equal(got, counts(odd > 0, (odd > 0).T))
    with pytest.raises(ValueError, match="2147483648"):
        fastla.matmul(*(np.broadcast_to(True, s) for s in ((1, 2**31), (2**31, 1))), semiring="count")
    assert fastla.matmul(left, right.astype(np.int8)).dtype == np.int8
    total = np.zeros((12, 30), np.int64)
    assert fastla.matmul(left, right, out=total, semiring="count") is total
    assert np.array_equal(total, counts(left, right))


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # numpy.matrix
def test_errors():
    a = np.ones((2, 2), bool)
    with pytest.raises(ValueError, match="'and'"):
        fastla.matmul(a, a, semiring="and")
    assert fastla.matmul(a.astype(float), a.astype(float), semiring="or").dtype == float  # the default
    for x, y in [(a, a.astype(int)), (a.astype(float), a.astype(float))]:
        with pytest.raises(TypeError, match=f"{y.dtype}"):
            fastla.matmul(x, y, semiring="xor")
    with pytest.raises(TypeError, match="matrix"):
        fastla.matmul(np.matrix(a), a, semiring="xor")
    with pytest.raises(TypeError, match="ufunc keywords"):
        fastla.matmul(a, a, semiring="xor", axes=[(0, 1), (0, 1), (0, 1)])
    out = np.zeros((2, 2), bool)
    with pytest.raises(TypeError, match="semiring"):
        fastla.matmul(a, a, out=out, semiring="count")
    assert not out.any()
    with pytest.raises(ValueError, match=r"\(2, 2\), b is \(3, 2\)"):
        fastla.matmul(a, np.ones((3, 2), bool))


GUARDED = """
    import sys
    import numpy as np
    import fastla
    sys.path.insert(0, {tests!r})
    from guarded import guarded, held

    rng = np.random.default_rng(5)
    for at_end in (True, False):
        for m, n, k in [(9, 3, 1), (9, 9, 9), (12, 63, 15), (20, 65, 7), (1, 13, 5), (3, 1, 11),
                        (10, 1029, 513)]:
            x, y = rng.random((m, k)) < 0.3, rng.random((k, n)) < 0.3
            a, b, bt, c = (guarded(s, bool, at_end) for s in ((m, k), (k, n), (n, k), (m, n)))
            a[...], b[...], bt[...] = x, y, y.T
            for right in (b, bt.T):
                for semiring in ("or", "xor"):
                    fastla.matmul(a, right, out=c, semiring=semiring)
                    count = x.astype(int) @ y.astype(int)
                    assert np.array_equal(c, count > 0 if semiring == "or" else count % 2 == 1), (m, n, k)
            del a, b, bt, c, right
            held.clear()
    print("ok")
"""


def test_neighbouring_pages():
    assert run_python(GUARDED.format(tests=HERE)) == "ok"
