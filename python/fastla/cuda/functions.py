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
    clamped,
    divide,
    fma,
    from_bits,
    multiply,
    negative,
    polynomial,
    quotient,
    reciprocal,
    subtract,
    unless_nan,
)

ACTIVATIONS = ("none", "relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid")
NONE, RELU, GELU, GELU_TANH, SILU, TANH, SIGMOID = range(len(ACTIVATIONS))
_EXP, _MILLS = (POLYNOMIALS.index(name) for name in ("exp", "mills"))
# Below `tiny` a function equals its first term; beyond its limit it is constant or rounds to zero.
_LIMITS = {
    "float32": {"tiny": 2.0**-30, "exp": 128, "tanh": 10, "gelu": 14.5, "gelu_tanh": 11},
    "float64": {"tiny": 2.0**-60, "exp": 1024, "tanh": 20, "gelu": 38.75, "gelu_tanh": 22},
}


def activation(dtype: str) -> tuple[Any, Any]:
    """The device functions (y, which) -> y of a number of that dtype, and (values, which) of a vector of them
    in registers; `which` of ACTIVATIONS, not NONE for vectors."""
    single = dtype == "float32"
    lanes = 4 if single else 2
    number: Any = np.float32 if single else np.float64
    whole = int32 if single else int64
    fraction_bits = 23 if single else 52
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
    minus_half = number(-0.5)

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
    def powers(shifted, like):  # type: ignore
        """Two whose product is 2^n; n is in the low bits of shifted."""
        half = shifted >> 1  # floor(n / 2) in its low bits: magic is even
        return power_of_2(half, like), power_of_2(shifted - half, like)

    @cuda.jit(device=True, inline="always")
    def exp_parts(r, shifted):  # type: ignore
        head, tail = powers(bits_of(shifted), r)
        return fma(head, expm1_reduced(r), head), tail

    @cuda.jit(device=True, inline="always")
    def logistic(y, head, tail):  # type: ignore
        d = fma(head, tail, one)
        below_0 = bits_of(y) < 0
        return quotient(head if below_0 else one, d), tail if below_0 else one

    @cuda.jit(device=True, inline="always")
    def normal_tail(m):  # type: ignore
        b = multiply(m, minus_half)
        shifted = fma(multiply(b, log2_e), m, magic)
        n = subtract(shifted, magic)
        r = fma(n, minus_ln2_low, fma(b, m, multiply(n, minus_ln2_high)))
        d = add(m, four)
        rest, t = subtract(m, subtract(d, four)), reciprocal(d)
        u, minus_t = multiply(t, eight), negative(t)
        error = fma(minus_t, rest, fma(minus_t, d, one))
        p = polynomial(_MILLS, fma(negative(u), error, subtract(one, u)))
        ratio = multiply(p, t)
        back = negative(ratio)
        g = fma(t, fma(back, rest, fma(back, d, p)), ratio)
        head, tail = powers(bits_of(shifted), r)
        head = multiply(g, head)
        return fma(head, expm1_reduced(r), head), tail

    @cuda.jit(device=True)
    def relu(y, which):  # type: ignore
        return zero if bits_of(y) < 0 else y

    @cuda.jit(device=True)
    def gelu(y, which):  # type: ignore
        head, tail = normal_tail(clamped(y, tiny, gelu_limit))
        lower, upper = multiply(below(y, gelu_limit), head), fma(negative(head), tail, one)
        return multiply(lower, tail) if bits_of(y) < 0 else multiply(y, upper)

    @cuda.jit(device=True)
    def gelu_tanh(y, which):  # type: ignore
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
        head, tail = exp_parts(r, shifted)
        q, p = logistic(y, head, tail)
        return multiply(multiply(below(y, gelu_tanh_limit), q), p)

    @cuda.jit(device=True)
    def sigmoid(y, which):  # type: ignore
        """Or, by the same steps, silu."""
        x = negative(clamped(y, zero, exp_limit))
        shifted = fma(log2_e, x, magic)
        head, tail = exp_parts(remove(x, subtract(shifted, magic)), shifted)
        q, p = logistic(y, head, tail)
        return multiply(multiply(below(y, exp_limit), q) if which == SILU else q, p)

    @cuda.jit(device=True)
    def tanh(y, which):  # type: ignore
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
            return relu(y, which)
        if which == GELU:
            return gelu(y, which)
        if which == GELU_TANH:
            return gelu_tanh(y, which)
        if which == TANH:
            return tanh(y, which)
        return sigmoid(y, which)

    def of_vector(f: Any) -> Any:
        """f of each number of a vector in registers, side by side; NaN stays."""

        @cuda.jit(device=True, forceinline=True)
        def vector(v, which):  # type: ignore
            v[0], v[1] = unless_nan(v[0], f(v[0], which)), unless_nan(v[1], f(v[1], which))
            if lanes == 4:
                v[2], v[3] = unless_nan(v[2], f(v[2], which)), unless_nan(v[3], f(v[3], which))

        return vector

    relus, gelus, gelus_tanh, sigmoids, tanhs = map(of_vector, (relu, gelu, gelu_tanh, sigmoid, tanh))

    @cuda.jit(device=True, forceinline=True)
    def activate_vector(values, which):  # type: ignore
        if which == RELU:
            relus(values, which)
        elif which == GELU:
            gelus(values, which)
        elif which == GELU_TANH:
            gelus_tanh(values, which)
        elif which == TANH:
            tanhs(values, which)
        else:
            sigmoids(values, which)

    return activate, activate_vector
