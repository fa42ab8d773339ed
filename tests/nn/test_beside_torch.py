"""The same values and gradients as PyTorch's functions and its autograd, in float64."""

import numpy as np
import pytest

from fastla import nn

torch = pytest.importorskip("torch", reason="needs PyTorch", exc_type=ImportError)
F = torch.nn.functional

# Two programs in float64, each with some hundred roundings: what is wrong is off by far more.
ROUNDINGS = 500 * np.finfo(np.float64).eps


def tensors(*arrays):
    return [torch.from_numpy(x).clone().requires_grad_() for x in arrays]


def close(got, want, context=""):
    want = want.detach().numpy()
    assert np.shape(got) == want.shape, context
    size = np.abs(want[np.isfinite(want)]).max(initial=1e-3)
    assert np.allclose(got, want, rtol=0, atol=ROUNDINGS * size, equal_nan=True), context


def random(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name, axis):
    x, dy = random(6, 7, 33) * 5, random(6, 7, 33, seed=1)
    (t,) = tensors(x)
    y = getattr(nn, name)(x, axis)
    want = getattr(F, name)(t, dim=axis)
    close(y, want)
    want.backward(torch.from_numpy(dy))
    close(getattr(nn, f"{name}_backward")(dy, y, axis), t.grad)


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("affine", [False, True])
def test_norms(axes, affine):
    x, dy = random(5, 6, 40) * 2 + 3, random(5, 6, 40, seed=1)
    inner = x.shape[-axes:]
    weight, bias = (random(*inner, seed=2), random(*inner, seed=3)) if affine else (None, None)
    t, w, b = tensors(x, *([weight, bias] if affine else []), *([] if affine else [np.ones(1), np.ones(1)]))
    w, b = (w, b) if affine else (None, None)
    want = F.layer_norm(t, inner, w, b, 1e-4)
    close(nn.layer_norm(x, weight, bias, axis=-axes, eps=1e-4), want)
    want.backward(torch.from_numpy(dy))
    got = nn.layer_norm_backward(dy, x, weight, bias=affine, axis=-axes, eps=1e-4)
    close(got.x, t.grad)
    if affine:
        close(got.weight, w.grad)
        close(got.bias, b.grad)
    t, *rest = tensors(x, *([weight] if affine else []))
    want = F.rms_norm(t, inner, rest[0] if rest else None, 1e-4)
    close(nn.rms_norm(x, weight, axis=-axes, eps=1e-4), want)
    want.backward(torch.from_numpy(dy))
    got = nn.rms_norm_backward(dy, x, weight, axis=-axes, eps=1e-4)
    close(got.x, t.grad)
    if affine:
        close(got.weight, rest[0].grad)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("ignored", [-100, 3])
def test_cross_entropy(reduction, smoothing, ignored):
    x, target = random(50, 10) * 4, np.random.default_rng(1).integers(0, 10, 50)
    target[::7] = ignored
    (t,) = tensors(x)
    arguments = {"ignore_index": ignored, "label_smoothing": smoothing, "reduction": reduction}
    want = F.cross_entropy(t, torch.from_numpy(target), **arguments)
    close(nn.cross_entropy(x, target, **arguments), want)
    gradient = random(50, seed=4) if reduction == "none" else 1.7
    want.backward(torch.as_tensor(gradient, dtype=torch.float64))
    close(nn.cross_entropy_backward(x, target, loss_gradient=gradient, **arguments), t.grad)


def test_cross_entropy_of_impossible_classes():
    x = random(4, 5)
    x[0, 2] = x[1, 1] = -np.inf
    target = np.array([2, 0, 1, 2])
    for smoothing in (0.0, 0.1):
        want = F.cross_entropy(
            torch.from_numpy(x), torch.from_numpy(target), reduction="none", label_smoothing=smoothing
        )
        close(nn.cross_entropy(x, target, reduction="none", label_smoothing=smoothing), want)


@pytest.mark.parametrize("name", ["relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid"])
def test_activations(name):
    x, dy = random(40, 41) * 4, random(40, 41, seed=1)
    (t,) = tensors(x)
    torch_of = {"gelu_tanh": lambda v: F.gelu(v, approximate="tanh")}.get(name) or getattr(F, name)
    want = torch_of(t)
    close(nn.activation(x, name), want)
    want.backward(torch.from_numpy(dy))
    close(nn.activation_backward(dy, x, name), t.grad)


ATTENTION = {
    "plain": {},
    "causal": {"is_causal": True},
    "scale": {"scale": 0.7},
    "heads that share": {"enable_gqa": True},
    "mask": {"attn_mask": np.random.default_rng(5).random((2, 1, 30, 300)) < 0.7},
    "bias": {"attn_mask": random(4, 30, 300, seed=6)},
}


@pytest.mark.parametrize("name", ATTENTION)
def test_scaled_dot_product_attention(name):
    arguments = ATTENTION[name]
    heads = 2 if "enable_gqa" in arguments else 4
    q, k, v = random(2, 4, 30, 16), random(2, heads, 300, 16, seed=1), random(2, heads, 300, 24, seed=2)
    mask = arguments.get("attn_mask")
    t = tensors(q, k, v)
    given = arguments if mask is None else arguments | {"attn_mask": torch.from_numpy(mask)}
    want = F.scaled_dot_product_attention(*t, **given)
    close(nn.scaled_dot_product_attention(q, k, v, **arguments), want)

    ours = {"causal": "upper_left" if "is_causal" in arguments else False, "scale": arguments.get("scale")}
    if mask is not None:
        ours["mask" if mask.dtype == bool else "bias"] = mask
    out, lse = nn.attention(q, k, v, **ours, return_lse=True)
    dout = random(*out.shape, seed=3)
    want.backward(torch.from_numpy(dout))
    for what, x, leaf in zip("qkv", nn.attention_backward(dout, q, k, v, out, lse, **ours), t, strict=True):
        close(x, leaf.grad, f"d{what}")


def test_attention_written_out():
    """What PyTorch's function lacks, by its parts: softcap, slopes, window, lse; and autograd's gradients."""
    q, k, v, bias = (
        random(3, 20, 8),
        random(3, 270, 8, seed=1),
        random(3, 270, 8, seed=2),
        random(3, 20, 270, seed=3),
    )
    slopes = np.array([0.3, 0.1, 0.02])
    t = tensors(q, k, v)
    position = torch.arange(20)[:, None] + 250
    distance = position - torch.arange(270)
    s = 2 * torch.tanh(t[0] @ t[1].mT / 8**0.5 / 2) + torch.from_numpy(bias)
    s = s - torch.from_numpy(slopes)[:, None, None] * distance.abs()
    s = s.masked_fill((distance < 0) | (distance > 100), -torch.inf)
    want = s.softmax(-1) @ t[2]
    arguments = {"causal": True, "window": (100, 0), "bias": bias, "softcap": 2.0, "alibi": slopes}
    out, lse = nn.attention(q, k, v, **arguments, return_lse=True)
    close(out, want)
    close(lse, s.logsumexp(-1))
    dout = random(*out.shape, seed=4)
    want.backward(torch.from_numpy(dout))
    for what, x, leaf in zip(
        "qkv", nn.attention_backward(dout, q, k, v, out, lse, **arguments), t, strict=True
    ):
        close(x, leaf.grad, f"d{what}")
