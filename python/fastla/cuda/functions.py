"""Activations, docs/functions.md: the CPU's bits (csrc/kernels/math.hpp), a number at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda
from numba.cuda import int32, int64

from . import coefficients
from .numbers import (
    POLYNOMIALS,
    add,
    bits_of,
    divide,
    fma,
    from_bits,
    multiply,
    polynomial,
    subtract,
)

ACTIVATIONS = ("none", "relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid")
NONE, RELU, GELU, GELU_TANH, SILU, TANH, SIGMOID = range(len(ACTIVATIONS))
_EXP, _MILLS = (POLYNOMIALS.index(name) for name in ("exp", "mills"))
# Below `tiny` a function equals its first term; beyond its limit it is constant or rounds to zero.
_LIMITS = {
    "float32": {"tiny": 2.0**-30, "exp": 128, "tanh": 10, "gelu": 14.5, "gelu_tanh": 11},
    "float64": {"tiny": 2.0**-60, "exp": 1024, "tanh": 20, "gelu": 38.75, "gelu_tanh": 22},
}


def activation(dtype: str) -> Any:
    """The device function (y, which) -> y of numbers of that dtype; `which` of ACTIVATIONS."""
    single = dtype == "float32"
    number: Any = np.float32 if single else np.float64
    whole = int32 if single else int64
    fraction_bits = 23 if single else 52
    magnitude = (1 << (31 if single else 63)) - 1
    exponent_of_1 = (127 if single else 1023) << fraction_bits
    magic = number(1.5 * 2.0**fraction_bits)  # x + magic rounds x to an integer, which the low bits are
    tiny, exp_limit, tanh_limit, gelu_limit, gelu_tanh_limit = map(number, _LIMITS[dtype].values())
    table = coefficients.FLOAT32 if single else coefficients.FLOAT64
    constants = {name: number(float.fromhex(c)) for name, c in table.items() if isinstance(c, str)}
    log2_e, ln2_high, ln2_low = (constants[name] for name in ("log2_e", "ln2_high", "ln2_low"))
    linear_high, linear_low = constants["linear_high"], constants["linear_low"]
    cubic_high, cubic_low = constants["cubic_high"], constants["cubic_low"]
    minus_log2_e, minus_ln2_high, minus_ln2_low = -log2_e, -ln2_high, -ln2_low
    zero, minus_zero, one, two, four, eight = map(number, (0.0, -0.0, 1, 2, 4, 8))
    minus_one, minus_half = number(-1), number(-0.5)

    @cuda.jit(device=True, inline="always")
    def negative(x):  # type: ignore
        return multiply(x, minus_one)

    @cuda.jit(device=True, inline="always")
    def clamped(x, low, high):  # type: ignore
        x = from_bits(whole(bits_of(x) & magnitude), x)
        return high if x > high else low if x < low else x

    @cuda.jit(device=True, inline="always")
    def below(y, limit):  # type: ignore
        return minus_zero if y < -limit else y

    @cuda.jit(device=True, inline="always")
    def power_of_2(n, like):  # type: ignore
        return from_bits(whole((n << fraction_bits) + exponent_of_1), like)

    @cuda.jit(device=True, inline="always")
    def remove(x, n):  # type: ignore
        return fma(n, minus_ln2_low, fma(n, minus_ln2_high, x))

    @cuda.jit(device=True, inline="always")
    def expm1_reduced(r):  # type: ignore
        return fma(multiply(r, polynomial(_EXP, r)), r, r)

    @cuda.jit(device=True, inline="always")
    def scaled(c, w, shifted):  # type: ignore
        half = shifted >> 1  # floor(n / 2) in its low bits: magic is even
        c = multiply(c, power_of_2(half, c))
        return fma(c, w, c), power_of_2(shifted - half, c)

    @cuda.jit(device=True, inline="always")
    def exp_parts(x):  # type: ignore
        shifted = fma(log2_e, x, magic)
        r = remove(x, subtract(shifted, magic))
        return scaled(one, expm1_reduced(r), bits_of(shifted))

    @cuda.jit(device=True, inline="always")
    def logistic(y, head, tail):  # type: ignore
        d = fma(head, tail, one)
        if bits_of(y) < 0:
            return divide(head, d), tail
        return divide(one, d), one

    @cuda.jit(device=True, inline="always")
    def normal_tail(m):  # type: ignore
        b = multiply(m, minus_half)
        shifted = fma(multiply(b, log2_e), m, magic)
        n = subtract(shifted, magic)
        r = fma(n, minus_ln2_low, fma(b, m, multiply(n, minus_ln2_high)))
        d = add(m, four)
        rest, t = subtract(m, subtract(d, four)), divide(one, d)
        u, minus_t = multiply(t, eight), negative(t)
        error = fma(minus_t, rest, fma(minus_t, d, one))
        p = polynomial(_MILLS, fma(negative(u), error, subtract(one, u)))
        quotient = multiply(p, t)
        back = negative(quotient)
        g = fma(t, fma(back, rest, fma(back, d, p)), quotient)
        return scaled(g, expm1_reduced(r), bits_of(shifted))

    @cuda.jit(device=True)
    def gelu(y):  # type: ignore
        head, tail = normal_tail(clamped(y, tiny, gelu_limit))
        if bits_of(y) < 0:
            return multiply(multiply(below(y, gelu_limit), head), tail)
        return multiply(y, fma(negative(head), tail, one))

    @cuda.jit(device=True)
    def gelu_tanh(y):  # type: ignore
        m = clamped(y, tiny, gelu_tanh_limit)
        minus_m, square = negative(m), multiply(m, m)
        square_low = fma(m, m, negative(square))
        high = fma(cubic_high, square, linear_high)
        low = fma(cubic_high, square, subtract(linear_high, high))
        low = fma(cubic_high, square_low, low)
        low = fma(cubic_low, square, add(low, linear_low))
        shifted = fma(multiply(m, high), minus_log2_e, magic)
        n = subtract(shifted, magic)
        r = fma(n, minus_ln2_low, fma(minus_m, high, multiply(n, minus_ln2_high)))
        r = fma(minus_m, low, r)
        head, tail = scaled(one, expm1_reduced(r), bits_of(shifted))
        q, p = logistic(y, head, tail)
        return multiply(multiply(below(y, gelu_tanh_limit), q), p)

    @cuda.jit(device=True)
    def sigmoid(y, silu):  # type: ignore
        """Or, by the same steps, silu."""
        head, tail = exp_parts(negative(clamped(y, zero, exp_limit)))
        q, p = logistic(y, head, tail)
        return multiply(multiply(below(y, exp_limit), q) if silu else q, p)

    @cuda.jit(device=True)
    def tanh(y):  # type: ignore
        a = multiply(clamped(y, zero, tanh_limit), two)
        shifted = fma(log2_e, a, magic)
        power = power_of_2(bits_of(shifted), y)
        r = remove(a, subtract(shifted, magic))
        t = fma(expm1_reduced(r), power, subtract(power, one))
        t = divide(t, add(t, two))
        return negative(t) if bits_of(y) < 0 else t

    @cuda.jit(device=True, inline="always")
    def activate(y, which):  # type: ignore
        if which == NONE or y != y:
            return y
        if which == RELU:
            return zero if bits_of(y) < 0 else y
        if which == GELU:
            return gelu(y)
        if which == GELU_TANH:
            return gelu_tanh(y)
        if which == TANH:
            return tanh(y)
        return sigmoid(y, which == SILU)

    return activate
