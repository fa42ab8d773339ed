"""Shapes of operations on rows, and what they say of arguments that are wrong."""

import numpy as np
import pytest
import row_cases
from shapes import assert_same_bits

from fastla import nn


@pytest.mark.parametrize("name", row_cases.OPERATIONS)
@pytest.mark.parametrize("rows", [0, 5])
def test_empty(dtype, name, rows):
    shape = (rows, 0 if rows else 5)
    operation, c = row_cases.OPERATIONS[name], row_cases.operands(*shape, dtype)
    for got, want in zip(operation(c), row_cases.expected(name, *shape, dtype), strict=True):
        assert_same_bits(got, want)
    if operation.in_place:
        out = np.empty(shape, dtype)
        assert operation(c, out=out)[0] is out


def test_no_losses():
    none = np.ones((0, 5)), np.zeros(0, int)
    assert np.isnan(nn.cross_entropy(*none)) and nn.cross_entropy(*none, reduction="sum") == 0
    assert nn.cross_entropy(*none, reduction="none").shape == (0,)
    assert nn.cross_entropy_backward(*none).shape == (0, 5)


def test_other_numbers_of_axes(dtype):
    x = np.random.default_rng(3).standard_normal((40, 12)).astype(dtype)
    assert nn.activation(x[0, 0], "relu").shape == ()
    assert np.array_equal(nn.softmax(x[0]), nn.softmax(x)[0])
    assert np.array_equal(
        nn.softmax(x.reshape(2, 20, 3, 4)), nn.softmax(x.reshape(120, 4)).reshape(2, 20, 3, 4)
    )
    assert np.array_equal(nn.rms_norm(x[0]), nn.rms_norm(x)[0])
    assert nn.softmax(np.ones((2, 0, 3), dtype), 1).shape == (2, 0, 3)
    assert nn.softmax([1, 2]).dtype == np.float64


X = np.ones((3, 4), np.float32)
WRONG = {
    "no axis": (lambda o: nn.softmax(X, 2, out=o), ValueError, r"x is \(3, 4\); it has no axis 2"),
    "no axes": (lambda o: nn.softmax(np.float32(1)), ValueError, r"x is \(\); it has no axis -1"),
    "complex": (
        lambda o: nn.softmax(X * 1j, out=o),
        TypeError,
        "x is complex64; it must be of floating point",
    ),
    "text": (lambda o: nn.rms_norm(["a"]), TypeError, "x is <U1"),
    "longdouble": (lambda o: nn.layer_norm(X.astype(np.longdouble)), TypeError, "64 bits at most"),
    "dy": (
        lambda o: nn.softmax_backward(X[:2], X, out=o),
        ValueError,
        r"dy is \(2, 4\); it must be \(3, 4\)",
    ),
    "dy of log": (lambda o: nn.log_softmax_backward(X.T, X, out=o), ValueError, r"dy is \(4, 3\)"),
    "weight": (
        lambda o: nn.layer_norm(X, X[0, :3], out=o),
        ValueError,
        r"weight is \(3,\), x is \(3, 4\).*\(4,\)",
    ),
    "bias": (lambda o: nn.layer_norm(X, X[0], X, out=o), ValueError, r"bias is \(3, 4\)"),
    "axis of weight": (
        lambda o: nn.rms_norm(X, X[0], axis=0),
        ValueError,
        r"weight is \(4,\).*must be \(3, 4\)",
    ),
    "dy of norm": (lambda o: nn.rms_norm_backward(X[0], X), ValueError, r"dy is \(4,\)"),
    "activation": (lambda o: nn.activation(X, "swish", out=o), ValueError, "swish"),
    "derivative": (lambda o: nn.activation_backward(X, X, "elu", out=o), ValueError, "elu"),
    "approximate": (lambda o: nn.gelu(X, approximate="erf", out=o), ValueError, "erf"),
    "target": (lambda o: nn.cross_entropy(X, [0, 1]), ValueError, r"target is \(2,\), logits is \(3, 4\)"),
    "a float": (lambda o: nn.cross_entropy(X, [0.0, 1, 2]), TypeError, "target is float64"),
    "no class": (lambda o: nn.cross_entropy(X, [0, 1, 4]), ValueError, "class 4; logits .* have 4 classes"),
    "below": (lambda o: nn.cross_entropy_backward(X, [0, -1, 3], out=o), ValueError, "class -1"),
    "reduction": (lambda o: nn.cross_entropy(X, [0, 1, 2], reduction="max"), ValueError, "'max'"),
    "smoothing": (lambda o: nn.cross_entropy(X, [0, 1, 2], label_smoothing=1.5), ValueError, "1.5"),
    "NaN": (lambda o: nn.cross_entropy(X, [0, 1, 2], label_smoothing=np.nan), ValueError, "nan"),
    "gradient": (
        lambda o: nn.cross_entropy_backward(X, [0, 1, 2], loss_gradient=X[0], out=o),
        ValueError,
        r"loss_gradient is \(4,\); it must be \(\)",
    ),
    "gradients": (
        lambda o: nn.cross_entropy_backward(X, [0, 1, 2], loss_gradient=X[0], reduction="none", out=o),
        ValueError,
        r"\(4,\).*\(3,\)",
    ),
    "no logits": (lambda o: nn.cross_entropy(np.float32(1), 0), ValueError, r"logits is \(\)"),
    "threads": (lambda o: nn.softmax(X, num_threads=0, out=o), ValueError, "num_threads"),
    "more threads": (lambda o: nn.rms_norm(X, num_threads=1.5, out=o), TypeError, "num_threads"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_arguments(wrong):
    """What is wrong is named, and out stays as it is."""
    call, error, text = WRONG[wrong]
    out = np.full((3, 4), 7, np.float32)
    with pytest.raises(error, match=text):
        call(out)
    assert (out == 7).all()


def frozen(shape, dtype):
    x = np.full(shape, 7, dtype)
    x.flags.writeable = False
    return x


@pytest.mark.parametrize("name", [n for n, o in row_cases.OPERATIONS.items() if o.in_place])
def test_out_that_does_not_fit(name):
    operation, c = row_cases.OPERATIONS[name], row_cases.operands(3, 17, np.float32)
    cases = [
        (np.full((3, 16), 7, np.float32), ValueError, r"out is \(3, 16\)"),
        (np.full((3, 17), 7, np.float64), ValueError, r"float64; it must be \(3, 17\), float32"),
        (np.full((3, 17), 7, ">f4"), ValueError, ">f4"),
        (frozen((3, 17), np.float32), ValueError, "read-only"),
        ([[7.0] * 17] * 3, TypeError, "out is list"),
    ]
    for out, error, text in cases:
        with pytest.raises(error, match=text):
            operation(c, out=out)
        assert (np.asarray(out) == 7).all()
