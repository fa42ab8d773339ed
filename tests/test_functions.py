"""The activations: bits as the scalar oracle's on every kernel row, errors within what is stated."""

import decimal
import functools
from decimal import Decimal

import numpy as np
import pytest
import shapes
from oracle import activate
from shapes import assert_same_bits

import fastla
from fastla import _core

NAMES = ("relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid")
SMOOTH = NAMES[1:]
# Up to there results are 0.
LIMITS = {np.float32: {"gelu": 13.125, "gelu_tanh": 9.9375, "silu": 87, "sigmoid": 87},
          np.float64: {"gelu": 37.5, "gelu_tanh": 21.125, "silu": 708, "sigmoid": 708}}
# The accuracy that docs/functions.md states (in units in the last place), rounded up to a half.
MAX_ULP = {"gelu": 6, "gelu_tanh": 3.5, "silu": 3.5, "tanh": 3, "sigmoid": 2.5}


@functools.lru_cache(maxsize=2)
def arguments(dtype):
    """Every binade, both signs, the neighbourhoods of all thresholds, the flat ends, and what is
    special."""
    info = np.finfo(dtype)
    rng = np.random.default_rng(71)
    powers = np.exp2(np.arange(info.minexp - info.nmant, info.maxexp, 7.0))
    near = [0.125, 0.25, 0.5, 0.75, 1, 2, 4, 6, 8, 9, 9.9375, 10, 13.125, 20, 21.125, 37.5, 87, 88.7, 104,
            128, 708, 709.8, 745, 1024, 2.0**-30, 2.0**-60, info.tiny, info.max]
    near = np.array(near, dtype)
    with np.errstate(over="ignore"):
        near = np.concatenate([near, np.nextafter(near, dtype(0)), np.nextafter(near, dtype(9e9))])
    x = np.concatenate([powers, near, np.exp(rng.uniform(-20, 5, 250)), rng.uniform(0, 50, 150),
                        rng.uniform(0, 1, 100), [0, np.inf, np.nan, info.smallest_subnormal]])
    with np.errstate(over="ignore"):
        x = x.astype(dtype)
    x = np.concatenate([x, -x])
    x.flags.writeable = False
    return x


@functools.lru_cache(maxsize=16)
def expected(name, dtype):
    return activate(name, arguments(dtype))


@pytest.mark.parametrize("name", NAMES)
def test_bits(isa, dtype, name):
    assert_same_bits(_core.activate(name, arguments(dtype)), expected(name, dtype), name)


@pytest.mark.parametrize("name", NAMES)
def test_every_length_and_layout(isa, dtype, name):
    """Whole vectors, remainders, and arrays that are no contiguous run; the argument stays as it is."""
    lanes = shapes.row_of(isa, dtype).vector_bytes // np.dtype(dtype).itemsize
    x, want = arguments(dtype), expected(name, dtype)
    for start in (0, 1, len(x) // 2):
        for length in range(3 * lanes + 2):
            part = shapes.poisoned(x[start:start + length])
            assert_same_bits(_core.activate(name, part), want[start:start + length], f"{length}")
    square, square_want = x[:900].reshape(30, 30), want[:900].reshape(30, 30)
    for layout, y in shapes.layouts(square):
        assert_same_bits(_core.activate(name, y), square_want, layout)
        assert_same_bits(np.asarray(y, dtype), square, f"{layout}, argument")


@pytest.mark.parametrize("name", NAMES)
def test_in_the_epilogue(isa, dtype, path, name):
    """The same bits after a product, next to any neighbour, raising neither invalid, nor overflow, nor
    divide-by-zero, not even for Inf and quiet NaN."""
    x, want = arguments(dtype)[:1000], expected(name, dtype)[:1000]
    zeros = np.zeros((1000, 3), dtype)
    for columns in (1, 5, 40, 1000):
        shape = (1000 // columns, columns)
        with np.errstate(all="raise", under="ignore"):
            got = fastla.gemm(zeros[:shape[0]], zeros[:columns].T, residual=np.zeros(shape, dtype),
                              beta=1.0, c=x.reshape(shape), activation=name)
        assert_same_bits(got, want.reshape(shape) + dtype(0), f"{columns} columns")


def test_relu_is_zero_below_zero_and_passes_nan(isa, dtype):
    x = np.array([-0.0, 0.0, -1.0, 1.0, -np.inf, np.inf, np.nan], dtype)
    want = np.array([0, 0, 0, 1, 0, np.inf, np.nan], dtype)
    assert_same_bits(_core.activate("relu", x), want)


@pytest.mark.parametrize("name", SMOOTH)
def test_limits_and_nan(isa, dtype, name):
    low, high, at_inf, at_nan = _core.activate(
        name, np.array([-np.inf, np.finfo(dtype).max, np.inf, np.nan], dtype))
    bounded = name in ("tanh", "sigmoid")
    assert low == (-1 if name == "tanh" else 0)
    assert high == (1 if bounded else np.finfo(dtype).max)
    assert at_inf == (1 if bounded else np.inf)
    assert np.isnan(at_nan)


@pytest.mark.parametrize("name", SMOOTH)
def test_zeros_keep_their_sign(isa, dtype, name):
    got = _core.activate(name, np.array([0.0, -0.0], dtype))
    want = [0.5, 0.5] if name == "sigmoid" else [0.0, -0.0]
    assert_same_bits(got, np.array(want, dtype))


def test_tanh_is_odd(isa, dtype):
    x = arguments(dtype)
    assert_same_bits(_core.activate("tanh", -x), -_core.activate("tanh", x))


def exact_erfc(x):
    """erfc of a positive Decimal in the current context, whose digits must cover the cancellation."""
    term = total = x
    n = 0
    while abs(term) > Decimal(10) ** -(decimal.getcontext().prec - 5):
        n += 1
        term = -term * x * x / n
        total += term / (2 * n + 1)
    return 1 - total * 2 / exact_pi().sqrt()


@functools.cache
def pi_digits(precision):
    """Machin's formula."""
    def arctan_of_inverse(q):
        one = 10 ** (precision + 10)
        term = total = one // q
        n = 1
        while term:
            term //= -q * q
            n += 2
            total += term // n
        return total

    return Decimal(4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))).scaleb(-precision - 10)


def exact_pi():
    return +pi_digits(decimal.getcontext().prec)


def exact(name, x):
    """The function of a finite float, to 40 digits or more."""
    x = Decimal(float(x))
    if x == 0:
        return Decimal("0.5") if name == "sigmoid" else x
    small = max(0, -x.adjusted())
    m = min(abs(x), Decimal(40))  # beyond, Phi is 0 or 1 in every format
    with decimal.localcontext(prec=80 + min(small, 80) + int(m * m / 2), Emin=-10**8, Emax=10**8):
        if name == "tanh":
            return x if small > 70 else (1 - 2 / ((2 * m).exp() + 1)).copy_sign(x)
        if name == "gelu":
            tail = exact_erfc(m / Decimal(2).sqrt()) / 2 if m < 40 else Decimal(0)
            return x * (tail if x < 0 else 1 - tail)
        if name == "gelu_tanh":
            y = 2 * (2 / exact_pi()).sqrt() * (x + Decimal("0.044715") * x * x * x)
        else:
            y = x
        y = max(min(y, Decimal(3000)), Decimal(-3000))
        sigmoid = 1 / (1 + (-y).exp())
        return sigmoid if name == "sigmoid" else x * sigmoid


@pytest.mark.parametrize("name", SMOOTH)
def test_error_in_ulp(dtype, name):
    """The stated bound, against arithmetic to 40 digits; a subnormal's ulp is the smallest subnormal."""
    info = np.finfo(dtype)
    x = arguments(dtype)
    x = x[np.isfinite(x)][:: 8 if name == "gelu" and dtype is np.float64 else 2]
    got = _core.activate(name, x)
    worst = (0.0, 0.0)
    for value, y in zip(x, got, strict=True):
        want = exact(name, value)
        if abs(want) > Decimal(float(info.max)):
            continue
        if value <= -LIMITS[dtype].get(name, np.inf):
            assert y == 0 and abs(want) < 1100 * Decimal(float(info.tiny)), f"{y} at {value}"
            continue
        nearest = np.abs(dtype(float(want)))
        ulp = Decimal(float(np.spacing(min(max(nearest, info.tiny), info.max / 2))))
        worst = max(worst, (float(abs(Decimal(float(y)) - want) / ulp), float(value)))
    assert worst[0] <= MAX_ULP[name], f"{worst[0]:.3f} ulp at {worst[1]!r}"
