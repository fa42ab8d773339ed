"""Numbers in extended precision beside bounds of what float32 or float64 may make of them (running error
analysis: N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.3), and operations on
rows written with them.

u is the unit roundoff; exponentials and logarithms are within an ulp (docs/functions.md), which is 2 u.
"""

import numpy as np


class Bounded:
    """value, and error: how far the computed number may be from it."""

    def __init__(self, value, u, error=0):
        self.value, self.u = np.asarray(value, np.longdouble), u
        self.error = np.broadcast_to(np.asarray(error, np.longdouble), self.value.shape)

    def of(self, value, error, roundings=1):
        """A result, with so many roundings of its own; the last factor: relative to what is computed."""
        error = (error + roundings * self.u * abs(value)) * (1 + 4 * self.u)
        return Bounded(value, self.u, error)

    def _other(self, x):
        return x if isinstance(x, Bounded) else Bounded(x, self.u)

    def __add__(self, other):
        other = self._other(other)
        return self.of(self.value + other.value, self.error + other.error)

    def __sub__(self, other):
        other = self._other(other)
        return self.of(self.value - other.value, self.error + other.error)

    def __mul__(self, other):
        other = self._other(other)
        error = abs(self.value) * other.error + self.error * (abs(other.value) + other.error)
        return self.of(self.value * other.value, error)

    def __truediv__(self, other):
        other = self._other(other)
        quotient = self.value / other.value
        return self.of(
            quotient, (self.error + abs(quotient) * other.error) / (abs(other.value) - other.error)
        )

    def __matmul__(self, other):
        """A chain of each length, or a shorter one for each of its blocks."""
        a, b = abs(self.value), abs(other.value)
        error = a @ other.error + self.error @ (b + other.error)
        n = self.value.shape[-1]
        return self.of(self.value @ other.value, error + (n + 2) * self.u * (1 + n * self.u) * (a @ b), 0)

    def sum(self, axis=-1, length=None):
        """In 16 lanes; else by chains whose additions are `length` at most."""
        length = self.value.shape[axis] / 16 + 5 if length is None else length
        size = abs(self.value).sum(axis, keepdims=True)
        error = self.error.sum(axis, keepdims=True) + length * self.u * (1 + length * self.u) * size
        return self.of(self.value.sum(axis, keepdims=True), error, 0)

    def largest(self):
        """Any of the computed ones."""
        return Bounded(self.value.max(-1, keepdims=True), self.u, self.error.max(-1, keepdims=True))

    def exp(self):
        """What lies far below 0 is flushed."""
        value = np.exp(self.value)
        far = np.exp(np.longdouble(-87 if self.u > 1e-10 else -708))
        return self.of(value, value * np.expm1(self.error) + far, 2)

    def exp2(self):
        """As exp."""
        value = np.exp2(self.value)
        far = np.exp2(np.longdouble(-125 if self.u > 1e-10 else -1021))
        return self.of(value, value * (np.exp2(self.error) - 1) + far, 2)

    def log(self):
        return self.of(np.log(self.value), self.error / (self.value - self.error), 2)

    def tanh(self):
        """Within 2.5 ulp."""
        return self.of(np.tanh(self.value), self.error, 5)

    def sqrt(self):
        root = np.sqrt(self.value)
        return self.of(root, self.error / root)

    def where(self, condition, value):
        return Bounded(np.where(condition, self.value, value), self.u, np.where(condition, self.error, 0))

    @property
    def T(self):
        return Bounded(self.value.swapaxes(-1, -2), self.u, self.error.swapaxes(-1, -2))

    def __getitem__(self, at):
        return Bounded(self.value[at], self.u, self.error[at])

    def check(self, got, context=""):
        """got is no further away than it may be."""
        assert got.shape == self.value.shape, f"{context}: {got.shape}, {self.value.shape}"
        off = abs(np.asarray(got, np.longdouble) - self.value)
        assert np.all(off <= self.error), f"{context}: {np.nanmax(off / self.error)} times the bound"


def bounded(*arrays):
    """Operands, exact."""
    u = np.finfo(arrays[0].dtype).eps / 2
    found = [Bounded(x, u) for x in arrays]
    return found if len(found) > 1 else found[0]


def softmax(x):
    e = (x - x.largest()).exp()
    return e * (Bounded(1, x.u) / e.sum())


def level(x):
    """The logarithm of the sum of exponentials."""
    m = x.largest()
    return m + (x - m).exp().sum().log()


def log_softmax(x):
    m = x.largest()
    return (x - m) - (x - m).exp().sum().log()


def softmax_backward(dy, y):
    return y * (dy - (dy * y).sum())


def log_softmax_backward(dy, y):
    return dy - y.exp() * dy.sum()


def cross_entropy(x, target, smoothing):
    n = x.value.shape[-1]
    high = level(x)
    loss = high - x[np.arange(len(target)), target][:, None]
    if smoothing:
        loss = loss * (1 - smoothing) + (high - x.sum() / n) * smoothing
    return loss[:, 0]


def cross_entropy_backward(x, target, scale, smoothing):
    n = x.value.shape[-1]
    wanted = np.full(x.value.shape, np.longdouble(smoothing) / n)
    wanted[np.arange(len(target)), target] += 1 - smoothing
    scale = Bounded(scale, x.u, 2 * x.u * abs(scale))[:, None]
    p = (x - level(x)).exp()
    # The target's share is subtracted in two steps, from what may cancel.
    steps = 4 * x.u * (p.value + wanted)
    return (p - Bounded(wanted, x.u, steps)) * scale


class Normal:
    """x less its mean, over its root."""

    def __init__(self, x, eps, centred):
        n = x.value.shape[-1]
        v = x - x.sum() / n if centred else x
        root = ((v * v).sum() / n + Bounded(eps, x.u, eps * x.u)).sqrt()
        self.factor = Bounded(1, x.u) / root
        self.h = v * self.factor


def norm(x, weight, bias, eps, centred):
    h = Normal(x, eps, centred).h
    h = h if weight is None else h * weight
    return h if bias is None else h + bias


def norm_backward(dy, x, weight, eps, centred):
    """Gradients of x, weight and bias."""
    normal, n = Normal(x, eps, centred), x.value.shape[-1]
    g = dy if weight is None else dy * weight
    h = normal.h
    centre = g - g.sum() / n if centred else g
    dx = (centre - h * ((g * h).sum() / n)) * normal.factor
    length = 64 + len(dy.value) / 64 + 1
    return dx, (dy * h).sum(0, length)[0], dy.sum(0, length)[0]
