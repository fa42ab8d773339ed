"""Operations on rows are within derived bounds of extended precision, and do what is promised with special
values."""

import functools
from decimal import Decimal, localcontext

import bounded
import numpy as np
import pytest
import row_cases
import shapes
from test_functions import arguments, exact, exact_erfc, exact_pi

from fastla import nn

COLUMNS = (1, 2, 17, 256, 1000)


def random_rows(columns, dtype, spread=3.0):
    rng = np.random.default_rng(columns)
    return [(spread * rng.standard_normal((40, columns))).astype(dtype) for _ in range(2)]


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("spread", [0.01, 3.0, 300.0])
def test_softmax(dtype, columns, spread):
    x, dy = random_rows(columns, dtype, spread)
    y, z = nn.softmax(x), nn.log_softmax(x)
    bx, bdy, by, bz = bounded.bounded(x, dy, y, z)
    bounded.softmax(bx).check(y)
    bounded.log_softmax(bx).check(z)
    bounded.softmax_backward(bdy, by).check(nn.softmax_backward(dy, y))
    bounded.log_softmax_backward(bdy, bz).check(nn.log_softmax_backward(dy, z))
    off = abs(y.sum(-1, dtype=np.longdouble) - 1)
    assert (off <= bounded.softmax(bx).error.sum(-1)).all()


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("shift", [0.0, 100.0])
@pytest.mark.parametrize("centred", [True, False], ids=["layer", "rms"])
def test_norms(dtype, columns, shift, centred):
    (x, dy), eps = random_rows(columns, dtype), 1e-5
    x = x + dtype(shift)
    bx, bdy = bounded.bounded(x, dy)
    rng = np.random.default_rng(1)
    weight, bias = (rng.standard_normal(columns).astype(dtype) for _ in range(2))
    norm, back = (nn.layer_norm, nn.layer_norm_backward) if centred else (nn.rms_norm, nn.rms_norm_backward)
    for w in (None, weight):
        for b in (None, bias) if centred else (None,):
            more = {} if b is None else {"bias": b}
            bounded.norm(bx, w, b, eps, centred).check(norm(x, w, eps=eps, **more))
        got = back(dy, x, w, eps=eps, **({"bias": True} if centred else {}))
        of_x, of_weight, of_bias = bounded.norm_backward(bdy, bx, w, eps, centred)
        of_x.check(got.x, "x")
        assert (got.weight is None) == (w is None) and (got.bias is None) == (not centred)
        if w is not None:
            of_weight.check(got.weight, "weight")
        if centred:
            of_bias.check(got.bias, "bias")


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy(dtype, columns, smoothing):
    x, _ = random_rows(columns, dtype, 10.0)
    bx = bounded.bounded(x)
    rng = np.random.default_rng(2)
    target, kept = rng.integers(0, columns, 40), np.arange(40) % 3 != 1
    want = bounded.cross_entropy(bx, target, smoothing)[kept]
    given = np.where(kept, target, -7)
    arguments = {"ignore_index": -7, "label_smoothing": smoothing}
    losses = nn.cross_entropy(x, given, reduction="none", **arguments)
    assert (losses[~kept] == 0).all()
    want.check(losses[kept])
    total = want.sum(0, 1)[0]
    total.check(nn.cross_entropy(x, given, reduction="sum", **arguments))
    (total / kept.sum()).check(nn.cross_entropy(x, given, **arguments))

    gradients = rng.standard_normal(40)
    for reduction, given_gradient, scale in (
        ("none", gradients, gradients),
        ("none", 2.5, np.full(40, 2.5)),
        ("sum", -3.0, np.full(40, -3.0)),
        ("mean", 2.0, np.full(40, 2 / kept.sum())),
    ):
        got = nn.cross_entropy_backward(
            x, given, loss_gradient=given_gradient, reduction=reduction, **arguments
        )
        assert (got[~kept] == 0).all()
        bounded.cross_entropy_backward(bx, target, scale, smoothing)[kept].check(got[kept], reduction)


def test_cross_entropy_of_other_shapes(dtype):
    x, target = random_rows(5, dtype)[0].reshape(2, 4, 5, 5), np.arange(40).reshape(2, 4, 5) % 5
    flat = nn.cross_entropy(x.reshape(40, 5), target.reshape(40), reduction="none")
    assert np.array_equal(nn.cross_entropy(x, target, reduction="none"), flat.reshape(2, 4, 5))
    assert nn.cross_entropy(x[0, 0, 3], 3) == flat[3]
    assert nn.cross_entropy(x, target.astype(np.uint8)) == nn.cross_entropy(x, target)
    assert np.isnan(nn.cross_entropy(x, np.full_like(target, -100)))
    assert nn.cross_entropy(x, np.full_like(target, -100), reduction="sum") == 0
    assert (nn.cross_entropy_backward(x, np.full_like(target, -100)) == 0).all()
    # A class that is ignored by its number.
    twos = nn.cross_entropy(x, target, ignore_index=2, reduction="none")
    assert (twos[target == 2] == 0).all() and np.array_equal(
        twos[target != 2], flat.reshape(target.shape)[target != 2]
    )


@functools.cache
def exact_slope(name, x):
    """The derivative at a finite float."""
    with localcontext(prec=120, Emin=-(10**8), Emax=10**8):
        y = max(min(Decimal(x), Decimal(1000)), Decimal(-1000))
        if name == "tanh":
            t = exact("tanh", float(y))
            return 1 - t * t
        if name == "gelu":
            m = min(abs(y), Decimal(40))
            tail = exact_erfc(m / Decimal(2).sqrt()) / 2 if m < 16 else Decimal(0)
            return (tail if y < 0 else 1 - tail) + y * (-y * y / 2).exp() / (2 * exact_pi()).sqrt()
        linear = 2 * (2 / exact_pi()).sqrt() if name == "gelu_tanh" else Decimal(1)
        cubic = Decimal("0.044715") * linear if name == "gelu_tanh" else Decimal(0)
        s = 1 / (1 + (-y * (linear + cubic * y * y)).exp())
        return s * (1 - s) if name == "sigmoid" else s + y * s * (1 - s) * (linear + 3 * cubic * y * y)


# What docs/functions.md states for float32 and float64.
SLOPE_ERRORS = {
    "gelu": (1, 1),
    "gelu_tanh": (17, 43),
    "silu": (9, 18),
    "tanh": (1.3, 1.3),
    "sigmoid": (0.8, 0.8),
}


@pytest.mark.parametrize("name", SLOPE_ERRORS)
def test_derivatives(dtype, name):
    """Errors in ulp of 1: derivatives lie between -0.2 and 1.2."""
    x = arguments(dtype)
    x = x[np.isfinite(x)][::3]
    x = x[abs(x) < 1e3]
    got = nn.activation_backward(np.ones_like(x), x, name)
    off = [abs(float(Decimal(float(y)) - exact_slope(name, float(v)))) for v, y in zip(x, got, strict=True)]
    worst = max(off) / np.finfo(dtype).eps
    assert worst <= SLOPE_ERRORS[name][dtype is np.float64], f"{worst} ulp at {x[np.argmax(off)]!r}"


@pytest.mark.parametrize("name", row_cases.NAMES)
def test_derivatives_of_special_values(isa, dtype, name):
    info = np.finfo(dtype)
    x = np.array([np.nan, np.inf, info.max, -np.inf, -info.max, 0.0, -0.0], dtype)
    got = nn.activation_backward(np.ones_like(x), x, name)
    flat = name in ("tanh", "sigmoid")
    at_zero = {"relu": 0, "tanh": 1, "sigmoid": 0.25}.get(name, 0.5)
    assert np.isnan(got[0])
    assert np.array_equal(got[1:3], [0, 0] if flat else [1, 1])
    assert (abs(got[3:5]) == 0).all() or (abs(got[3:5]) < info.tiny).all()
    assert np.allclose(got[5:], at_zero, rtol=0, atol=2 * info.eps)


def test_no_activation(dtype):
    x = random_rows(17, dtype)[0]
    assert np.array_equal(nn.activation(x, None), x) and np.array_equal(
        nn.activation_backward(x, x, None), x
    )
    assert nn.activation(x, None) is not x


def test_named_activations(dtype):
    x = arguments(dtype)
    for name in ("relu", "silu", "tanh", "sigmoid"):
        shapes.assert_same_bits(getattr(nn, name)(x), nn.activation(x, name))
    shapes.assert_same_bits(nn.gelu(x), nn.activation(x, "gelu"))
    shapes.assert_same_bits(nn.gelu(x, approximate="tanh"), nn.activation(x, "gelu_tanh"))


def test_special_rows(isa, dtype):
    """Without warnings."""
    inf, nan, info = np.inf, np.nan, np.finfo(dtype)
    rows = {
        "NaN": ([1, nan, 2], [nan] * 3, [nan] * 3),
        "+Inf": ([1, inf, 2], [nan] * 3, [nan] * 3),
        "-Inf among others": ([0, -inf, 0], [0.5, 0, 0.5], [-np.log(dtype(2)), -inf, -np.log(dtype(2))]),
        "-Inf alone": ([-inf] * 3, [nan] * 3, [nan] * 3),
        "zeros": ([0.0, -0.0, 0.0, -0.0], [0.25] * 4, None),
        "subnormal": ([info.smallest_subnormal, 0], [0.5, 0.5], None),
        "huge": ([info.max, info.max], [0.5, 0.5], None),
        "huge, both signs": ([info.max, -info.max], [1, 0], [0, -inf]),
        "beyond exp": (
            [0, -200, -1000],
            [1, 0 if dtype == np.float32 else np.exp(-200.0), 0],
            [0, -200, -1000],
        ),
    }
    for context, (x, y, z) in rows.items():
        x = np.array(x, dtype)
        for wide in (x, np.concatenate([x, np.full(40, -inf, dtype)]) if len(x) else x):
            with np.errstate(all="raise"):
                got, logarithms = nn.softmax(wide)[: len(x)], nn.log_softmax(wide)[: len(x)]
            assert np.allclose(got, y, rtol=4 * info.eps, atol=0, equal_nan=True), context
            if z is not None:
                assert np.allclose(logarithms, z, rtol=4 * info.eps, atol=0, equal_nan=True), context


@pytest.mark.parametrize("norm", [nn.layer_norm, nn.rms_norm])
def test_norms_of_special_rows(isa, dtype, norm):
    inf, info = np.inf, np.finfo(dtype)
    with np.errstate(all="raise"):
        for bad in (np.nan, inf, -inf):
            x = np.ones((2, 19), dtype)
            x[0, 3] = bad
            y = norm(x)
            assert np.isnan(y[0, 3]) and np.isfinite(y[1]).all(), bad
        assert (norm(np.zeros((1, 5), dtype)) == 0).all()
        assert np.isnan(norm(np.zeros((1, 5), dtype), eps=0)).all()
        tiny = np.array([[info.smallest_subnormal, -info.smallest_subnormal]], dtype)
        assert np.isfinite(norm(tiny)).all()
        assert (norm(np.array([[info.max, -info.max]], dtype)) == 0).all()  # the squares' sum is Inf
    assert (nn.layer_norm(np.full((1, 16), 3, dtype)) == 0).all()
