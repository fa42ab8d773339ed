"""Tiny models of each kind, and what they compute, in float64 NumPy, straight from their files."""

import json
import math

import numpy as np

from fastla import nn

GPT2 = nn.GPT2Config(vocab_size=29, n_positions=320, n_embd=24, n_layer=2, n_head=3)
BERT = nn.BertConfig(vocab_size=29, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
                     intermediate_size=40, max_position_embeddings=32, head=True)
SCALING = {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
           "original_max_position_embeddings": 64}
LLAMA = nn.LlamaConfig(vocab_size=29, hidden_size=24, intermediate_size=40, num_hidden_layers=2,
                       num_attention_heads=6, num_key_value_heads=2, rope_scaling=SCALING)


def made(config, seed=0, scale=0.3, dtype=np.float32):
    """A model whose parameters are far from their first values, biases and norms too."""
    model = {nn.GPT2Config: nn.GPT2, nn.BertConfig: nn.Bert, nn.LlamaConfig: nn.Llama}[type(config)](
        config, rng=seed, dtype=dtype)
    rng = np.random.default_rng([seed, 1])
    for name, array in model.parameters.items():
        array[...] = rng.standard_normal(array.shape) * scale + ("norm" in name and name.endswith("weight"))
    return model


def files(folder):
    """config.json and the tensors, widened."""
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text())
    return config, {n: t.astype(np.float64) for n, t in load_file(folder / "model.safetensors").items()}


def layer_norm(x, weight, bias, eps):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps) * weight + bias


def softmax(s):
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def erf(x):
    return np.vectorize(math.erf)(x)


def heads_of(x, count):
    return x.reshape(len(x), count, -1).swapaxes(0, 1)


def attended(q, k, v, heads, kv_heads, hidden=None):
    """(tokens, size) of one sequence."""
    q, k, v = heads_of(q, heads), heads_of(k, kv_heads), heads_of(v, kv_heads)
    k, v = (np.repeat(x, heads // kv_heads, axis=0) for x in (k, v))
    scores = q @ k.swapaxes(1, 2) / math.sqrt(q.shape[-1])
    if hidden is not None:
        scores[:, hidden] = -np.inf
    return (softmax(scores) @ v).swapaxes(0, 1).reshape(len(q[0]), -1)


def gpt2(folder, tokens):
    """Logits of one sequence, as GPT-2's paper and code have it."""
    c, w = files(folder)

    def conv(x, name):
        return x @ w[f"transformer.{name}.weight"] + w[f"transformer.{name}.bias"]

    def norm(x, name):
        return layer_norm(x, w[f"transformer.{name}.weight"], w[f"transformer.{name}.bias"],
                          c["layer_norm_epsilon"])

    n = len(tokens)
    x = w["transformer.wte.weight"][tokens] + w["transformer.wpe.weight"][:n]
    for i in range(c["n_layer"]):
        q, k, v = np.split(conv(norm(x, f"h.{i}.ln_1"), f"h.{i}.attn.c_attn"), 3, axis=-1)
        future = np.triu(np.ones((n, n), bool), 1)
        x = x + conv(attended(q, k, v, c["n_head"], c["n_head"], future), f"h.{i}.attn.c_proj")
        h = conv(norm(x, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc")
        h = 0.5 * h * (1 + np.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)))
        x = x + conv(h, f"h.{i}.mlp.c_proj")
    return norm(x, "ln_f") @ w["transformer.wte.weight"].T


def bert(folder, tokens, types, kept):
    """Logits of one sequence's words, pooled vector."""
    c, w = files(folder)

    def dense(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x, name):
        return layer_norm(x, w[f"{name}.weight"], w[f"{name}.bias"], c["layer_norm_eps"])

    def gelu(x):
        return x * 0.5 * (1 + erf(x / math.sqrt(2)))

    e, n = "bert.embeddings.", len(tokens)
    x = norm(w[e + "word_embeddings.weight"][tokens] + w[e + "position_embeddings.weight"][:n]
             + w[e + "token_type_embeddings.weight"][types], e + "LayerNorm")
    hidden = np.broadcast_to(~kept, (n, n))
    for i in range(c["num_hidden_layers"]):
        p, heads = f"bert.encoder.layer.{i}.", c["num_attention_heads"]
        q, k, v = (dense(x, p + f"attention.self.{m}") for m in ("query", "key", "value"))
        x = norm(x + dense(attended(q, k, v, heads, heads, hidden), p + "attention.output.dense"),
                 p + "attention.output.LayerNorm")
        h = gelu(dense(x, p + "intermediate.dense"))
        x = norm(x + dense(h, p + "output.dense"), p + "output.LayerNorm")
    pooled = np.tanh(dense(x[0], "bert.pooler.dense"))
    h = norm(gelu(dense(x, "cls.predictions.transform.dense")), "cls.predictions.transform.LayerNorm")
    return h @ w[e + "word_embeddings.weight"].T + w["cls.predictions.bias"], pooled


def llama(folder, tokens):
    """Logits of one sequence; elements i and i + size / 2 of a head turn together."""
    c, w = files(folder)

    def rms(x, name):
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + c["rms_norm_eps"]) * w[f"{name}.weight"]

    n, heads, kv_heads = len(tokens), c["num_attention_heads"], c["num_key_value_heads"]
    size = c["hidden_size"] // heads
    angles = np.arange(n)[:, None] * nn.rotary_frequencies(size, c["rope_theta"], c["rope_scaling"])

    def turned(x, count):
        z = x.reshape(n, count, 2, size // 2)
        z = (z[:, :, 0] + 1j * z[:, :, 1]) * np.exp(1j * angles)[:, None]
        return np.stack([z.real, z.imag], axis=2).reshape(n, -1)

    x, future = w["model.embed_tokens.weight"][tokens], np.triu(np.ones((n, n), bool), 1)
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        h = rms(x, p + "input_layernorm")
        q, k, v = (h @ w[p + f"self_attn.{m}_proj.weight"].T for m in "qkv")
        a = attended(turned(q, heads), turned(k, kv_heads), v, heads, kv_heads, future)
        x = x + a @ w[p + "self_attn.o_proj.weight"].T
        h = rms(x, p + "post_attention_layernorm")
        gate = h @ w[p + "mlp.gate_proj.weight"].T
        up = h @ w[p + "mlp.up_proj.weight"].T
        x = x + (gate / (1 + np.exp(-gate)) * up) @ w[p + "mlp.down_proj.weight"].T
    output = w.get("lm_head.weight", w["model.embed_tokens.weight"])
    return rms(x, "model.norm") @ output.T
