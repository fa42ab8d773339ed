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

    def polynomial(self, name, x):
        *rest, total = self.table[name]
        for c in reversed(rest):
            total = self.fma(total, x, c)
        return total

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
    {"tiny": 2.0**-30, "exp": 128, "tanh": 10, "erf": 4, "gelu": 14.5, "gelu_tanh": 11},
)
FLOAT64 = Arithmetic(
    np.float64,
    _libm.fma,
    np.uint64,
    1 << 51,
    coefficients.FLOAT64,
    {"tiny": 2.0**-60, "exp": 1024, "tanh": 20, "erf": 6, "gelu": 38.75, "gelu_tanh": 22},
)


def nearest(a, b):
    """The integer nearest to the exact product, ties to even (as Python's round)."""
    return round(Fraction(float(a)) * Fraction(float(b)))


def clamped(A, x, high, low=None):
    m = min(abs(x), A.limit[high])
    return m if low is None else max(m, A.limit[low])


def expm1_reduced(A, r):
    return A.fma(r * A.polynomial("exp", r), r, r)


def minus_n_ln2(A, x, n):
    r = A.fma(A.type(n), -A.table["ln2_high"], x)
    return A.fma(A.type(n), -A.table["ln2_low"], r)


def scaled(A, c, w, n):
    """c (1 + w) 2^n as (head, tail)."""
    first = n // 2
    c = c * A.power_of_two(first)
    return A.fma(c, w, c), A.power_of_two(n - first)


def exp_parts(A, x):
    n = nearest(x, A.table["log2_e"])
    return scaled(A, A.type(1), expm1_reduced(A, minus_n_ln2(A, x, n)), n)


def exp(A, y):
    if math.isinf(y):
        return y if y > 0 else A.type(0)
    head, tail = exp_parts(A, np.copysign(clamped(A, y, "exp"), y))
    return head * tail


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
    a = A.type(2) * clamped(A, y, "tanh")
    n = nearest(a, A.table["log2_e"])
    power = A.power_of_two(n)
    t = A.fma(expm1_reduced(A, minus_n_ln2(A, a, n)), power, power - A.type(1))
    return np.copysign(t / (t + A.type(2)), y)


def normal_tail(A, m):
    """Phi(-m) as (head, tail)."""
    g = -(m / A.type(2))
    n = nearest(g * A.table["log2_e"], m)
    r = A.fma(g, m, -(A.type(n) * A.table["ln2_high"]))
    r = A.fma(A.type(n), -A.table["ln2_low"], r)
    d = m + A.type(4)
    rest, t = m - (d - A.type(4)), A.type(1) / d
    error = A.fma(-t, rest, A.fma(-t, d, A.type(1)))
    p = A.polynomial("mills", A.fma(A.type(-8) * t, error, A.type(1) - A.type(8) * t))
    quotient = p * t
    remainder = A.fma(-quotient, rest, A.fma(-quotient, d, p))
    mills = A.fma(t, remainder, quotient)
    return scaled(A, mills, expm1_reduced(A, r), n)


def erf(A, y):
    m = clamped(A, y, "erf")
    x = clamped(A, y, "erf", "tiny")
    if m < A.type(0.75):
        result = A.fma(m, A.polynomial("erf", x * x), m)
    else:
        head, tail = normal_tail(A, x * A.table["sqrt_2"])
        result = A.fma(A.type(-2) * head, tail, A.type(1))
    return np.copysign(result, y)


def logistic(A, negative, head, tail):
    """Numerator over denominator, and the power of two still to be multiplied with."""
    one = A.type(1)
    denominator = A.fma(head, tail, one)
    return (head / denominator, tail) if negative else (one / denominator, one)


def below(A, y, limit):
    """y, or -0 where the function is -0."""
    return A.type(-0.0) if y < -A.limit[limit] else y


def sigmoid(A, y):
    value, power = logistic(A, np.signbit(y), *exp_parts(A, -clamped(A, y, "exp")))
    return value * power


def silu(A, y):
    value, power = logistic(A, np.signbit(y), *exp_parts(A, -clamped(A, y, "exp")))
    return below(A, y, "exp") * value * power


def gelu(A, y):
    head, tail = normal_tail(A, clamped(A, y, "gelu", "tiny"))
    if np.signbit(y):
        return below(A, y, "gelu") * head * tail
    return y * A.fma(-head, tail, A.type(1))


def gelu_tanh(A, y):
    t = A.table
    m = clamped(A, y, "gelu_tanh", "tiny")
    square = m * m
    square_low = A.fma(m, m, -square)
    high = A.fma(t["cubic_high"], square, t["linear_high"])
    low = A.fma(t["cubic_high"], square, t["linear_high"] - high)
    low = A.fma(t["cubic_high"], square_low, low)
    low = A.fma(t["cubic_low"], square, low + t["linear_low"])
    n = nearest(m * high, -t["log2_e"])
    r = A.fma(-m, high, -(A.type(n) * t["ln2_high"]))
    r = A.fma(A.type(n), -t["ln2_low"], r)
    r = A.fma(-m, low, r)
    head, tail = scaled(A, A.type(1), expm1_reduced(A, r), n)
    value, power = logistic(A, np.signbit(y), head, tail)
    return below(A, y, "gelu_tanh") * value * power


def relu(A, y):
    return A.type(0) if np.signbit(y) else y


FUNCTIONS = {
    "exp": exp,
    "log": log,
    "tanh": tanh,
    "erf": erf,
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
