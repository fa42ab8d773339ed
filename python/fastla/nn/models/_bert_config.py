"""BERT's sizes, what is checked against them, and where its parameters are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ._files import Place

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class BertConfig:
    """Sizes of a BERT, by the names that config.json has; what it has beside the encoder.

    Attributes
    ----------
    vocab_size, hidden_size, num_hidden_layers, num_attention_heads, intermediate_size : int
    max_position_embeddings, type_vocab_size : int
    hidden_act : str
    layer_norm_eps : float
    hidden_dropout_prob, attention_probs_dropout_prob : float
        What training drops (`Dropout`): of the embeddings and of what attention and MLPs give; of
        attention's weights.
    pooler : bool
        A layer on the first token of each sequence.
    head : bool
        Scores of words, for masked tokens. A folder's weights say whether they have the two.

    Examples
    --------
    >>> import math
    >>> from fastla import nn
    >>> sum(math.prod(shape) for shape in nn.Bert.shapes(nn.BertConfig()).values())
    109482240
    """

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    pooler: bool = True
    head: bool = False


DEMANDED = {  # of config.json, where it says it
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
}
_OUTSIDE = {
    "embedding.weight": "bert.embeddings.word_embeddings.weight",
    "positions.weight": "bert.embeddings.position_embeddings.weight",
    "types.weight": "bert.embeddings.token_type_embeddings.weight",
    "norm": "bert.embeddings.LayerNorm",
    "pooler": "bert.pooler.dense",
    "head.transform": "cls.predictions.transform.dense",
    "head.norm": "cls.predictions.transform.LayerNorm",
    "head.bias": "cls.predictions.bias",
}
_BLOCK = {
    "attention.out": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "mlp.up": "intermediate.dense",
    "mlp.down": "output.dense",
    "norm2": "output.LayerNorm",
}


def canonical(stored: str) -> str | None:
    """With the prefix that an encoder alone lacks, and norms' newer names."""
    for old, new in ((".gamma", ".weight"), (".beta", ".bias")):
        if stored.endswith(old):
            stored = stored.removesuffix(old) + new
    if stored.startswith("cls.seq_relationship.") or stored.endswith("position_ids"):
        return None  # of the next sentence; a range
    return stored if stored.startswith(("bert.", "cls.")) else f"bert.{stored}"


def places(parameters: Collection[str], config: BertConfig) -> dict[str, Place]:
    """Of each parameter."""
    found = {}
    for name in parameters:
        part, _, last = name.rpartition(".")
        if name in _OUTSIDE:
            found[name] = Place((_OUTSIDE[name],))
        elif part in _OUTSIDE:
            found[name] = Place((f"{_OUTSIDE[part]}.{last}",))
        else:
            _, i, inner = part.split(".", 2)
            layer = f"bert.encoder.layer.{i}"
            if inner == "attention.qkv":
                three = tuple(
                    f"{layer}.attention.self.{n}.{last}" for n in ("query", "key", "value")
                )
                found[name] = Place(three, (config.hidden_size,) * 3)
            else:
                found[name] = Place((f"{layer}.{_BLOCK[inner]}.{last}",))
    return found


def inputs(
    words: NDArray[Any], types: ArrayLike | None, mask: ArrayLike | None, config: BertConfig
) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_] | None]:
    """The rows of each table, and which tokens are seen, of (batch, tokens) of words."""
    length, most = words.shape[1], config.max_position_embeddings
    if length > most:
        raise ValueError(f"Bert: tokens is {words.shape}; there are {most} positions")
    kinds = np.zeros_like(words) if types is None else np.atleast_2d(np.asarray(types))
    seen = None if mask is None else np.atleast_2d(np.asarray(mask)).astype(bool)
    for what, array in (("types", kinds), ("mask", seen)):
        if array is not None and array.shape != words.shape:
            raise ValueError(f"Bert: {what} is {array.shape}, tokens is {words.shape}")
    if kinds.size and not 0 <= kinds.min() <= kinds.max() < config.type_vocab_size:
        raise ValueError(
            f"Bert: types {kinds.shape} is between {kinds.min()} and {kinds.max()}; "
            f"there are {config.type_vocab_size} types"
        )
    return {"embedding": words, "positions": np.arange(length), "types": kinds}, seen
