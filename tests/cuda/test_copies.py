"""Copies that change layout and dtype: every pair of dtypes, any strides, and their machine code."""

import numpy as np
import pytest

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings", "ml_dtypes"):
    pytest.importorskip(needed, reason="needs fastla[cuda], greenlet and ml_dtypes")

import device  # noqa: E402
import ml_dtypes  # noqa: E402

from fastla.cuda import stacks  # noqa: E402

NAMES = ("float16", "bfloat16", "float32", "float64")
DTYPES = {name: np.dtype(getattr(ml_dtypes, name, name)) for name in NAMES}


def copied(start, to):
    """Into an array, by as many copies as it takes."""
    with device.emulated() as backend:
        made = stacks.copies(start.shape, start.strides, start.dtype.name, to.strides, to.dtype.name)
        source, target = device.Array(start), device.Array(to)
        for copy, to_offset, start_offset in made:
            places = target.host.ctypes.data + to_offset, source.host.ctypes.data + start_offset
            backend.launch(copy.variant, copy.grid, copy.arguments(*places), 0, 0)
    return len(made)


def numbers(dtype):
    """Some of every size, and those at which rounding turns."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal(150) * np.exp2(rng.integers(-30, 30, 150))
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 65504, 65520, 1e-8, 6e-8, 1e-40, 3.4e38, 1 + 2**-8,
               1 + 3 * 2**-8]
    with np.errstate(over="ignore"):
        return np.concatenate([x, special]).astype(dtype)


@pytest.mark.parametrize("target", DTYPES)
@pytest.mark.parametrize("source", DTYPES)
def test_every_pair_of_dtypes(source, target):
    x = numbers(DTYPES[source])
    got = np.full(x.shape, 7, DTYPES[target])
    copied(x, got)
    with np.errstate(over="ignore", invalid="ignore"):
        want = x.astype(np.float64).astype(DTYPES[target])
    np.testing.assert_array_equal(got.astype(float), want.astype(float))
    assert (np.signbit(got) == np.signbit(want))[~np.isnan(want)].all()


@pytest.mark.parametrize("target", DTYPES)
@pytest.mark.parametrize("source", ["float8_e4m3fn", "float8_e5m2"])
def test_all_floats_of_8_bits(source, target):
    """No dtype has less: nothing is lost."""
    x = np.arange(256, dtype=np.uint8).view(getattr(ml_dtypes, source))
    got = np.full(256, 7, DTYPES[target])
    copied(x, got)
    np.testing.assert_array_equal(got.astype(float), x.astype(float))
    assert (np.signbit(got) == np.signbit(x))[~np.isnan(x)].all()


@pytest.mark.parametrize("code", ["i1", "u1", "i4", "f2", "f8"])
def test_bits_stay_as_they_are(code):
    x = np.random.default_rng(5).integers(0, 256, 8 * 60, np.uint8).view(code)
    got = np.zeros_like(x)
    copied(x, got)
    assert got.tobytes() == x.tobytes()


def test_a_number_is_rounded_once():
    """By way of float32 the first two would be ties, which go to 1."""
    x = np.array([1 + 2**-8 + 2**-40, -1 - 2**-8 - 2**-40, 1 + 2**-8 - 2**-40, 1 + 2**-8, 1e300, 3.39e38])
    got = np.zeros(6, DTYPES["bfloat16"])
    copied(x, got)
    assert got.astype(float).tolist() == [1 + 2**-7, -1 - 2**-7, 1, 1, np.inf, float(got[5])]
    assert np.isfinite(float(got[5]))


def test_any_strides():
    rng = np.random.default_rng(4)
    whole = rng.standard_normal((3, 2, 35, 40)).astype(np.float32)
    for start in (whole, whole[:, ::-1, ::-2, ::3], whole.transpose(1, 3, 0, 2), whole[0, 0, 0],
                  whole[0, :, 3, ::-1], np.broadcast_to(whole[0, 0], (4, 35, 40)), whole[:0]):
        for order in (1, -1):
            to = np.zeros([n + 2 for n in start.shape[::order]], np.float64)
            inner = to[tuple(slice(1, -1) for _ in start.shape)]
            copied(start, inner if order == 1 else inner.T)
            assert (inner == (start if order == 1 else start.T)).all()
            inner[...] = 0
            assert not to.any()


def test_few_launches():
    x = np.ones((4, 5, 6, 8), np.float32)
    assert copied(x, np.empty_like(x)) == 1
    assert copied(x[:, ::2], np.empty_like(x[:, ::2])) == 3
    assert copied(x.transpose(1, 0, 2, 3), np.empty_like(x.transpose(1, 0, 2, 3), order="C")) == 4
