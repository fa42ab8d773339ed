"""gram: the bits of the product with the transpose, both halves of it, whatever the path."""

import numpy as np
import pytest
from shapes import random_matrix

import fastla

CODES = ["float32", "float64", "complex64", "complex128", "float16", "int8", "int16", "int32", "uint64",
         "bool"]
SHAPES = [(3, 2), (1, 70), (70, 1), (520, 64), (30, 65), (64, 150), (5, 131), (0, 70), (70, 0)]


def draw(rng, shape, code):
    dtype = np.dtype(code)
    if dtype.kind == "b":
        return rng.random(shape) < 0.05
    if dtype.kind in "iu":
        return rng.integers(0, 100, shape).astype(dtype)
    if dtype.kind == "c":
        re, im = (random_matrix(rng, shape, np.float64) for _ in range(2))
        return (re + 1j * im).astype(dtype)
    return random_matrix(rng, shape, dtype)


def products(a):
    left, right = a.conj().swapaxes(-1, -2), a.conj().swapaxes(-1, -2)
    with np.errstate(all="ignore"):
        return {"left": fastla.matmul(left, a), "right": fastla.matmul(a, right)}


def same(x, y):
    return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()


@pytest.mark.parametrize("code", CODES)
def test_bits_of_the_product(isa, path, code, rng):
    for shape in SHAPES:
        a = draw(rng, shape, code)
        for side, want in products(a).items():
            with np.errstate(all="ignore"):
                for x in (a, np.asfortranarray(a), np.repeat(a, 2, axis=1)[:, ::2]):
                    got = fastla.gram(x, side=side)
                    assert same(got, want), (shape, side, x.strides)
            assert same(got, got.conj().T + got.dtype.type(0)), (shape, side)


@pytest.mark.parametrize("code", ["float32", "float64", "complex64", "complex128", "int8", "int32"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_threads_share_the_upper_half(threads, code, side, rng):
    for shape in [(700, 200), (3000, 90), (90, 300), (9000, 70), (257, 259)]:
        a = draw(rng, shape, code)
        if side == "right":
            a = np.ascontiguousarray(a.T)
        want = fastla.gram(a, side=side, num_threads=1)
        assert same(want, products(a)[side])
        assert same(fastla.gram(a, side=side, num_threads=threads), want), shape
        out = np.full(want.shape[::-1], 7, want.dtype).T
        assert fastla.gram(a, side=side, out=out, num_threads=threads) is out
        assert same(np.ascontiguousarray(out), want), (shape, "out by columns")


def test_complex_symmetric_zero_has_no_sign(rng):
    a = np.zeros((5, 80), np.complex64)
    a.real = rng.standard_normal((5, 80))
    got = fastla.gram(a)
    assert not np.signbit(got.imag).any()
    assert same(got, products(a)["left"])


def test_stacks_and_vectors(isa, rng):
    for code in ("float64", "complex64", "int32"):
        a = draw(rng, (3, 2, 9, 70), code)
        for side, want in products(a).items():
            assert same(fastla.gram(a, side=side), want), (code, side)
    for shape in ((), (5,)):
        with pytest.raises(ValueError, match="two dimensions"):
            fastla.gram(np.ones(shape))


def test_out_and_dtype(rng):
    a = random_matrix(rng, (80, 80), np.float64)
    want = fastla.gram(a)
    overlapping = a.copy()
    assert fastla.gram(overlapping, out=overlapping) is overlapping
    assert same(overlapping, want)
    whole = rng.integers(-9, 9, (70, 90)).astype(np.int8)
    assert same(fastla.gram(whole, dtype=np.float32), fastla.matmul(whole.T.astype("f4"), whole.astype("f4")))
    assert same(fastla.gram(whole.tolist()), fastla.gram(whole.astype(np.int64)))
    assert same(fastla.gram(a.astype(">f8")), want)
    read_only = np.empty((80, 80))
    read_only.flags.writeable = False
    for out, error, text in [(np.empty((80, 79)), ValueError, r"\(80, 79\).*\(80, 80\)"),
                             (read_only, ValueError, "read-only"), ([[1]], TypeError, "list"),
                             (np.empty((80, 80), "f4"), TypeError, "float32.*float64")]:
        with pytest.raises(error, match=text):
            fastla.gram(a, out=out)
    with pytest.raises(ValueError, match="'top'"):
        fastla.gram(a, side="top")
    with pytest.raises(TypeError, match=r"complex64.*float32"):
        fastla.gram(a.astype("c8"), dtype=np.float32)
    with pytest.raises(TypeError, match="MaskedArray"):
        fastla.gram(np.ma.array(a, mask=a > 0))
    for bad in (np.ones((2, 2), object), np.ones((2, 2), np.longdouble)):
        with pytest.raises(TypeError, match=str(bad.dtype)):
            fastla.gram(bad)


def test_flags_are_the_upper_halfs(rng):
    a = random_matrix(rng, (100, 80), np.float32)
    a[3, 77] = np.inf
    a[3, 5] = 0
    with pytest.raises(FloatingPointError, match="invalid"), np.errstate(invalid="raise"):
        fastla.gram(a)
