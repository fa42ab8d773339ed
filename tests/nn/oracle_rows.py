"""docs/rows.md and the derivatives of docs/functions.md a second time: the bits of operations on rows.

Operands are matrices of float32 or float64. Shares no code with the kernels: arrays of NumPy, the fma of
oracle.py, the scalar functions of oracle_functions.py.
"""

import numpy as np
import oracle
import oracle_functions
from oracle import fma

LANES = 16
BLOCK = 64  # rows of a chain of columns' sums


def arithmetic(dtype):
    """Constants and scalar functions of a dtype."""
    return oracle_functions.FLOAT32 if np.dtype(dtype) == np.float32 else oracle_functions.FLOAT64


def quiet(function):
    """Without warnings: special values are arguments here like others."""
    return np.errstate(all="ignore")(function)


def nint(x, factor):
    """The integers nearest to the exact products, ties to even."""
    product = x * factor
    error = fma(x, factor, -product)
    nearest = np.rint(product)
    beside = np.where(error > 0, np.ceil(product), np.floor(product))
    return np.where((abs(product - nearest) == 0.5) & (error != 0), beside, nearest)


@quiet
def exp_of_negative(d):
    """exp(d) for d <= 0, +0 far below."""
    a = arithmetic(d.dtype)
    far, usual = d < (-87 if d.dtype == np.float32 else -708), np.isfinite(d)
    x = np.where(usual & ~far, d, a.type(0))
    n = nint(x, a.table["log2_e"])
    r = fma(n, -a.table["ln2_low"], fma(n, -a.table["ln2_high"], x))
    *rest, p = a.table["exp"]
    for c in reversed(rest):
        p = fma(p, r, c)
    e = fma(r, p, np.ones_like(r)) * np.ldexp(np.ones_like(x), n.astype(int))
    return np.where(far, a.type(0), np.where(np.isnan(d), d, e))


@quiet
def exp2_of_negative(x):
    """2^x for x <= 0, +0 far below."""
    a = arithmetic(x.dtype)
    far, usual = x < (-125 if x.dtype == np.float32 else -1021), np.isfinite(x)
    safe = np.where(usual & ~far, x, a.type(0))
    n = np.rint(safe)
    *rest, p = a.table["exp2"]
    for c in (*reversed(rest), a.type(1)):
        p = fma(p, safe - n, c)
    e = p * np.ldexp(np.ones_like(x), n.astype(int))
    return np.where(far, a.type(0), np.where(np.isnan(x), x, e))


@quiet
def log(x):
    a = arithmetic(x.dtype)
    return np.array([v if np.isnan(v) else oracle_functions.log(a, v) for v in x], x.dtype)


@quiet
def reduced(start, step, join, *operands):
    """Of each row, element e of which belongs to lane e mod 16."""
    rows, columns = operands[0].shape
    lanes = np.full((rows, LANES), start, operands[0].dtype)
    for j in range(0, columns, LANES):
        parts = [x[:, j : j + LANES] for x in operands]
        width = parts[0].shape[1]
        lanes[:, :width] = step(lanes[:, :width], *parts)
    while lanes.shape[1] > 1:
        half = lanes.shape[1] // 2
        lanes = join(lanes[:, :half], lanes[:, half:])
    return lanes[:, 0]


def add(s, t):
    return s + t


def larger(m, x):
    return np.where(x > m, x, m)


def row_sum(x):
    return reduced(0, add, add, x)


def row_dot(x, y):
    return reduced(0, lambda s, u, v: fma(u, v, s), add, x, y)


def largest(x):
    return reduced(-np.inf, larger, larger, x)


@quiet
def column_sums(step, x, *operands):
    """Chains over 64 rows each, which are added in increasing order."""
    total = np.zeros(x.shape[1], x.dtype)
    for i in range(0, len(x), BLOCK):
        s = np.zeros(x.shape[1], x.dtype)
        for row in zip(x[i : i + BLOCK], *(y[i : i + BLOCK] for y in operands), strict=True):
            s = step(s, *row)
        total = total + s
    return total


@quiet
def softmax(x):
    e = exp_of_negative(x - largest(x)[:, None])
    return e * (x.dtype.type(1) / row_sum(e))[:, None]


@quiet
def _level(x):
    """The largest element of each row, and the logarithm of the sum of exponentials less it."""
    m = largest(x)
    return m, log(row_sum(exp_of_negative(x - m[:, None])))


@quiet
def log_softmax(x):
    m, rest = _level(x)
    return (x - m[:, None]) - rest[:, None]


@quiet
def softmax_backward(dy, y):
    return y * (dy - row_dot(dy, y)[:, None])


@quiet
def log_softmax_backward(dy, y):
    return fma(-exp_of_negative(y), row_sum(dy)[:, None], dy)


@quiet
def cross_entropy(x, target, smoothing=0.0):
    """Losses, and logarithms of sums of exponentials; a target below 0 is none."""
    t, columns = x.dtype.type, x.shape[1]
    m, rest = _level(x)
    level = m + rest
    if columns == 0:
        return np.zeros_like(level), level
    loss = level - x[np.arange(len(x)), target]
    if smoothing:
        away = level - row_sum(x) / t(columns)
        loss = (t(1) - t(smoothing)) * loss + t(smoothing) * away
    return np.where(target < 0, t(0), loss), level


@quiet
def cross_entropy_backward(x, target, scale, smoothing=0.0):
    """scale: the gradient of each row's loss."""
    t, (rows, columns) = x.dtype.type, x.shape
    if columns == 0:
        return x.copy()
    smoothing, scale = t(smoothing), np.broadcast_to(np.asarray(scale, x.dtype), rows)
    _, level = cross_entropy(x, target)
    dx = (exp_of_negative(x - level[:, None]) - smoothing / t(columns)) * scale[:, None]
    i = np.arange(rows)
    dx[i, target] = fma(smoothing - t(1), scale, dx[i, target])
    return np.where(target[:, None] < 0, t(0), dx)


@quiet
def statistics(x, eps, centred):
    """Means, or zeros, and reciprocal roots."""
    t = x.dtype.type
    columns = t(x.shape[1])
    mean = row_sum(x) / columns if centred else np.zeros(len(x), x.dtype)
    v = x - mean[:, None]
    return mean, t(1) / np.sqrt(row_dot(v, v) / columns + t(eps))


@quiet
def norm(x, weight=None, bias=None, *, eps, centred):
    mean, factor = statistics(x, eps, centred)
    y = (x - mean[:, None]) * factor[:, None]
    if weight is not None:
        return y * weight if bias is None else fma(y, weight, np.broadcast_to(bias, y.shape))
    return y if bias is None else y + bias


@quiet
def norm_backward(dy, x, weight=None, *, eps, centred):
    """The gradients of x, weight and bias."""
    columns = x.dtype.type(x.shape[1])
    mean, factor = statistics(x, eps, centred)
    n = (x - mean[:, None]) * factor[:, None]
    g = dy if weight is None else dy * weight
    dot = row_dot(g, n) / columns
    shift = row_sum(g) / columns if centred else np.zeros_like(dot)
    dx = fma(-n, dot[:, None], g - shift[:, None]) * factor[:, None]
    weights = column_sums(lambda s, d, v: fma(d, v, s), dy, n)
    return dx, weights, column_sums(add, dy)


def _relu_slope(a, y):
    return a.type(y > 0)


def _gelu_slope(a, y):
    x = max(oracle_functions.within(a, y, "gelu"), a.limit["tiny"])
    fraction, n = oracle_functions.bell(a, x)
    g = a.fma(-a.table["density"], x, a.by_squares("mills_over", x) / a.by_squares("mills_under", x))
    lost = a.fma(g, fraction, g) * a.power_of_two(-n)
    if abs(y) >= a.limit["gelu"]:
        lost = a.type(0)
    return lost if np.signbit(y) else a.type(1) - lost


def _gelu_tanh_slope(a, y):
    m = max(min(abs(y), a.type(2) * a.limit["gelu_tanh"]), a.limit["tiny"])
    square, cubic, linear = m * m, a.table["cubic_high"], a.table["linear_high"]
    x = np.copysign(m, y)
    s = oracle_functions.sigmoid(a, x * a.fma(cubic, square, linear))
    return a.fma((x * s) * (a.type(1) - s), a.fma(a.type(3) * cubic, square, linear), s)


def _silu_slope(a, y):
    x = np.copysign(oracle_functions.at_most(a, y, "exp"), y)
    s = oracle_functions.sigmoid(a, x)
    return a.fma(x * s, a.type(1) - s, s)


def _tanh_slope(a, y):
    t = oracle_functions.tanh(a, y)
    return a.fma(-t, t, a.type(1))


def _sigmoid_slope(a, y):
    s = oracle_functions.sigmoid(a, y)
    return a.fma(-s, s, s)


SLOPES = {
    "relu": _relu_slope,
    "gelu": _gelu_slope,
    "gelu_tanh": _gelu_tanh_slope,
    "silu": _silu_slope,
    "tanh": _tanh_slope,
    "sigmoid": _sigmoid_slope,
}


@quiet
def slope(name, x):
    """The derivative of an activation at each element."""
    a = arithmetic(x.dtype)
    found = [y if np.isnan(y) else SLOPES[name](a, y) for y in x.ravel()]
    return np.array(found, x.dtype).reshape(x.shape)


@quiet
def activation_backward(dy, x, name):
    return dy * slope(name, x)


def activation(x, name):
    return oracle.activate(name, x)
