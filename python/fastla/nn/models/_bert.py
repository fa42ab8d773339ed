"""BERT."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from .._block import TransformerBlock
from .._dropout import Dropout
from .._feed_forward import norm as norm_of
from .._losses import loss_and_gradient
from .._parameters import drawing, named
from ._bert_config import DEMANDED, BertConfig, canonical, inputs, places
from ._head import Head
from ._model import Model, activation_named, demand
from ._pooler import Encoder, Pooler

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import ArrayLike, NDArray

    from .._initial import Random
    from .._layers import Gradients
    from ._files import Place

_ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "relu": "relu", "silu": "silu"}


class Bert(Model):
    """BERT: an encoder that sees both sides, with token types, norms last, pooler and masked words' head.

    Parameters
    ----------
    config : BertConfig
    rng : int, Generator or callable, optional
        As of `MultiHeadAttention`.
    dtype : dtype, default float32

    Attributes
    ----------
    config : BertConfig
    parameters : dict of str to ndarray
        The arrays that the model computes with: an optimizer changes them in place.
    blocks : list of TransformerBlock
    pooler : layer or None
        Vectors of sequences, (batch, size), from what `forward` gives.

    Methods
    -------
    from_pretrained(folder), save_pretrained(folder)
        Folders of Hugging Face's libraries.
    __call__(tokens, types=None, mask=None)
        Logits, (batch, tokens, words), with a head.
    encode(tokens, types=None, mask=None)
        Vectors of the tokens, and of the sequences, with a pooler.
    forward(tokens, types=None, mask=None), backward(d, saved), loss_and_gradients(tokens, targets)
        For training.
    encoder(pad=None)
        `forward` as a layer of tokens alone, for a `Sequential`.
    shapes(config)

    See Also
    --------
    GPT2, Llama, TransformerBlock

    References
    ----------
    J. Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", NAACL 2019.

    Examples
    --------
    >>> from fastla import nn
    >>> config = nn.BertConfig(vocab_size=11, hidden_size=8, num_hidden_layers=2, num_attention_heads=2,
    ...                        intermediate_size=16, max_position_embeddings=16, head=True)
    >>> model = nn.Bert(config, rng=0)
    >>> hidden, pooled = model.encode([[1, 2, 3], [4, 5, 0]], mask=[[True] * 3, [True, True, False]])
    >>> hidden.shape, pooled.shape, model([[1, 2, 3]]).shape
    ((2, 3, 8), (2, 8), (1, 3, 11))
    """

    config_class = BertConfig
    model_type = "bert"
    spare = ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias")

    def __init__(self, config: BertConfig, *, rng: Any = None, dtype: Any = np.float32):
        c = self.config = config
        activation = activation_named(_ACTIVATIONS, c.hidden_act, "Bert")
        draw, size = drawing(rng, dtype), c.hidden_size
        self.dropout = Dropout(c.hidden_dropout_prob)
        self.blocks = [
            TransformerBlock(
                size,
                c.num_attention_heads,
                hidden=c.intermediate_size,
                norm_first=False,
                activation=activation,
                eps=c.layer_norm_eps,
                dropout=c.hidden_dropout_prob,
                attention_dropout=c.attention_probs_dropout_prob,
                rng=draw,
            )
            for _ in range(c.num_hidden_layers)
        ]
        self.norm = norm_of("layer", size, c.layer_norm_eps, draw)
        tables = (
            ("embedding", c.vocab_size),
            ("positions", c.max_position_embeddings),
            ("types", c.type_vocab_size),
        )
        self.parameters = {f"{n}.weight": draw(f"{n}.weight", (rows, size)) for n, rows in tables}
        self.parameters |= named("norm", self.norm.parameters) | self._named_blocks()
        self.pooler = Pooler(size, draw) if c.pooler else None
        if self.pooler is not None:
            self.parameters |= named("pooler", self.pooler.parameters)
        self.head: Head | None = None
        if c.head:
            self.head = Head(size, c.vocab_size, activation, c.layer_norm_eps, draw)
            self.parameters |= named("head", self.head.parameters)

    def forward(
        self,
        tokens: ArrayLike,
        types: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        *,
        rng: Random = None,
        keep: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Vectors of the tokens, and what the backward pass needs.

        Parameters
        ----------
        tokens : array_like of int
            (batch, tokens), or (tokens,).
        types : array_like of int, optional
            Of the tokens' shape; default: 0.
        mask : array_like of bool, optional
            Of the tokens' shape: False is padding, which no token sees.
        rng : int or Generator, optional
            Draws what the configuration's dropout leaves out, in training; without it nothing is.
        keep : bool, default True
            Whether there will be a backward pass.

        Returns
        -------
        hidden : ndarray
            (batch, tokens, size).
        saved
        """
        words = self._tokens(tokens)
        places, seen = inputs(words, types, mask, self.config)
        total = self._embedded(places)
        hidden, blocks = self._through(self.norm(total), keep, rng, mask=seen)
        return hidden, (places, total, blocks) if keep else None

    def backward(
        self, dy: NDArray[Any], saved: Any, *, inputs: bool = True
    ) -> tuple[None, Gradients]:
        """The gradients of the encoder's parameters: those of pooler and head are in front of it.

        Parameters
        ----------
        dy : ndarray
            The gradient for `hidden`.
        saved
            What `forward` gave.
        inputs : bool, default True
            As of other layers; tokens have no gradient.

        Returns
        -------
        None
        gradients : dict of str to ndarray
        """
        places, total, blocks = self._kept(saved)
        grads: Gradients = {}
        dx, norm = self.norm.backward(self._back(dy, blocks, grads), total)
        self._embedded_backward(dx, places, grads)
        return None, grads | named("norm", norm)

    def encode(
        self, tokens: ArrayLike, types: ArrayLike | None = None, mask: ArrayLike | None = None
    ) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Vectors of the tokens, and of the sequences.

        Parameters
        ----------
        tokens, types, mask
            As of `forward`.

        Returns
        -------
        hidden : ndarray
            (batch, tokens, size).
        pooled : ndarray or None
            (batch, size); None without a pooler.
        """
        hidden = self.forward(tokens, types, mask, keep=False)[0]
        return hidden, None if self.pooler is None else self.pooler(hidden)

    def encoder(self, pad: int | None = None) -> Encoder:
        """`forward` as a layer that is given tokens alone, for a `Sequential`.

        Parameters
        ----------
        pad : int, optional
            Tokens that are padding, as far as they are of this number.

        Returns
        -------
        Layer
            Its parameters are the model's own arrays.
        """
        return Encoder(self, pad)

    def _head(self) -> Head:
        if self.head is None:
            raise ValueError("Bert: this model has no head; encode() gives the tokens' vectors")
        return self.head

    def __call__(
        self, tokens: ArrayLike, types: ArrayLike | None = None, mask: ArrayLike | None = None
    ) -> NDArray[Any]:
        """The logits of all words, (batch, tokens, words)."""
        head, hidden = self._head(), self.forward(tokens, types, mask, keep=False)[0]
        logits = head.forward(hidden, self.parameters["embedding.weight"])[0]
        return logits[0] if np.ndim(tokens) == 1 else logits

    def loss_and_gradients(
        self,
        tokens: ArrayLike,
        targets: ArrayLike,
        types: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        *,
        ignore_index: int = -100,
        rng: Random = None,
    ) -> tuple[float, Gradients]:
        """The mean cross entropy of masked words, and its gradients for all parameters but the pooler's.

        Parameters
        ----------
        tokens, types, mask
            As of `forward`.
        targets : array_like of int
            (batch, tokens); the words that belong there, `ignore_index` where none is asked for.
        ignore_index : int, default -100
        rng : int or Generator, optional
            As of `forward`.

        Returns
        -------
        loss : float
        gradients : dict of str to ndarray
            By the names of `parameters`.
        """
        targets = np.atleast_2d(np.asarray(targets))
        head, table = self._head(), self.parameters["embedding.weight"]
        hidden, saved = self.forward(tokens, types, mask, rng=rng)
        logits, of = head.forward(hidden, table)
        loss, d = loss_and_gradient(logits, targets, ignore_index, out=logits)
        d, own, tied = head.backward(d, of, table)
        grads = self.backward(d, saved)[1]
        grads["embedding.weight"] += tied
        return loss, grads | named("head", own)

    @classmethod
    def _config(cls, given: dict[str, Any]) -> Any:
        demand(given, "Bert", **DEMANDED)
        return super()._config(given)

    @classmethod
    def _adapted(cls, config: Any, names: Collection[str]) -> Any:
        return dataclasses.replace(
            config,
            pooler="bert.pooler.dense.weight" in names,
            head="cls.predictions.transform.dense.weight" in names,
        )

    def _stored_config(self) -> dict[str, Any]:
        config = super()._stored_config()
        del config["pooler"]
        kind = "BertForMaskedLM" if config.pop("head") else "BertModel"
        return {**config, "architectures": [kind]}

    @classmethod
    def _canonical(cls, stored: str) -> str | None:
        return canonical(stored)

    def _places(self) -> dict[str, Place]:
        return places(self.parameters, self.config)
