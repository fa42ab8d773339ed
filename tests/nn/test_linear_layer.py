"""nn.linear and its gradients: LoRA, 16 bits, packed weights, thread counts, errors."""

import gradients
import ml_dtypes
import numpy as np
import pytest

import fastla
from fastla import nn

ACTIVATIONS = [None, "relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid"]
HALVES = [np.float16, ml_dtypes.bfloat16]


def operands(rng, dtype=np.float64, lead=(5,), n_in=7, n_out=4, rank=2):
    x, w, b = (rng.standard_normal(s).astype(dtype) for s in ((*lead, n_in), (n_out, n_in), (n_out,)))
    lora = rng.standard_normal((rank, n_in)).astype(dtype), rng.standard_normal((n_out, rank)).astype(dtype)
    return x, w, b, (*lora, 0.5)


@pytest.mark.parametrize("lead", [(), (5,), (2, 3), (2, 1, 0)])
def test_it_is_fastla_linear(rng, lead):
    x, w, b, _ = operands(rng, np.float32, lead)
    assert np.array_equal(nn.linear(x, w, b, activation="gelu"), fastla.linear(x, w, b, activation="gelu"))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("lead", [(), (5,), (2, 3)])
def test_gradients(rng, activation, lora, lead):
    x, w, b, low = operands(rng, lead=lead)
    low = low if lora else None
    z = nn.linear(x, w, b, lora=low)
    dy = rng.standard_normal(z.shape)
    found = nn.linear_backward(dy, x, w, z=z, activation=activation, lora=low)

    def loss():
        return float((nn.linear(x, w, b, activation=activation, lora=low) * dy).sum())

    pairs = [(found.x, x), (found.weight, w), (found.bias, b)]
    pairs += list(zip(found.lora, low[:2], strict=True)) if lora else []
    for got, p in pairs:
        np.testing.assert_allclose(got, gradients.numeric(loss, p), **gradients.TOLERANCE)


def test_only_what_is_asked_for(rng):
    x, w, _, low = operands(rng)
    dy = rng.standard_normal((5, 4))
    found = nn.linear_backward(dy, x, w, inputs=False, weight=False, bias=False, lora=low)
    assert found[:3] == (None, None, None)
    assert [g.shape for g in found.lora] == [(2, 7), (4, 2)]


def test_bits_of_the_gradients_are_products(rng):
    """As docs/contract.md has them: dz W, dz^T x, and a row of ones times dz."""
    x, w, _, _ = operands(rng, np.float32, (2, 300), 33, 17)
    dy = rng.standard_normal((2, 300, 17), dtype=np.float32)
    found = nn.linear_backward(dy, x, w)
    rows, dz = x.reshape(600, 33), dy.reshape(600, 17)
    assert np.array_equal(found.x.reshape(600, 33), fastla.matmul(dz, w))
    assert np.array_equal(found.weight, fastla.matmul(dz.T.copy(), rows))
    assert np.array_equal(found.bias, fastla.matmul(np.ones((1, 600), np.float32), dz)[0])


def test_threads_and_batch_change_no_bit(rng):
    x, w, b, low = operands(rng, np.float32, (300,), 200, 150, 4)
    dy = rng.standard_normal((300, 150), dtype=np.float32)
    y = nn.linear(x, w, b, activation="gelu", lora=low, num_threads=1)
    g = nn.linear_backward(dy, x, w, lora=low, num_threads=1)
    for threads in (2, 3):
        assert np.array_equal(nn.linear(x, w, b, activation="gelu", lora=low, num_threads=threads), y)
        again = nn.linear_backward(dy, x, w, lora=low, num_threads=threads)
        for a, c in zip((*again[:3], *again.lora), (*g[:3], *g.lora), strict=True):
            assert np.array_equal(a, c)
    for row in (0, 17, 299):
        assert np.array_equal(nn.linear(x[row], w, b, activation="gelu", lora=low), y[row])
        assert np.array_equal(nn.linear_backward(dy[row], x[row], w, lora=low).x, g.x[row])


def test_lora_is_the_merged_weights(rng):
    x, w, b, low = operands(rng, np.float64, (6,), 50, 40, 3)
    merged = nn.merge_lora(w, low)
    np.testing.assert_allclose(merged, w + 0.5 * np.matmul(low[1], low[0]), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(nn.linear(x, w, b, lora=low), nn.linear(x, merged, b), rtol=1e-12, atol=1e-12)
    gate, residual = rng.standard_normal((2, 6, 40))
    y = nn.linear(x, w, b, activation="tanh", gate=gate, residual=residual, lora=low)
    np.testing.assert_allclose(y, np.tanh(nn.linear(x, merged, b)) * gate + residual, rtol=1e-12, atol=1e-12)


def test_lora_stands_in_front_of_bias_and_activation(rng):
    x, w, b, (a, up, scale) = operands(rng, np.float32, (6,), 50, 40, 3)
    c = fastla.gemm(fastla.matmul(x, a.T), up.T, alpha=scale)
    y = fastla.gemm(x, w.T, c=c, beta=1, bias=b, activation="silu")
    assert np.array_equal(nn.linear(x, w, b, activation="silu", lora=(a, up, scale)), y)


def test_unmerge_keeps_its_bound(rng):
    w = rng.standard_normal((64, 48), dtype=np.float32) * np.exp2(rng.integers(-12, 4, (64, 48)))
    w = w.astype(np.float32)
    low = rng.standard_normal((4, 48)), rng.standard_normal((64, 4)), 0.3
    merged = nn.merge_lora(w, low)
    back = nn.unmerge_lora(merged, low)
    assert merged.dtype == back.dtype == np.float32
    bound = 2.0**-24 * (abs(merged.astype(float)) + abs(back.astype(float)))
    error = abs(back.astype(float) - w)
    assert (error <= bound).all() and error.any()
    # Where the sum is exact, so is what comes back.
    small = rng.integers(-1000, 1000, (64, 48)).astype(np.float32)
    whole = rng.integers(-9, 9, (4, 48)), rng.integers(-9, 9, (64, 4)), 2.0
    assert np.array_equal(nn.unmerge_lora(nn.merge_lora(small, whole), whole), small)


@pytest.mark.parametrize("lora", [False, True])
def test_packed_weights(rng, lora):
    x, w, b, low = operands(rng, np.float32, (9,), 70, 60)
    low = low if lora else None
    packed = fastla.pack(w)
    assert np.array_equal(nn.linear(x, packed, b, lora=low), nn.linear(x, w, b, lora=low))
    dy = rng.standard_normal((9, 60), dtype=np.float32)
    assert np.array_equal(nn.linear_backward(dy, x, packed, lora=low).x,
                          nn.linear_backward(dy, x, w, lora=low).x)


def test_out(rng):
    x, w, b, low = operands(rng, np.float32)
    for lora in (None, low):
        out = np.empty((5, 8), np.float32)[:, ::2]
        assert nn.linear(x, w, b, lora=lora, out=out) is out
        assert np.array_equal(out, nn.linear(x, w, b, lora=lora))


@pytest.mark.parametrize("half", HALVES)
def test_sixteen_bits(rng, half):
    """Against float32 weights, and with 16 bits of both: computed in float32, rounded once."""
    x, w, b, low = operands(rng, np.float32, (2, 5), 40, 30)
    x = x.astype(half)
    wide = x.astype(np.float32)
    y = nn.linear(x, w, b, activation="gelu")
    assert y.dtype == half
    assert np.array_equal(y, fastla.linear(wide, w, b, activation="gelu").astype(half))
    y = nn.linear(x, w, b, lora=low)
    assert np.array_equal(y, nn.linear(wide, w, b, lora=low).astype(half))
    out = np.empty((2, 5, 30), half)
    assert nn.linear(x, w, b, out=out) is out
    assert np.array_equal(out, nn.linear(x, w, b))
    narrow = w.astype(half)
    both = nn.linear(x, narrow, b)
    assert both.dtype == half
    assert np.array_equal(both, fastla.linear(wide, narrow.astype(np.float32), b).astype(half))
    dy = rng.standard_normal((2, 5, 30)).astype(half)
    for weights in (w, narrow):
        found = nn.linear_backward(dy, x, weights)
        as_floats = nn.linear_backward(dy.astype(np.float32), wide, weights.astype(np.float32))
        assert (found.x.dtype, found.weight.dtype, found.bias.dtype) == (half, np.float32, np.float32)
        assert np.array_equal(found.x, as_floats.x.astype(half))
        assert np.array_equal(found.weight, as_floats.weight)
        assert np.array_equal(found.bias, as_floats.bias)


def test_errors_quote_shapes(rng):
    x, w, b, (a, up, scale) = operands(rng, np.float32)
    with pytest.raises(ValueError, match=r"\(5, 7\).*\(4, 6\)"):
        nn.linear(x, w[:, :6], b)
    with pytest.raises(ValueError, match=r"A is \(2, 7\), B is \(3, 2\).*\(4, 7\)"):
        nn.linear(x, w, lora=(a, up[:3], scale))
    with pytest.raises(ValueError, match="2 entries"):
        nn.merge_lora(w, (a, up))
    with pytest.raises(ValueError, match=r"w is \(4,\)"):
        nn.merge_lora(b, (a, up, scale))
    with pytest.raises(ValueError, match=r"x is \(5, 7\), w is \(4, 6\)"):
        nn.linear(x, w[:, :6], lora=(a[:, :6], up, scale))
    with pytest.raises(ValueError, match=r"gate is \(5, 3\)"):
        nn.linear(x, w, gate=np.ones((5, 3)), lora=(a, up, scale))
    with pytest.raises(ValueError, match=r"out is \(5, 3\)"):
        nn.linear(x, w, out=np.empty((5, 3), np.float32), lora=(a, up, scale))
    with pytest.raises(ValueError, match=r"dy is \(5, 3\); it must be \(5, 4\)"):
        nn.linear_backward(np.ones((5, 3)), x, w)
    with pytest.raises(ValueError, match=r"x is \(5, 7\), w is \(4,\)"):
        nn.linear_backward(np.ones((5, 4)), x, b)
    with pytest.raises(ValueError, match="needs z"):
        nn.linear_backward(np.ones((5, 4)), x, w, activation="relu")
    with pytest.raises(TypeError, match="complex"):
        nn.linear(x.astype(complex), w)
