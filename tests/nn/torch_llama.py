"""fastla.nn.Llama once more, in PyTorch, on the same parameters."""

import math

import torch
import torch.nn.functional as functional


def turned(x, base):
    """Rotary positions, halves of a head together."""
    half = x.shape[-1] // 2
    rates = base ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * rates
    cos, sin = (f(angles).to(x.dtype) for f in (torch.cos, torch.sin))
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def logits(config, p, tokens):
    batch, length = tokens.shape
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads or config.num_attention_heads
    size = config.hidden_size // heads

    def norm(x, name):
        return functional.rms_norm(x, x.shape[-1:], p[f"{name}.weight"], config.rms_norm_eps)

    x = p["embedding.weight"][tokens]
    for i in range(config.num_hidden_layers):
        at = f"blocks.{i}."
        qkv = functional.linear(norm(x, at + "norm1"), p[at + "attention.qkv.weight"])
        qkv = qkv.view(batch, length, heads + 2 * kv_heads, size).transpose(1, 2)
        q, k, v = qkv.split([heads, kv_heads, kv_heads], 1)
        q, k = turned(q, config.rope_theta), turned(k, config.rope_theta)
        made = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        joined = made.transpose(1, 2).reshape(batch, length, heads * size)
        x = x + functional.linear(joined, p[at + "attention.out.weight"])
        y = norm(x, at + "norm2")
        gate = functional.silu(functional.linear(y, p[at + "mlp.gate.weight"]))
        up = functional.linear(y, p[at + "mlp.up.weight"])
        x = x + functional.linear(gate * up, p[at + "mlp.down.weight"])
    return functional.linear(norm(x, "norm"), p.get("output.weight", p["embedding.weight"]))


def bits(config, p, windows):
    """Bits for each token."""
    z = logits(config, p, windows[:, :-1])
    return functional.cross_entropy(z.flatten(0, 1), windows[:, 1:].flatten()) / math.log(2)
