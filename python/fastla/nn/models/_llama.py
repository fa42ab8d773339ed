"""Llama."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._rotary import rotary_frequencies
from ._decoder import Decoder
from ._files import Place
from ._model import demand


@dataclass(frozen=True, slots=True)
class LlamaConfig:
    """Sizes of a Llama, by the names that config.json has.

    Attributes
    ----------
    vocab_size, hidden_size, intermediate_size, num_hidden_layers, num_attention_heads : int
    num_key_value_heads, head_dim : int, optional
        Default: as many as queries' heads; hidden_size / num_attention_heads.
    max_position_embeddings : int
        Of training; more positions are computed all the same.
    rms_norm_eps, rope_theta : float
    rope_scaling : dict, optional
        As of `rotary_frequencies`.
    attention_bias, mlp_bias, tie_word_embeddings : bool
    attention_dropout : float
        The share of attention's weights that training drops.

    Examples
    --------
    >>> import math
    >>> from fastla import nn
    >>> sum(math.prod(shape) for shape in nn.Llama.shapes(nn.LlamaConfig()).values())  # Llama 2, 7B
    6738415616
    """

    vocab_size: int = 32000
    hidden_size: int = 4096
    intermediate_size: int = 11008
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    max_position_embeddings: int = 2048
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10000.0
    rope_scaling: dict[str, Any] | None = None
    attention_bias: bool = False
    mlp_bias: bool = False
    tie_word_embeddings: bool = False
    attention_dropout: float = 0.0


class Llama(Decoder):
    """Llama: rotary positions, RMS norms first, SwiGLU, shared heads of keys and values.

    Parameters
    ----------
    config : LlamaConfig
    rng : int, Generator or callable, optional
        As of `MultiHeadAttention`.
    dtype : dtype, default float32

    Attributes
    ----------
    config : LlamaConfig
    parameters : dict of str to ndarray
        The arrays that the model computes with: an optimizer changes them in place.
    blocks : list of TransformerBlock

    Methods
    -------
    from_pretrained(folder), save_pretrained(folder)
        Folders of Hugging Face's libraries.
    __call__(tokens, cache=None)
        Logits, (batch, tokens, words).
    forward(tokens), backward(dlogits, saved), loss_and_gradients(tokens, targets)
        For training.
    generate(tokens, max_new_tokens, **kwargs)
        Continues prompts.
    cache(batch), hidden(tokens), logits(h), shapes(config)

    See Also
    --------
    GPT2, Bert, TransformerBlock, rotary

    References
    ----------
    H. Touvron et al., "LLaMA: Open and Efficient Foundation Language Models", arXiv:2302.13971, 2023.

    Examples
    --------
    >>> from fastla import nn
    >>> config = nn.LlamaConfig(vocab_size=11, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
    ...                         num_attention_heads=4, num_key_value_heads=2)
    >>> model = nn.Llama(config, rng=0)
    >>> model([1, 2, 3]).shape, len(model.generate([1, 2, 3], 4))
    ((3, 11), 7)
    """

    config_class = LlamaConfig
    model_type = "llama"

    def __init__(self, config: LlamaConfig, *, rng: Any = None, dtype: Any = np.float32):
        c = self.config = config
        head_size = c.head_dim or c.hidden_size // c.num_attention_heads
        self._build(
            (c.vocab_size, c.hidden_size, c.num_hidden_layers),
            0,
            c.tie_word_embeddings,
            "rms",
            c.rms_norm_eps,
            rng,
            dtype,
            heads=c.num_attention_heads,
            kv_heads=c.num_key_value_heads,
            head_size=head_size,
            hidden=c.intermediate_size,
            activation="swiglu",
            bias=c.mlp_bias,
            attention_bias=c.attention_bias,
            attention_dropout=c.attention_dropout,
            frequencies=rotary_frequencies(head_size, c.rope_theta, c.rope_scaling),
        )

    @classmethod
    def _config(cls, given: dict[str, Any]) -> Any:
        demand(given, "Llama", hidden_act="silu")
        rope = dict(given.get("rope_parameters") or {})  # where newer files have theta and scaling
        if rope:
            theta = rope.pop("rope_theta", cls.config_class().rope_theta)
            given = {"rope_theta": theta, "rope_scaling": rope or None, **given}
        return super()._config(given)

    def _stored_config(self) -> dict[str, Any]:
        own = {"architectures": ["LlamaForCausalLM"], "hidden_act": "silu"}
        return {**super()._stored_config(), **own}

    @classmethod
    def _canonical(cls, stored: str) -> str | None:
        return None if stored.endswith("rotary_emb.inv_freq") else stored

    def _places(self) -> dict[str, Place]:
        c = self.config
        places = {
            "embedding.weight": Place(("model.embed_tokens.weight",)),
            "norm.weight": Place(("model.norm.weight",)),
        }
        if not c.tie_word_embeddings:
            places["output.weight"] = Place(("lm_head.weight",))
        for i, block in enumerate(self.blocks):
            a = block.attention
            rows = tuple(a.head_size * n for n in (a.heads, a.kv_heads, a.kv_heads))
            for ours, theirs in (
                ("norm1", "input_layernorm"),
                ("norm2", "post_attention_layernorm"),
                ("attention.out", "self_attn.o_proj"),
                ("mlp.gate", "mlp.gate_proj"),
                ("mlp.up", "mlp.up_proj"),
                ("mlp.down", "mlp.down_proj"),
            ):
                for p in ("weight", "bias"):
                    if f"{ours}.{p}" in block.parameters:
                        places[f"blocks.{i}.{ours}.{p}"] = Place(
                            (f"model.layers.{i}.{theirs}.{p}",)
                        )
            for p in ("weight", "bias"):
                if f"attention.qkv.{p}" in block.parameters:
                    three = tuple(f"model.layers.{i}.self_attn.{n}_proj.{p}" for n in "qkv")
                    places[f"blocks.{i}.attention.qkv.{p}"] = Place(three, rows)
        return places
