"""Operations on rows with operands of every dtype, and what the oracle says of each."""

import functools
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import oracle_rows as rows
import pytest
from shapes import random_matrix

from fastla import nn

DTYPES = (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)
by_name = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: np.dtype(d).name)
NAMES = ("relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid")
EPS, SMOOTHING = 1e-5, 0.1


def wide(x):
    """In the dtype that it is computed in."""
    return x if x.dtype in (np.float32, np.float64) else x.astype(np.float32)


@functools.lru_cache(maxsize=64)
def operands(count, columns, dtype):
    rng = np.random.default_rng([count, columns])
    x, dy, weight, bias = (random_matrix(rng, (n, columns), np.float64) for n in (count, count, 1, 1))
    found = SimpleNamespace(
        x=x.astype(dtype),
        dy=dy.astype(dtype),
        below=(-abs(dy)).astype(dtype),
        weight=wide(weight[0].astype(dtype)),
        bias=wide(bias[0].astype(dtype)),
        target=rng.integers(0, max(columns, 1), count),
        loss_gradient=rng.standard_normal(count),
    )
    if columns == 0:
        found.target[:] = -100
    found.target[1::3] = -100
    for array in vars(found).values():
        array.flags.writeable = False
    return found


def special(rng, shape, dtype):
    """Zeros of both signs, NaN, infinities, and the smallest and largest numbers, each beside any other."""
    info = np.finfo(dtype)
    some = [0, 1, info.smallest_subnormal, info.tiny, info.max, np.inf]
    usual = rng.standard_normal(4 * len(some))
    values = np.concatenate([np.multiply.outer([1, -1], some).ravel(), [np.nan], usual])
    return rng.choice(values, shape).astype(dtype)


class Operation:
    """call(c, x=, dy=, out=, num_threads=) of what fastla gives; expected(c) of the oracle. `second`: the
    name of the operand beside dy; `in_place`: whether there is out=."""

    def __init__(self, call, oracle, second="x", backward=False, in_place=True):
        self.call, self.oracle = call, oracle
        self.second, self.backward, self.in_place = second, backward, in_place

    def given(self, c):
        """The operands of x's shape."""
        found = {"x": getattr(c, self.second)}
        return found | {"dy": c.dy} if self.backward else found

    def __call__(self, c, **changed):
        got = self.call(c, **(self.given(c) | changed))
        return tuple(y for y in got if y is not None) if isinstance(got, tuple) else (got,)

    def expected(self, c):
        given = self.given(c)
        got = self.oracle(c, **{name: wide(x) for name, x in given.items()})
        got = got if isinstance(got, tuple) else (got,)
        dtype, shape = given["x"].dtype, given["x"].shape
        # Results of x's shape have its dtype; sums and losses are as wide as they are computed.
        with np.errstate(over="ignore"):
            return tuple(y.astype(dtype) if y.ndim == len(shape) else y for y in got)


def _known(c):
    return np.where(c.target < 0, -1, c.target)


OPERATIONS = {
    "softmax": Operation(lambda c, x, **o: nn.softmax(x, **o), lambda c, x: rows.softmax(x)),
    "log_softmax": Operation(lambda c, x, **o: nn.log_softmax(x, **o), lambda c, x: rows.log_softmax(x)),
    "softmax_backward": Operation(
        lambda c, x, dy, **o: nn.softmax_backward(dy, x, **o),
        lambda c, x, dy: rows.softmax_backward(dy, x),
        backward=True,
    ),
    "log_softmax_backward": Operation(
        lambda c, x, dy, **o: nn.log_softmax_backward(dy, x, **o),
        lambda c, x, dy: rows.log_softmax_backward(dy, x),
        second="below",
        backward=True,
    ),
    "layer_norm": Operation(
        lambda c, x, **o: nn.layer_norm(x, c.weight, c.bias, eps=EPS, **o),
        lambda c, x: rows.norm(x, c.weight, c.bias, eps=EPS, centred=True),
    ),
    "layer_norm, no bias": Operation(
        lambda c, x, **o: nn.layer_norm(x, c.weight, eps=EPS, **o),
        lambda c, x: rows.norm(x, c.weight, eps=EPS, centred=True),
    ),
    "layer_norm, bias alone": Operation(
        lambda c, x, **o: nn.layer_norm(x, bias=c.bias, eps=EPS, **o),
        lambda c, x: rows.norm(x, bias=c.bias, eps=EPS, centred=True),
    ),
    "rms_norm": Operation(
        lambda c, x, **o: nn.rms_norm(x, c.weight, eps=EPS, **o),
        lambda c, x: rows.norm(x, c.weight, eps=EPS, centred=False),
    ),
    "rms_norm, no weight": Operation(
        lambda c, x, **o: nn.rms_norm(x, eps=EPS, **o), lambda c, x: rows.norm(x, eps=EPS, centred=False)
    ),
    "layer_norm_backward": Operation(
        lambda c, x, dy, **o: nn.layer_norm_backward(dy, x, c.weight, bias=True, eps=EPS, **o),
        lambda c, x, dy: rows.norm_backward(dy, x, c.weight, eps=EPS, centred=True),
        backward=True,
        in_place=False,
    ),
    "layer_norm_backward, no weight": Operation(
        lambda c, x, dy, **o: nn.layer_norm_backward(dy, x, eps=EPS, **o),
        lambda c, x, dy: rows.norm_backward(dy, x, eps=EPS, centred=True)[:1],
        backward=True,
        in_place=False,
    ),
    "rms_norm_backward": Operation(
        lambda c, x, dy, **o: nn.rms_norm_backward(dy, x, c.weight, eps=EPS, **o),
        lambda c, x, dy: rows.norm_backward(dy, x, c.weight, eps=EPS, centred=False)[:2],
        backward=True,
        in_place=False,
    ),
    "cross_entropy": Operation(
        lambda c, x, **o: nn.cross_entropy(x, c.target, reduction="none", **o),
        lambda c, x: rows.cross_entropy(x, _known(c))[:1],
        in_place=False,
    ),
    "cross_entropy, smoothed": Operation(
        lambda c, x, **o: nn.cross_entropy(x, c.target, reduction="none", label_smoothing=SMOOTHING, **o),
        lambda c, x: rows.cross_entropy(x, _known(c), SMOOTHING)[:1],
        in_place=False,
    ),
    "cross_entropy_backward": Operation(
        lambda c, x, **o: nn.cross_entropy_backward(
            x, c.target, reduction="none", loss_gradient=c.loss_gradient, label_smoothing=SMOOTHING, **o
        ),
        lambda c, x: rows.cross_entropy_backward(x, _known(c), c.loss_gradient, SMOOTHING),
    ),
    **{
        name: Operation(
            functools.partial(lambda name, c, x, **o: nn.activation(x, name, **o), name),
            functools.partial(lambda name, c, x: rows.activation(x, name), name),
        )
        for name in NAMES
    },
    **{
        f"{name}'": Operation(
            functools.partial(lambda name, c, x, dy, **o: nn.activation_backward(dy, x, name, **o), name),
            functools.partial(lambda name, c, x, dy: rows.activation_backward(dy, x, name), name),
            backward=True,
        )
        for name in NAMES
    },
}


@functools.lru_cache(maxsize=400)
def expected(name, count, columns, dtype):
    return OPERATIONS[name].expected(operands(count, columns, dtype))
