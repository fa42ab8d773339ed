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
    subtract,
    unless_nan,
)

ACTIVATIONS = ("none", "relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid")
NONE, RELU, GELU, GELU_TANH, SILU, TANH, SIGMOID = range(len(ACTIVATIONS))
_EXP, _EXPM1, _OVER_ODD, _OVER_EVEN, _UNDER_ODD, _UNDER_EVEN = range(len(POLYNOMIALS))
# Below `tiny` a function equals its first term; from its limit on it is constant, or y where y is positive.
_LIMITS = {
    "float32": {"tiny": 2.0**-30, "exp": 87, "tanh": 10, "gelu": 13.125, "gelu_tanh": 9.9375},
    "float64": {"tiny": 2.0**-60, "exp": 708, "tanh": 20, "gelu": 37.5, "gelu_tanh": 21.125},
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
    minus_ln2_high, minus_ln2_low = -ln2_high, -ln2_low
    zero, minus_zero, minus_half, one, two = map(number, (0.0, -0.0, -0.5, 1, 2))
    half_log2_e = log2_e / two

    @cuda.jit(device=True, inline="always")
    def within(y, limit):  # type: ignore
        m = clamped(y, zero, limit)
        return m if m < limit else zero

    @cuda.jit(device=True, inline="always")
    def without_tail(y, m, tail):  # type: ignore
        return fma(negative(m), tail, minus_zero if bits_of(y) < 0 else y)

    @cuda.jit(device=True, inline="always")
    def power_of_2(n, like):  # type: ignore
        return from_bits(whole((n << fraction_bits) + exponent_of_1), like)

    @cuda.jit(device=True, inline="always")
    def remove(x, n):  # type: ignore
        return fma(n, minus_ln2_low, fma(n, minus_ln2_high, x))

    @cuda.jit(device=True, inline="always")
    def exp_reduced(r):  # type: ignore
        return fma(r, polynomial(_EXP, r), one)

    @cuda.jit(device=True, inline="always")
    def exp_of_minus(m):  # type: ignore
        """As (e, power), exp(-m) = e power: so nothing that is divided is very small."""
        shifted = fma(log2_e, m, magic)
        e = exp_reduced(negative(remove(m, subtract(shifted, magic))))
        return e, power_of_2(-bits_of(shifted), m)

    @cuda.jit(device=True, inline="always")
    def bell(x):  # type: ignore
        shifted = fma(multiply(x, half_log2_e), x, magic)
        n = subtract(shifted, magic)
        r = fma(multiply(x, minus_half), x, multiply(n, ln2_high))
        r = fma(n, ln2_low, r)
        return multiply(r, polynomial(_EXP, r)), power_of_2(-bits_of(shifted), x)

    @cuda.jit(device=True)
    def relu(y, which):  # type: ignore
        return zero if bits_of(y) < 0 else y

    @cuda.jit(device=True)
    def gelu(y, which):  # type: ignore
        m = within(y, gelu_limit)
        x = clamped(m, tiny, gelu_limit)
        square = multiply(x, x)
        fraction, power = bell(x)
        over = fma(polynomial(_OVER_ODD, square), x, polynomial(_OVER_EVEN, square))
        under = fma(polynomial(_UNDER_ODD, square), x, polynomial(_UNDER_EVEN, square))
        return without_tail(y, multiply(m, power), quotient(fma(over, fraction, over), under))

    @cuda.jit(device=True)
    def gelu_tanh(y, which):  # type: ignore
        m = within(y, gelu_tanh_limit)
        x = clamped(m, tiny, gelu_tanh_limit)
        square = multiply(x, x)
        square_low = fma(x, x, negative(square))
        high = fma(cubic_high, square, linear_high)
        low = fma(cubic_high, square, subtract(linear_high, high))
        low = fma(cubic_high, square_low, low)
        low = fma(cubic_low, square, add(low, linear_low))
        shifted = fma(multiply(x, high), log2_e, magic)
        n = subtract(shifted, magic)
        r = fma(n, minus_ln2_low, fma(x, high, multiply(n, minus_ln2_high)))
        e, power = exp_reduced(negative(fma(x, low, r))), power_of_2(-bits_of(shifted), x)
        return without_tail(y, multiply(m, power), quotient(e, fma(e, power, one)))

    @cuda.jit(device=True)
    def sigmoid(y, which):  # type: ignore
        """Or, by the same steps, silu."""
        m = within(y, exp_limit)
        e, power = exp_of_minus(m)
        if which == SILU:
            return without_tail(y, multiply(m, power), quotient(e, fma(e, power, one)))
        usual, below_0 = clamped(y, zero, exp_limit) < exp_limit, bits_of(y) < 0
        power = power if usual else zero
        q = quotient(e if below_0 else one, fma(e, power, one))
        return multiply(q, power) if below_0 else q

    @cuda.jit(device=True)
    def tanh(y, which):  # type: ignore
        a = multiply(clamped(y, zero, tanh_limit), two)
        shifted = fma(log2_e, a, magic)
        power = power_of_2(bits_of(shifted), y)
        r = remove(a, subtract(shifted, magic))
        t = fma(fma(multiply(r, polynomial(_EXPM1, r)), r, r), power, subtract(power, one))
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
