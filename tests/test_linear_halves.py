"""linear and gemm of float16 and bfloat16: float32's steps on float32's sums, and one rounding."""

import ml_dtypes
import numpy as np
import pytest
from shapes import assert_same_bits

import fastla

KINDS = pytest.mark.parametrize("kind", [np.float16, ml_dtypes.bfloat16], ids=lambda d: np.dtype(d).name)
SHAPES = [(1, 1, 1), (1, 33, 600), (5, 70, 0), (17, 49, 513), (130, 96, 40)]
STEPS = ("none", "relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid")


def draw(rng, kind, *shape):
    return rng.standard_normal(shape).astype(kind)


def wide(x):
    return x.astype(np.float32)


@KINDS
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", STEPS)
def test_a_layer(isa, threads, rng, kind, shape, name):
    m, n, k = shape
    x, w, gate, residual = (draw(rng, kind, *s) for s in ((m, k), (n, k), (m, n), (m, n)))
    bias = draw(rng, np.float32, n)
    activation = None if name == "none" else name
    steps = {"activation": activation, "num_threads": threads}
    got = fastla.linear(x, w, bias, gate=gate, residual=residual, **steps)
    want = fastla.linear(wide(x), wide(w), bias, gate=wide(gate), residual=wide(residual), **steps)
    assert got.dtype == kind
    assert_same_bits(got, want.astype(kind))


@KINDS
@pytest.mark.parametrize("path", ["auto", "packed", "direct", "vector"])
def test_every_step_of_gemm(isa, rng, kind, path):
    fastla._core.force_path(path)
    a, b = draw(rng, kind, 19, 65)[:, ::-1], draw(rng, kind, 37, 65).T
    c, scale, other = draw(rng, kind, 19, 37), draw(rng, np.float32, 19), draw(rng, kind, 37)
    steps = {"alpha": 0.7, "beta": -1.3, "row_scale": scale, "row_bias": scale}
    got = fastla.gemm(a, b, c=c, col_scale=other, bias=other, residual=c, **steps)
    want = fastla.gemm(wide(a), wide(b), c=wide(c), col_scale=wide(other), bias=wide(other),
                       residual=wide(c), **steps)
    assert_same_bits(got, want.astype(kind))


@KINDS
def test_in_place(rng, kind):
    """Gate, residual and c may be out: each is read, as float32, before anything is written."""
    x, w, y = draw(rng, kind, 6, 9), draw(rng, kind, 5, 9), draw(rng, kind, 6, 5)
    want = fastla.linear(x, w, residual=y.copy())
    assert fastla.linear(x, w, residual=y, out=y) is y
    assert_same_bits(y, want)
    whole = np.zeros((6, 10), kind)
    fastla.linear(x, w, out=whole[:, ::2])
    assert_same_bits(whole[:, ::2], fastla.linear(x, w))
    assert not whole[:, 1::2].astype(bool).any()


@KINDS
def test_what_they_promote_to(rng, kind):
    x, w = draw(rng, kind, 3, 4), draw(rng, kind, 2, 4)
    assert fastla.linear(x, wide(w)).dtype == np.float32
    assert fastla.linear(x, w, np.zeros(2, np.float64)).dtype == kind
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
        fastla.linear(x, w, np.zeros(3, np.float32))
    out = np.full((3, 2), 7, np.float32)
    with pytest.raises(TypeError, match="complex64"):
        fastla.linear(x, w, np.zeros(2, np.complex64), out=out)
    assert (out == 7).all()
