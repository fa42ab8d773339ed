"""A transformer's block: the cost of its parts, and their sum."""

from __future__ import annotations

from typing import Any

from ._cost import Cost, integers
from ._layers import attention, linear, norm


def block_parts(
    batch: int,
    tokens: int,
    d_model: int,
    n_head: int,
    *,
    d_ff: int | None = None,
    n_kv_head: int | None = None,
    activation: str = "gelu",
    bias: bool = True,
    cached: int = 0,
    causal: bool = False,
    fused: bool = True,
    dtype: object = "float32",
) -> dict[str, Cost]:
    """Cost of a transformer's block, part by part.

    Parameters
    ----------
    batch, tokens : int
        Sequences, and new tokens of each.
    d_model, n_head : int
        A head has size d_model / n_head.
    d_ff : int, optional
        Size between the two layers of the MLP; default: 4 d_model.
    n_kv_head : int, optional
        Heads of keys and values; default: n_head.
    activation : str, default "gelu"
        Of the MLP; "swiglu" has a gate, a third layer of d_model x d_ff.
    bias : bool, default True
        Of the linear layers and of the norms.
    cached : int, default 0
        Tokens of each sequence whose keys and values are there already.
    causal, fused : bool
        As for `attention`.
    dtype : dtype, default "float32"

    Returns
    -------
    dict of str to Cost
        "projections" (of queries, keys, values, and of the result), "attention", "mlp", "norms".

    Raises
    ------
    ValueError
        If n_head does not divide d_model, n_kv_head does not divide n_head, or a size is negative.

    Examples
    --------
    >>> from fastla import flops
    >>> for part, cost in flops.block_parts(32, 1024, 1024, 16).items():
    ...     print(f"{part:12} {cost.flops / 1e9:6.1f} GFLOP, {cost.parameters:9,} parameters")
    projections   274.9 GFLOP, 4,198,400 parameters
    attention     137.4 GFLOP,         0 parameters
    mlp           549.8 GFLOP, 8,393,728 parameters
    norms           0.0 GFLOP,     4,096 parameters
    """
    batch, tokens, cached = integers("transformer_block", batch=batch, tokens=tokens, cached=cached)
    if n_head < 1 or d_model % n_head:
        raise ValueError(f"transformer_block: n_head={n_head} does not divide d_model={d_model}")
    if activation not in ("gelu", "swiglu"):
        raise ValueError(f"transformer_block: activation must be gelu or swiglu, got {activation}")
    size, n_kv_head = d_model // n_head, n_head if n_kv_head is None else n_kv_head
    d_ff = 4 * d_model if d_ff is None else d_ff

    def layer(inputs: int, outputs: int) -> Cost:
        return linear(batch * tokens, inputs, outputs, bias=bias, dtype=dtype)

    return {
        "projections": 2 * layer(d_model, d_model) + 2 * layer(d_model, n_kv_head * size),
        "attention": attention(
            batch,
            n_head,
            tokens,
            cached + tokens,
            size,
            kv_heads=n_kv_head,
            causal=causal,
            fused=fused,
            dtype=dtype,
        ),
        "mlp": (1 + (activation == "swiglu")) * layer(d_model, d_ff) + layer(d_ff, d_model),
        "norms": 2 * norm(d_model, bias=bias),
    }


def transformer_block(batch: int, tokens: int, d_model: int, n_head: int, **kwargs: Any) -> Cost:
    """Cost of a transformer's block; whether norms come first or last makes no difference.

    Parameters
    ----------
    batch, tokens, d_model, n_head : int
    **kwargs
        As for `block_parts`.

    Returns
    -------
    Cost

    Examples
    --------
    >>> from fastla import flops
    >>> block = flops.transformer_block(32, 1024, 1024, 16)
    >>> block.flops, block.parameters
    (962072674304, 12596224)
    """
    parts = block_parts(batch, tokens, d_model, n_head, **kwargs)
    return sum(parts.values(), Cost())
