"""docs/functions.md in plain scalar Python: the same bits as the library, one element at a time.

Nothing is shared with the C++ source but the coefficients. Integers are Python integers, powers of
two come from ldexp, the nearest integer from fractions, and fma from the C library (exact by IEEE 754).
"""

import ctypes
import ctypes.util
import math
from fractions import Fraction

import numpy as np

from fastla.cuda import coefficients

_libm = ctypes.CDLL(ctypes.util.find_library("m"))
_libm.fma.restype, _libm.fma.argtypes = ctypes.c_double, [ctypes.c_double] * 3
_libm.fmaf.restype, _libm.fmaf.argtypes = ctypes.c_float, [ctypes.c_float] * 3


class Arithmetic:
    """The IEEE operations of one type, its constants and its limits."""

    def __init__(self, dtype, fma, bits, quiet_bit, table, limits):
        self.type = dtype
        self._fma = fma
        self.bits, self.quiet_bit = bits, quiet_bit
        self.table = {
            name: [self.hex(c) for c in value] if isinstance(value, list) else self.hex(value)
            for name, value in table.items()
        }
        self.limit = {name: dtype(value) for name, value in limits.items()}

    def hex(self, text):
        return self.type(float.fromhex(text))

    def fma(self, a, b, c):
        return self.type(self._fma(float(a), float(b), float(c)))

    def polynomial(self, name, x, coefficients=slice(None)):
        *rest, total = self.table[name][coefficients]
        for c in reversed(rest):
            total = self.fma(total, x, c)
        return total

    def by_squares(self, name, x):
        square = x * x
        even, odd = (self.polynomial(name, square, slice(first, None, 2)) for first in (0, 1))
        return self.fma(odd, x, even)

    def power_of_two(self, n):
        return self.type(math.ldexp(1.0, n))

    def quiet(self, nan):
        """The same NaN with its quiet bit set; integers keep Python's float() from touching it."""
        return (np.array(nan).view(self.bits) | self.bits(self.quiet_bit)).view(self.type)[()]


FLOAT32 = Arithmetic(
    np.float32,
    _libm.fmaf,
    np.uint32,
    1 << 22,
    coefficients.FLOAT32,
    {"tiny": 2.0**-30, "exp": 87, "tanh": 10, "gelu": 13.125, "gelu_tanh": 9.9375},
)
FLOAT64 = Arithmetic(
    np.float64,
    _libm.fma,
    np.uint64,
    1 << 51,
    coefficients.FLOAT64,
    {"tiny": 2.0**-60, "exp": 708, "tanh": 20, "gelu": 37.5, "gelu_tanh": 21.125},
)


def nearest(a, b):
    """The integer nearest to the exact product, ties to even (as Python's round)."""
    return round(Fraction(float(a)) * Fraction(float(b)))


def at_most(A, y, limit):
    return min(abs(y), A.limit[limit])


def within(A, y, limit):
    """|y|, or 0 from the limit on."""
    m = abs(y)
    return m if m < A.limit[limit] else A.type(0)


def minus_n_ln2(A, x, n):
    r = A.fma(A.type(n), -A.table["ln2_high"], x)
    return A.fma(A.type(n), -A.table["ln2_low"], r)


def exp_reduced(A, r):
    return A.fma(r, A.polynomial("exp", r), A.type(1))


def exp_of_minus(A, m):
    n = nearest(m, A.table["log2_e"])
    return exp_reduced(A, -minus_n_ln2(A, m, n)) * A.power_of_two(-n)


def log(A, y):
    if y <= 0 or math.isinf(y):
        return A.type(-math.inf if y == 0 else math.inf if y > 0 else math.nan)
    mantissa, k = math.frexp(float(y))  # in [1/2, 1); below sqrt_half it is doubled
    if mantissa < float(A.table["sqrt_half"]):
        mantissa, k = 2 * mantissa, k - 1
    f, k = A.type(mantissa) - A.type(1), A.type(k)
    s = f / (f + A.type(2))
    z, h = s * s, f * f * A.type(0.5)
    low = A.fma(s, A.fma(z, A.polynomial("log", z), h), k * A.table["ln2_low"])
    return A.fma(k, A.table["ln2_high"], f - (h - low))


def tanh(A, y):
    a = A.type(2) * at_most(A, y, "tanh")
    n = nearest(a, A.table["log2_e"])
    power, r = A.power_of_two(n), minus_n_ln2(A, a, n)
    expm1 = A.fma(r * A.polynomial("exp", r, slice(1, None)), r, r)
    t = A.fma(expm1, power, power - A.type(1))
    return np.copysign(t / (t + A.type(2)), y)


def bell(A, x):
    """exp(-x^2 / 2) = (1 + fraction) 2^-n as (fraction, n)."""
    half = -(x / A.type(2))
    n = nearest(x * (A.table["log2_e"] / A.type(2)), x)
    r = A.fma(half, x, A.type(n) * A.table["ln2_high"])
    r = A.fma(A.type(n), A.table["ln2_low"], r)
    return r * A.polynomial("exp", r), n


def without_tail(A, y, m, tail):
    return A.fma(-m, tail, A.type(-0.0) if np.signbit(y) else y)


def sigmoid(A, y):
    e = exp_of_minus(A, abs(y)) if abs(y) < A.limit["exp"] else A.type(0)
    return (e if np.signbit(y) else A.type(1)) / (e + A.type(1))


def silu(A, y):
    m = within(A, y, "exp")
    e = exp_of_minus(A, m)
    return without_tail(A, y, m, e / (e + A.type(1)))


def gelu(A, y):
    m = within(A, y, "gelu")
    x = max(m, A.limit["tiny"])
    fraction, n = bell(A, x)
    over = A.by_squares("mills_over", x)
    tail = A.fma(over, fraction, over) / A.by_squares("mills_under", x)
    return without_tail(A, y, m * A.power_of_two(-n), tail)


def gelu_tanh(A, y):
    t = A.table
    m = within(A, y, "gelu_tanh")
    x = max(m, A.limit["tiny"])
    square = x * x
    square_low = A.fma(x, x, -square)
    high = A.fma(t["cubic_high"], square, t["linear_high"])
    low = A.fma(t["cubic_high"], square, t["linear_high"] - high)
    low = A.fma(t["cubic_high"], square_low, low)
    low = A.fma(t["cubic_low"], square, low + t["linear_low"])
    n = nearest(x * high, t["log2_e"])
    r = A.fma(x, high, -(A.type(n) * t["ln2_high"]))
    r = A.fma(A.type(n), -t["ln2_low"], r)
    r = A.fma(x, low, r)
    e = exp_reduced(A, -r) * A.power_of_two(-n)
    return without_tail(A, y, m, e / (e + A.type(1)))


def relu(A, y):
    return A.type(0) if np.signbit(y) else y


FUNCTIONS = {
    "log": log,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "silu": silu,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "relu": relu,
}


def activate(name, x, dtype):
    """The function called `name` of one number, as a NumPy scalar of float32 or float64."""
    A = FLOAT32 if np.dtype(dtype) == np.float32 else FLOAT64
    y = np.asarray(x, dtype)[()]
    if np.isnan(y):
        return y if name == "relu" else A.quiet(y)
    with np.errstate(all="ignore"):
        return A.type(FUNCTIONS[name](A, y))
