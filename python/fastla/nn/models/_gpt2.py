"""GPT-2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._dropout import Dropout
from ._decoder import Decoder
from ._files import Place
from ._model import activation_named, demand

_ACTIVATIONS = {
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu": "gelu",
    "relu": "relu",
}


@dataclass(frozen=True, slots=True)
class GPT2Config:
    """Sizes of a GPT-2, by the names that config.json has.

    Attributes
    ----------
    vocab_size, n_positions, n_embd, n_layer, n_head : int
    n_inner : int, optional
        Size between the layers of the MLP; default: 4 n_embd.
    activation_function : str
    layer_norm_epsilon : float
    embd_pdrop, resid_pdrop, attn_pdrop : float
        What training drops (`Dropout`): of the embeddings, of what attention and MLPs give, of attention's
        weights.

    Examples
    --------
    >>> import math
    >>> from fastla import nn
    >>> sum(math.prod(shape) for shape in nn.GPT2.shapes(nn.GPT2Config()).values())
    124439808
    """

    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int | None = None
    activation_function: str = "gelu_new"
    layer_norm_epsilon: float = 1e-5
    embd_pdrop: float = 0.1
    resid_pdrop: float = 0.1
    attn_pdrop: float = 0.1


class GPT2(Decoder):
    """GPT-2: learned positions, norms first, GELU, the output tied to the embedding.

    Parameters
    ----------
    config : GPT2Config
    rng : int, Generator or callable, optional
        As of `MultiHeadAttention`.
    dtype : dtype, default float32

    Attributes
    ----------
    config : GPT2Config
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
    Llama, Bert, TransformerBlock

    References
    ----------
    A. Radford et al., "Language Models are Unsupervised Multitask Learners", 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> model = nn.GPT2(nn.GPT2Config(vocab_size=11, n_positions=16, n_embd=8, n_layer=2, n_head=2), rng=0)
    >>> tokens = np.array([[1, 2, 3]])
    >>> model(tokens).shape
    (1, 3, 11)
    >>> loss, gradients = model.loss_and_gradients(tokens[:, :-1], tokens[:, 1:])
    >>> gradients.keys() == model.parameters.keys()
    True
    >>> len(model.generate([1, 2, 3], 4))
    7
    """

    config_class = GPT2Config
    model_type = "gpt2"

    def __init__(self, config: GPT2Config, *, rng: Any = None, dtype: Any = np.float32):
        c = self.config = config
        self.dropout = Dropout(c.embd_pdrop)
        self._build(
            (c.vocab_size, c.n_embd, c.n_layer),
            c.n_positions,
            True,
            "layer",
            c.layer_norm_epsilon,
            rng,
            dtype,
            heads=c.n_head,
            hidden=c.n_inner,
            dropout=c.resid_pdrop,
            attention_dropout=c.attn_pdrop,
            activation=activation_named(_ACTIVATIONS, c.activation_function, "GPT2"),
        )

    @classmethod
    def _config(cls, given: dict[str, Any]) -> Any:
        demand(
            given,
            "GPT2",
            scale_attn_weights=True,
            scale_attn_by_inverse_layer_idx=False,
            add_cross_attention=False,
            tie_word_embeddings=True,
        )
        return super()._config(given)

    def _stored_config(self) -> dict[str, Any]:
        return {**super()._stored_config(), "architectures": ["GPT2LMHeadModel"]}

    @classmethod
    def _canonical(cls, stored: str) -> str | None:
        name = stored.removeprefix("transformer.")
        if name.endswith((".attn.bias", ".attn.masked_bias")):
            return None  # the causal mask
        return name if name in cls.spare else f"transformer.{name}"

    def _places(self) -> dict[str, Place]:
        def place(name: str, transposed: bool = False) -> Place:
            return Place((f"transformer.{name}",), (), transposed)

        places = {"embedding.weight": place("wte.weight"), "positions.weight": place("wpe.weight")}
        places |= {f"norm.{p}": place(f"ln_f.{p}") for p in ("weight", "bias")}
        for i in range(self.config.n_layer):
            for ours, theirs in (("norm1", "ln_1"), ("norm2", "ln_2")):
                for p in ("weight", "bias"):
                    places[f"blocks.{i}.{ours}.{p}"] = place(f"h.{i}.{theirs}.{p}")
            for ours, theirs in (
                ("attention.qkv", "attn.c_attn"),
                ("attention.out", "attn.c_proj"),
                ("mlp.up", "mlp.c_fc"),
                ("mlp.down", "mlp.c_proj"),
            ):  # weights of Conv1D are (inputs, outputs)
                places[f"blocks.{i}.{ours}.weight"] = place(f"h.{i}.{theirs}.weight", True)
                places[f"blocks.{i}.{ours}.bias"] = place(f"h.{i}.{theirs}.bias")
        return places
