"""Products of integers: exact modulo 2^bits on every kernel row and path, exact where the result is wider."""

import itertools

import numpy as np
import pytest
from shapes import isa_names, layouts, row_of, usable

import fastla
from fastla import _core

NARROW = "bhil"
EVERY = "bBhHiIlLqQ"
WIDENING = [("b", "b"), ("B", "B"), ("b", "B"), ("B", "b"), ("h", "h"), ("h", "b"), ("B", "H")]


def draw(rng, shape, code, kind="all"):
    """All values, or the extreme ones alone."""
    info = np.iinfo(code)
    if kind == "extreme":
        return rng.choice(np.array([info.min, info.max], code), shape)
    return rng.integers(info.min, info.max, shape, dtype=code, endpoint=True)


def exact(a, b, code):
    """By Python's integers, modulo 2^bits."""
    total = np.zeros((a.shape[0], b.shape[1]), object)
    for p in range(a.shape[1]):
        total += a[:, p, None].astype(object) * b[None, p, :].astype(object)
    bits = np.iinfo(code).bits
    wrapped = total % 2**bits
    if np.dtype(code).kind == "i":
        wrapped = np.where(wrapped >= 2**(bits - 1), wrapped - 2**bits, wrapped)
    return wrapped.astype(code)


def edges(isa, code):
    """Sizes where the row's tiles, its words, and its blocks of K begin and end."""
    row = row_of(isa, code)
    ms = [1, 2, 4, row.mr - 1, row.mr, row.mr + 1, 2 * row.mr + 3]
    ns = [1, 2, row.nr // 2, row.nr - 1, row.nr, row.nr + 1, 2 * row.nr + 5]
    ks = [0, 1, 2, 3, 4, 5, 7, 16, 63, 130]
    return sorted(set(ms)), sorted(set(ns)), ks


@pytest.mark.parametrize("code", NARROW)
def test_every_size_at_an_edge(isa, path, code, rng):
    ms, ns, ks = edges(isa, code)
    a, b = draw(rng, (max(ms), max(ks)), code), draw(rng, (max(ks), max(ns)), code)
    for k in ks:
        want = exact(a[:, :k], b[:k], code)
        for m, n in itertools.product(ms, ns):
            got = fastla.matmul(a[:m, :k], b[:k, :n])
            assert got.dtype == want.dtype
            assert np.array_equal(got, want[:m, :n]), (m, n, k)


@pytest.mark.parametrize("code", EVERY)
@pytest.mark.parametrize("k", [511, 512, 513, 1023, 1026, 2047, 2048, 2049, 2051, 4099])
def test_blocks_of_k(isa, code, k, rng):
    """Against numpy.matmul, which adds one after the other: Python's integers would take minutes."""
    for m, n in [(5, 50), (17, 101), (1, 70), (70, 1), (4, 3)]:
        a, b = draw(rng, (m, k), code), draw(rng, (k, n), code)
        want = np.matmul(a, b)
        for threads in (1, 2, 3):
            for x, y in [(a, b), (np.asfortranarray(a), b), (a, np.asfortranarray(b))]:
                got = fastla.matmul(x, y, num_threads=threads)
                assert got.dtype == want.dtype
                assert np.array_equal(got, want), (m, n, threads)


@pytest.mark.parametrize("code", "bHiQ")
def test_layouts(isa, path, code, rng):
    for m, n, k in [(6, 9, 5), (19, 60, 37)]:
        a, b = draw(rng, (m, k), code), draw(rng, (k, n), code)
        want = exact(a, b, code)
        for name, x in integer_layouts(a):
            assert np.array_equal(fastla.matmul(x, b), want), ("a", name)
        for name, y in integer_layouts(b):
            assert np.array_equal(fastla.matmul(a, y), want), ("b", name)


def integer_layouts(x):
    """shapes.layouts without those that need NaN around them."""
    for name, y in layouts(x.astype(np.float64)):
        if "padded" in name or name.startswith("strided"):
            continue
        if y.dtype.isnative and y.flags.aligned and "struct" not in name:
            z = np.empty(y.shape, x.dtype, "F" if y.flags.f_contiguous else "C")
            z[...] = x
            if "reversed" in name:
                z = np.ascontiguousarray(z[::-1, ::-1])[::-1, ::-1]
            yield name, z
    big = np.full((3 * x.shape[0], 2 * x.shape[1]), 77, x.dtype)
    big[::3, ::2] = x
    yield "strided", big[::3, ::2]
    yield "byte-swapped", x.astype(x.dtype.newbyteorder())
    raw = np.zeros(x.nbytes + 1, np.uint8)
    odd = np.ndarray(x.shape, x.dtype, raw, 1)
    odd[...] = x
    yield "unaligned", odd
    record = np.zeros(x.shape, np.dtype([("tag", "u1"), ("x", x.dtype), ("tail", "u1")]))
    record["x"] = x
    yield "struct field", record["x"]


@pytest.mark.parametrize("codes", WIDENING, ids="".join)
@pytest.mark.parametrize("kind", ["all", "extreme"])
def test_wider_results_are_exact(isa, path, codes, kind, rng):
    for m, n, k in [(9, 50, 1), (3, 5, 6), (17, 97, 130), (1, 60, 300), (60, 1, 300), (8, 48, 2051)]:
        a, b = draw(rng, (m, k), codes[0], kind), draw(rng, (k, n), codes[1], kind)
        want = np.matmul(a.astype(np.int64), b.astype(np.int64))
        for wide in ("i", "l"):
            got = fastla.matmul(a, b, dtype=wide)
            assert got.dtype == np.dtype(wide)
            assert np.array_equal(got, want.astype(wide)), (wide, m, n, k)


def test_the_sum_of_two_products_that_16_bits_cannot_hold(isa):
    """Two times (-2^15)^2 is 2^31, which the instruction for pairs gives as -2^31: right modulo 2^32."""
    for k in (2, 3, 4, 513):
        a, b = np.full((9, k), -2**15, np.int16), np.full((k, 60), -2**15, np.int16)
        assert (fastla.matmul(a, b, dtype=np.int32) == np.int64(k * 2**30).astype(np.int32)).all()
        assert (fastla.matmul(a, b, dtype=np.int64) == k * 2**30).all()


def test_results_wrap_like_numpys():
    a = np.array([[100, 100]], np.int8)
    assert fastla.matmul(a, a.T)[0, 0] == np.matmul(a, a.T)[0, 0] == np.int8(20000 % 256)


@pytest.mark.parametrize("code", "bHil")
@pytest.mark.parametrize("layout", ["C", "F", "strided", "reversed"])
def test_out_alone_is_written(isa, path, code, layout, rng):
    for m, n, k in [(7, 53, 20), (33, 101, 64), (1, 40, 9), (5, 1, 9)]:
        a, b = draw(rng, (m, k), code), draw(rng, (k, n), code)
        fill = 77
        rows, cols = (n, m) if layout == "F" else (m, n)
        step = 3 if layout == "strided" else 1
        buffer = np.full((step * rows + 4, step * cols + 4), fill, code)
        out = buffer[2:2 + step * rows:step, 2:2 + step * cols:step]
        if layout == "F":
            out = out.T
        if layout == "reversed":
            out = out[::-1, ::-1]
        assert fastla.matmul(a, b, out=out) is out
        assert np.array_equal(out, np.matmul(a, b))
        out[...] = fill
        assert (buffer == fill).all()


def test_stacks_and_overlap(isa, rng):
    for code in "bhiQ":
        a, b = draw(rng, (3, 1, 20, 30), code), draw(rng, (2, 30, 41), code)
        assert np.array_equal(fastla.matmul(a, b), np.matmul(a, b))
        assert np.array_equal(fastla.matmul(a[0, 0, 0], b), np.matmul(a[0, 0, 0], b))
        x = draw(rng, (90, 90), code)
        want = np.matmul(x, x)
        assert np.array_equal(fastla.matmul(x, x, out=x), want)


def test_explain_and_rows():
    x = np.ones((300, 300), np.int8)
    plan = fastla.explain(x, x)
    assert plan.path == "packed"
    assert plan.kc % 4 == 0
    assert fastla.explain(x[0], x).path == "vector"
    assert fastla.explain(x.astype(np.uint64), x.astype(np.uint64)).isa == plan.isa
    names = {row.dtype for row in fastla.kernels()}
    assert {"int8", "int16", "int32", "int64", "int8->int32", "uint8,int8->int32"} <= names
    for isa in isa_names():
        if usable(isa):
            with fastla.use_isa(isa):
                assert all(_core.roof_fma(name, 1, 0.002, 1) > 0 for name in names)


def test_epilogues_and_packing_refuse_them():
    x = np.ones((4, 4), np.int32)
    for call in (fastla.linear, fastla.gemm):
        with pytest.raises(TypeError, match="int32"):
            call(x, x)
    with pytest.raises(TypeError, match="int32"):
        fastla.pack(x)
