"""overflow="raise" names the first entry that does not fit, "widen" gives what Python's integers give."""

import numpy as np
import pytest

import fastla

CODES = "bBhHiIlLqQ"


def exact(a, b):
    """The product in Python's integers."""
    return np.asarray(np.matmul(a.astype(object), b.astype(object)), object)


def draw(rng, shape, code, bits):
    info = np.iinfo(code)
    high = min(info.max, 2**bits - 1)
    return rng.integers(max(info.min, -high), high, shape, dtype=code, endpoint=True)


SHAPES = [((3, 5), (5, 4)), ((5,), (5, 4)), ((3, 5), (5,)), ((5,), (5,)), ((2, 3, 5), (5, 4)),
          ((1, 40), (40, 1)), ((0, 5), (5, 3)), ((3, 0), (0, 4)), ((17, 60), (60, 19))]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("code", CODES)
def test_widen_is_exact(code, shapes, rng):
    for bits in range(2, np.iinfo(code).bits + 1):
        a, b = draw(rng, shapes[0], code, bits), draw(rng, shapes[1], code, bits)
        want = exact(a, b)
        got = fastla.matmul(a, b, overflow="widen")
        dtype = np.dtype(object) if type(got) is int else got.dtype
        assert np.array_equal(np.asarray(got).astype(object), want), bits
        low, high = (min(want.flat), max(want.flat)) if want.size else (0, 0)
        fitting = [np.dtype(code)] + [np.dtype(f"{np.dtype(code).kind}{size}") for size in (1, 2, 4, 8)
                                      if size > np.dtype(code).itemsize]
        fits = [d for d in fitting if np.iinfo(d).min <= low and high <= np.iinfo(d).max]
        assert dtype == (fits[0] if fits else np.dtype(object)), bits


@pytest.mark.parametrize("code", CODES)
def test_raise_names_the_first_entry(code, rng):
    raised = 0
    for bits in range(2, np.iinfo(code).bits + 1):
        a, b = draw(rng, (4, 9), code, bits), draw(rng, (9, 6), code, bits)
        want, info = exact(a, b), np.iinfo(code)
        beyond = [(i, j) for i, j in np.ndindex(want.shape) if not info.min <= want[i, j] <= info.max]
        out = np.full((4, 6), 77, code)
        if not beyond:
            assert np.array_equal(fastla.matmul(a, b, overflow="raise"), want)
            assert fastla.matmul(a, b, out=out, overflow="raise") is out
            assert np.array_equal(out, want)
            continue
        raised += 1
        (i, j) = beyond[0]
        with pytest.raises(OverflowError) as error:
            fastla.matmul(a, b, out=out, overflow="raise")
        said = str(error.value)
        assert f"entry [{i}, {j}] is {want[i, j]}," in said
        assert "(4, 9)" in said and "(9, 6)" in said and np.dtype(code).name in said
        assert (out == 77).all()
    assert raised > 2


def test_int16_that_numpy_wraps():
    """numpy issue 6753: a correlation of sound samples in int16."""
    a = np.array([[20000, 20000], [1, 2]], np.int16)
    assert np.matmul(a, a.T)[0, 0] == fastla.matmul(a, a.T)[0, 0] == np.int64(800000000).astype(np.int16)
    with pytest.raises(OverflowError, match=r"entry \[0, 0\] is 800000000, which int16 does not hold"):
        fastla.matmul(a, a.T, overflow="raise")
    assert fastla.matmul(a, a.T, overflow="widen").dtype == np.int32


@pytest.mark.parametrize("value", [2**31 - 1, -2**31, 46340, 46341, -46341])
def test_the_border_of_int32(value):
    for k in (1, 2, 3, 600):
        a, b = np.full((2, k), value, np.int32), np.full((k, 3), value, np.int32)
        fits = k * value * value < 2**31
        if fits:
            assert (fastla.matmul(a, b, overflow="raise") == k * value * value).all()
        else:
            with pytest.raises(OverflowError, match=str(k * value * value)):
                fastla.matmul(a, b, overflow="raise")
        wide = fastla.matmul(a, b, overflow="widen")
        assert int(wide[0, 0]) == k * value * value


@pytest.mark.parametrize("code", "lQ")
def test_cancellation_of_huge_terms(code, rng):
    """Magnitudes say nothing here: the exact sum decides."""
    top = np.iinfo(code).max
    if code == "l":
        a, b = np.array([[top, top, 5]], code), np.array([[top], [-top], [1]], code)
        assert fastla.matmul(a, b, overflow="raise")[0, 0] == 5
        b[2, 0] = top
        with pytest.raises(OverflowError):
            fastla.matmul(a, b, overflow="raise")
    else:
        a, b = np.array([[top, 0]], code), np.array([[1], [top]], code)
        assert fastla.matmul(a, b, overflow="raise")[0, 0] == top
        a[0, 1] = 1
        with pytest.raises(OverflowError, match=str(2 * top)):
            fastla.matmul(a, b, overflow="raise")


def test_a_wider_dtype_overflows_later():
    a = np.full((1, 70000), 200, np.uint8)
    assert fastla.matmul(a, a.T, dtype=np.uint64, overflow="raise")[0, 0] == 70000 * 40000
    with pytest.raises(OverflowError, match="int32"):
        fastla.matmul(a, a.T, dtype=np.int32, overflow="raise")


def test_mixed_operands_and_other_dtypes(rng):
    a, b = draw(rng, (3, 5), "b", 7), draw(rng, (5, 2), "B", 8)
    assert np.array_equal(fastla.matmul(a, b, overflow="widen"), exact(a, b))
    x = rng.standard_normal((3, 3))
    for mode in ("wrap", "raise", "widen"):
        assert np.array_equal(fastla.matmul(x, x, overflow=mode), fastla.matmul(x, x))
        assert fastla.matmul(x > 0, x > 0, overflow=mode).dtype == bool


def test_bad_calls():
    x = np.ones((2, 2), np.int8)
    with pytest.raises(ValueError, match="'saturate'"):
        fastla.matmul(x, x, overflow="saturate")
    with pytest.raises(ValueError, match="out="):
        fastla.matmul(x, x, out=x.copy(), overflow="widen")
    with pytest.raises(ValueError, match=r"a\.shape"):
        fastla.matmul(x, np.ones((3, 2), np.int8), overflow="raise")


def test_long_sums_go_in_parts(monkeypatch, rng):
    from fastla import _integers

    monkeypatch.setattr(_integers, "_MOST", 7)
    a, b = draw(rng, (3, 50), "l", 63), draw(rng, (50, 4), "l", 63)
    assert np.array_equal(fastla.matmul(a, b, overflow="widen"), exact(a, b))


def test_a_narrower_out_counts():
    a = np.array([[2**20]], np.int32)
    for narrow in (np.int8, np.int16, np.int32):
        out = np.full((1, 1), 7, narrow)
        with pytest.raises(OverflowError, match=np.dtype(narrow).name):
            fastla.matmul(a, a, out=out, dtype=np.int64, overflow="raise")
        assert out[0, 0] == 7
    wide = np.zeros((1, 1), np.int64)
    assert fastla.matmul(a, a, out=wide, dtype=np.int64, overflow="raise")[0, 0] == 2**40
    unsigned = np.array([[200]], np.uint8)
    out = np.full((1, 1), 7, np.int8)
    with pytest.raises(OverflowError, match="int8"):
        fastla.matmul(unsigned, unsigned // 200, out=out, overflow="raise")
    assert fastla.matmul(unsigned // 2, unsigned // 200, out=out, overflow="raise")[0, 0] == 100


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of numpy.matrix
def test_what_numpy_would_wrap_is_refused(tmp_path):
    a = np.array([[100, 100]], np.int8)
    mapped = np.memmap(tmp_path / "a", np.int8, "w+", shape=(1, 2))
    mapped[...] = a
    for mode in ("raise", "widen"):
        for x, keywords in [(np.matrix(a), {}), (mapped, {}), (a, {"casting": "same_kind"}),
                            (a, {"dtype": ">i2"})]:
            with pytest.raises(TypeError, match=mode):
                fastla.matmul(x, x.T, overflow=mode, **keywords)
    assert fastla.matmul(np.asarray(mapped), np.asarray(mapped).T, overflow="widen")[0, 0] == 20000
    assert fastla.matmul(np.matrix(a), a.T)[0, 0] == np.int8(20000 % 256)
