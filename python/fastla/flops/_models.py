"""Whole transformers, and the sizes of published ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ._blocks import block_parts
from ._cost import Cost, integers
from ._layers import embedding, linear, norm


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """A transformer's sizes: of GPT-2's kind, BERT's or LLaMA's.

    Attributes
    ----------
    n_layer, n_head, d_model : int
        Blocks, heads of each, size of a token's vector.
    vocab_size : int
    n_positions, n_types : int, default 0
        Rows of the learned tables of positions and of token types; 0: there is none.
    d_ff, n_kv_head, activation, bias
        As for `block_parts`.
    output : bool, default True
        A last product gives a score for every word of the vocabulary.
    tied : bool, default True
        That product's matrix is the embedding's.
    pooler : bool, default False
        A linear layer on the first token of each sequence, as BERT has.
    parameters : int

    Methods
    -------
    parts(batch=1, tokens=1, **kwargs)
        Cost of the forward pass, part by part.
    forward(batch=1, tokens=1, **kwargs)
        Cost of the forward pass.
    backward(batch=1, tokens=1, **kwargs)
        Cost of the backward pass.
    training_step(batch=1, tokens=1, **kwargs)
        Cost of both.

    Notes
    -----
    Beside the two norms of each block there is one more: after the embedding (BERT) or before the output.

    Examples
    --------
    >>> from fastla import flops
    >>> mistral = flops.Transformer(n_layer=32, n_head=32, d_model=4096, vocab_size=32000, n_kv_head=8,
    ...                             d_ff=14336, activation="swiglu", bias=False, tied=False)
    >>> mistral.parameters
    7241732096
    """

    n_layer: int
    n_head: int
    d_model: int
    vocab_size: int
    n_positions: int = 0
    n_types: int = 0
    d_ff: int | None = None
    n_kv_head: int | None = None
    activation: str = "gelu"
    bias: bool = True
    output: bool = True
    tied: bool = True
    pooler: bool = False

    @property
    def parameters(self) -> int:
        return self.forward().parameters

    def parts(
        self,
        batch: int = 1,
        tokens: int = 1,
        *,
        cached: int = 0,
        causal: bool = False,
        fused: bool = True,
        dtype: object = "float32",
    ) -> dict[str, Cost]:
        """Cost of the forward pass, part by part.

        Parameters
        ----------
        batch, tokens : int, default 1
            Sequences, and new tokens of each.
        cached : int, default 0
            Tokens of each sequence whose keys and values are there already.
        causal, fused : bool
            As for `attention`. Published counts are of all pairs of tokens, so causal is False by default.
        dtype : dtype, default "float32"

        Returns
        -------
        dict of str to Cost
            "embedding", the parts of `block_parts` for all blocks, "output", "pooler".

        Raises
        ------
        ValueError
            If there are more tokens than positions.

        Examples
        --------
        >>> from fastla import flops
        >>> {part: cost.parameters for part, cost in flops.GPT2_SMALL.parts().items()}
        {'embedding': 39383808, 'projections': 28348416, 'attention': 0, 'mlp': 56669184, 'norms': 38400,
         'output': 0, 'pooler': 0}
        """
        batch, tokens, cached = integers("Transformer", batch=batch, tokens=tokens, cached=cached)
        if self.n_positions and tokens + cached > self.n_positions:
            raise ValueError(
                f"Transformer: tokens={tokens} and cached={cached} exceed n_positions={self.n_positions}"
            )
        d, tables = self.d_model, [n for n in (self.vocab_size, self.n_positions, self.n_types) if n]
        lookups = [embedding(batch * tokens, rows, d, dtype=dtype) for rows in tables]
        first, *others = lookups  # rows of several tables are added, and written once
        block = block_parts(
            batch,
            tokens,
            d,
            self.n_head,
            d_ff=self.d_ff,
            n_kv_head=self.n_kv_head,
            activation=self.activation,
            bias=self.bias,
            cached=cached,
            causal=causal,
            fused=fused,
            dtype=dtype,
        )
        output = linear(batch * tokens, d, self.vocab_size, dtype=dtype) if self.output else Cost()
        return {
            "embedding": sum((replace(cost, bytes_written=0) for cost in others), first),
            **{part: self.n_layer * cost for part, cost in block.items()},
            "norms": self.n_layer * block["norms"] + norm(d, bias=self.bias),
            "output": replace(output, parameters=0) if self.tied else output,
            "pooler": linear(batch, d, d, bias=True, dtype=dtype) if self.pooler else Cost(),
        }

    def forward(self, batch: int = 1, tokens: int = 1, **kwargs: Any) -> Cost:
        """Cost of the forward pass.

        Parameters
        ----------
        batch, tokens : int, default 1
        **kwargs
            As for `parts`.

        Returns
        -------
        Cost

        Examples
        --------
        >>> from fastla import flops
        >>> flops.GPT2_MEDIUM.forward(tokens=1024).products
        913
        """
        return sum(self.parts(batch, tokens, **kwargs).values(), Cost())

    def backward(self, batch: int = 1, tokens: int = 1, **kwargs: Any) -> Cost:
        """Cost of the backward pass: two products for each of the forward pass.

        Parameters
        ----------
        batch, tokens : int, default 1
        **kwargs
            As for `parts`.

        Returns
        -------
        Cost

        Examples
        --------
        >>> from fastla import flops
        >>> flops.GPT2_MEDIUM.backward(tokens=1024).products
        1826
        """
        return self.forward(batch, tokens, **kwargs).backward()

    def training_step(self, batch: int = 1, tokens: int = 1, **kwargs: Any) -> Cost:
        """Cost of the forward and the backward pass; the optimizer's is not in it.

        Parameters
        ----------
        batch, tokens : int, default 1
        **kwargs
            As for `parts`.

        Returns
        -------
        Cost

        Examples
        --------
        >>> from fastla import flops
        >>> flops.GPT2_MEDIUM.training_step(32, 1024).flops // 10**9
        79387
        """
        return self.forward(batch, tokens, **kwargs).training()


def _gpt2(n_layer: int, n_head: int, d_model: int) -> Transformer:
    return Transformer(
        n_layer=n_layer, n_head=n_head, d_model=d_model, vocab_size=50257, n_positions=1024
    )


def _bert(n_layer: int, n_head: int, d_model: int) -> Transformer:
    """The encoder with its pooler, uncased."""
    return Transformer(
        n_layer=n_layer,
        n_head=n_head,
        d_model=d_model,
        vocab_size=30522,
        n_positions=512,
        n_types=2,
        output=False,
        pooler=True,
    )


GPT2_SMALL, GPT2_MEDIUM = _gpt2(12, 12, 768), _gpt2(24, 16, 1024)
GPT2_LARGE, GPT2_XL = _gpt2(36, 20, 1280), _gpt2(48, 25, 1600)
BERT_BASE, BERT_LARGE = _bert(12, 12, 768), _bert(24, 16, 1024)
MODELS = {
    "gpt2": GPT2_SMALL,
    "gpt2-medium": GPT2_MEDIUM,
    "gpt2-large": GPT2_LARGE,
    "gpt2-xl": GPT2_XL,
    "bert-base": BERT_BASE,
    "bert-large": BERT_LARGE,
}
