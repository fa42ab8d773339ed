"""topk beside sorting all scores: which rows, their values, ties, errors."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastla

SHAPES = [(1, 1, 1, 1), (5, 7, 3, 7), (300, 1000, 5, 10), (1, 5000, 20, 4), (70, 333, 600, 50),
          (40, 40, 1, 1), (3, 2000, 8, 2000), (257, 129, 33, 3)]


def first(scores, k):
    """Of each row the k largest, of equals those with the lower index, by a stable sort."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, 1), order


def distances(q, x):
    """In the widest floats: near enough for any order that is not a tie."""
    return np.sqrt(np.square(q[:, None].astype(np.longdouble) - x).sum(axis=2))


@pytest.mark.parametrize("shape", SHAPES)
def test_dot_has_the_bits_of_matmul(rng, dtype, isa, shape):
    m, n, d, k = shape
    q, x = rng.standard_normal((m, d)).astype(dtype), rng.standard_normal((n, d)).astype(dtype)
    found = fastla.topk(q, x, k)
    values, order = first(fastla.matmul(q, x.T), k)
    np.testing.assert_array_equal(found.indices, order)
    np.testing.assert_array_equal(found.values, values)
    assert found.values.dtype == dtype and found.indices.dtype == np.int64


@pytest.mark.parametrize("shape", SHAPES)
def test_cosine(rng, dtype, shape):
    m, n, d, k = shape
    q, x = rng.standard_normal((m, d)).astype(dtype), rng.standard_normal((n, d)).astype(dtype)
    q[0] = 0
    found = fastla.topk(q, x, k, metric="cosine")
    lengths = (np.sqrt(np.square(a.astype(np.longdouble)).sum(axis=1, keepdims=True)) for a in (q, x))
    unit = [a / np.where(s > 0, s, 1) for a, s in zip((q, x), lengths, strict=True)]
    true = unit[0] @ unit[1].T
    near = 8 * d * np.finfo(dtype).eps
    there = np.take_along_axis(true, found.indices, 1).astype(float)
    np.testing.assert_allclose(found.values, there, atol=near)
    np.testing.assert_allclose(found.values, first(true, k)[0].astype(float), atol=near)
    assert (found.values[0] == 0).all() and (found.indices[0] == np.arange(k)).all()


@pytest.mark.parametrize("shift", [0, 1000])
@pytest.mark.parametrize("shape", SHAPES)
def test_l2_is_exact(rng, dtype, isa, shape, shift):
    m, n, d, k = shape
    q, x = (shift + rng.standard_normal((c, d)).astype(dtype) for c in (m, n))
    found = fastla.topk(q, x, k, metric="l2")
    true = distances(q, x)
    values, order = first(-true, k)
    np.testing.assert_array_equal(found.indices, order)
    np.testing.assert_allclose(found.values, -values.astype(float), rtol=4 * np.finfo(dtype).eps)


def test_near_neighbours_keep_their_digits():
    """Distances far below the rounding of |q|^2 - 2 q.x + |x|^2, even shifted, since one row is far away."""
    x = np.ones((200, 3), np.float32)
    x[:, 0] += np.arange(200) * np.float32(2**-23)
    x[199] = 1e6
    found = fastla.topk(x[:100], x, 3, metric="l2", exclude=np.arange(100))
    assert found.indices[50].tolist() == [49, 51, 48]
    np.testing.assert_array_equal(found.values[50], np.float32([2**-23, 2**-23, 2**-22]))


@pytest.mark.parametrize("metric", ["dot", "cosine", "l2"])
def test_ties_go_to_the_lower_index(metric):
    x = np.ones((700, 2))
    found = fastla.topk(x, x, 5, metric=metric)
    assert (found.indices == np.arange(5)).all()
    left_out = fastla.topk(x, x, 5, metric=metric, exclude=np.arange(700))
    assert left_out.indices[3].tolist() == [0, 1, 2, 4, 5]
    assert left_out.indices[600].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("metric", ["dot", "cosine", "l2"])
@pytest.mark.parametrize("m", [1, 3, 900])
def test_threads_and_other_rows_change_nothing(rng, threads, m, metric):
    q, x = rng.standard_normal((m, 24)), rng.integers(-2, 3, (3000, 24)).astype(float)
    found = fastla.topk(q, x, 9, metric=metric, num_threads=threads)
    one = fastla.topk(q, x, 9, metric=metric, num_threads=1)
    last = fastla.topk(q[-1:], x, 9, metric=metric, num_threads=threads)
    for a, b, c in zip(found, one, last, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a[-1:], c)


@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 5), st.data())
def test_of_small_integers(m, n, d, data):
    """Exact scores with many ties, any k, some rows excluded."""
    seed, k = data.draw(st.integers(0, 99)), data.draw(st.integers(1, n))
    r = np.random.default_rng(seed)
    q, x = r.integers(-2, 3, (m, d)), r.integers(-2, 3, (n, d))
    exclude = r.integers(-1, n, m) if k < n else np.full(m, -1)
    for metric, scores in (("dot", q @ x.T), ("l2", -np.square(q[:, None] - x).sum(axis=2))):
        scores = scores.astype(float)
        scores[exclude >= 0, exclude[exclude >= 0]] = -np.inf
        found = fastla.topk(q, x, k, metric=metric, exclude=exclude)
        values, order = first(scores, k)
        np.testing.assert_array_equal(found.indices, order)
        np.testing.assert_array_equal(found.values, values if metric == "dot" else np.sqrt(-values))


def test_views_and_dtypes(rng):
    x = rng.standard_normal((50, 12))
    for q in (x[::-2, ::3], np.asfortranarray(x[:, :4]), x[:, :4].astype(">f8"), x[:, :4].astype(np.float16)):
        same = np.ascontiguousarray(q).astype(q.dtype.newbyteorder("="))
        a, b = fastla.topk(q, q, 3, metric="l2"), fastla.topk(same, same, 3, metric="l2")
        np.testing.assert_array_equal(a.indices, b.indices)
        np.testing.assert_array_equal(a.values, b.values)
    assert fastla.topk(x.astype(np.float32), x, 1).values.dtype == np.float64
    assert fastla.topk(x[:0], x, 2).values.shape == (0, 2)


def test_overflow_is_in_order(isa):
    """What overflows to infinity is the most or the least; a NaN, of two blocks of K, is no more."""
    big = np.finfo(np.float32).max
    q, x = np.zeros((1, 513), np.float32), np.zeros((5, 513), np.float32)
    q[0, [0, 512]] = big
    x[0, [0, 512]] = big, -big
    x[1:4, 0] = 1, big, -big
    with np.errstate(all="ignore"):
        assert np.isnan(fastla.matmul(q, x.T)[0, 0])
    for k in (1, 2, 5):
        assert fastla.topk(q, x, k).indices[0].tolist() == [2, 1, 4, 0, 3][:k]


def test_memory_is_the_result(rng):
    q, x = rng.standard_normal((3000, 8)), rng.standard_normal((3000, 8))
    fastla.topk(q[:300], x, 3)
    tracemalloc.start()
    try:
        fastla.topk(q, x, 3)
        assert tracemalloc.get_traced_memory()[1] < 3000 * 3000  # bytes: an eighth of all scores
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("call", "said"), [
    (lambda x: fastla.topk(x[0], x, 1), r"topk: q is \(2,\); it must have two dimensions"),
    (lambda x: fastla.topk(x[:, :1], x, 1), r"topk: q is \(3, 1\), x is \(3, 2\); rows must have the"),
    (lambda x: fastla.topk(x, x, 4), r"topk: k is 4; x is \(3, 2\), so it must be from 1 to 3"),
    (lambda x: fastla.topk(x, x, 3, exclude=[0, 1, 2]), "must be from 1 to 2"),
    (lambda x: fastla.topk(x, x, 0), "k is 0"),
    (lambda x: fastla.topk(x, x[:0], 1), "k is 1"),
    (lambda x: fastla.topk(x, x, 1, metric="l1"), "metric is 'l1'; it must be one of"),
    (lambda x: fastla.topk(x, x, 1, exclude=[0, 1]), r"exclude is \(2,\) of dtype int64; it must be \(3,\)"),
    (lambda x: fastla.topk(x, x, 1, exclude=[0, 1, 3]), "exclude has 3 at 2"),
    (lambda x: fastla.topk(x, np.where(x == 3, np.nan, x), 1), r"x of shape \(3, 2\), .* nan at \(1, 1\)"),
    (lambda x: fastla.topk(np.where(x == 0, np.inf, x), x, 1), r"q of shape .* contains inf at \(0, 0\)"),
])
def test_bad_values(call, said):
    with pytest.raises(ValueError, match=said):
        call(np.arange(6.0).reshape(3, 2))


def test_bad_types():
    x = np.ones((2, 2))
    with pytest.raises(TypeError, match="q is of dtype complex128; it must be real"):
        fastla.topk(x + 1j, x, 1)
    with pytest.raises(TypeError, match="k must be an integer, not float"):
        fastla.topk(x, x, 1.5)
