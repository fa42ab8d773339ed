"""Layers: each the sum of its products."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ._cost import Cost, integers, itemsize


def matmul(m: int, n: int, k: int, *, dtype: object = "float32") -> Cost:
    """Cost of the product of an m x k and a k x n matrix.

    Parameters
    ----------
    m, n, k : int
    dtype : dtype, default "float32"
        Of the operands and the result.

    Returns
    -------
    Cost
        2 m n k operations.

    Examples
    --------
    >>> from fastla import flops
    >>> flops.matmul(2, 3, 5)
    Cost(flops=60, bytes_read=100, bytes_written=24, parameters=0, products=1, biases=0)
    """
    m, n, k = integers("matmul", m=m, n=n, k=k)
    size = itemsize(dtype)
    return Cost(2 * m * n * k, size * (m * k + k * n), size * m * n, products=1)


def linear(rows: int, inputs: int, outputs: int, *, bias: bool = False, dtype: object = "float32") -> Cost:
    """Cost of x W^T + b, where x has `rows` rows.

    Parameters
    ----------
    rows : int
        Rows of x: of a batch of sequences, all their tokens.
    inputs, outputs : int
        W is outputs x inputs.
    bias : bool, default False
    dtype : dtype, default "float32"

    Returns
    -------
    Cost

    Examples
    --------
    >>> from fastla import flops
    >>> layer = flops.linear(1, 784, 256, bias=True)
    >>> layer.flops, layer.weights, layer.biases
    (401408, 200704, 256)
    """
    rows, inputs, outputs = integers("linear", rows=rows, inputs=inputs, outputs=outputs)
    biases = outputs if bias else 0
    learned = Cost(parameters=inputs * outputs + biases, biases=biases)
    return matmul(rows, outputs, inputs, dtype=dtype) + learned


def mlp(
    sizes: Sequence[int],
    *,
    rows: int = 1,
    bias: bool = True,
    training: bool = False,
    dtype: object = "float32",
) -> Cost:
    """Cost of linear layers one after another.

    Parameters
    ----------
    sizes : sequence of int
        Of the input, of each layer's output.
    rows : int, default 1
    bias : bool, default True
    training : bool, default False
        Count the backward pass too: two products for each layer, but one for the first, whose input needs no
        gradient.
    dtype : dtype, default "float32"

    Returns
    -------
    Cost

    Raises
    ------
    ValueError
        If there is no layer, or a size is negative.

    Examples
    --------
    >>> from fastla import flops
    >>> sizes = (784, 256, 128, 64, 10)
    >>> flops.mlp(sizes).parameters, flops.mlp(sizes, training=True).products
    (242762, 11)
    """
    if len(sizes) < 2:
        raise ValueError(f"mlp: sizes must be of the input and of a layer at least, got {tuple(sizes)}")
    pairs = list(pairwise(sizes))
    layers = [linear(rows, a, b, bias=bias, dtype=dtype) for a, b in pairs]
    if not training:
        return sum(layers, Cost())
    gradient = matmul(pairs[0][1], pairs[0][0], rows, dtype=dtype)
    return sum((layer.training() for layer in layers[1:]), layers[0] + gradient)


def attention(
    batch: int,
    heads: int,
    queries: int,
    keys: int,
    size: int,
    *,
    kv_heads: int | None = None,
    causal: bool = False,
    fused: bool = True,
    dtype: object = "float32",
) -> Cost:
    """Cost of softmax(Q K^T / sqrt(size)) V, without the projections that make Q, K and V.

    Parameters
    ----------
    batch, heads : int
        Sequences, and heads of queries.
    queries, keys : int
        Tokens that ask, and tokens that are asked.
    size : int
        Of a head.
    kv_heads : int, optional
        Heads of keys and values, each for heads / kv_heads heads of queries; default: heads.
    causal : bool, default False
        Count only what a causal mask leaves: the queries are the last of the keys, and see none after them.
    fused : bool, default True
        The scores stay in the processor. Otherwise they are written by the first product and read by the
        second.
    dtype : dtype, default "float32"

    Returns
    -------
    Cost
        Two products for each head of each sequence, of 4 size operations for each query and key.

    Raises
    ------
    ValueError
        If kv_heads does not divide heads, or a causal query would see no key.

    Examples
    --------
    >>> from fastla import flops
    >>> whole, half = (flops.attention(1, 16, 1024, 1024, 64, causal=c) for c in (False, True))
    >>> whole.flops, half.flops / whole.flops
    (4294967296, 0.50048828125)
    """
    kv_heads = heads if kv_heads is None else kv_heads
    batch, heads, queries, keys, size, kv_heads = integers(
        "attention", batch=batch, heads=heads, queries=queries, keys=keys, size=size, kv_heads=kv_heads
    )
    if heads % kv_heads if kv_heads else heads:
        raise ValueError(f"attention: kv_heads={kv_heads} does not divide heads={heads}")
    pairs = queries * keys
    if causal:
        if queries > keys:
            raise ValueError(f"attention: causal, but queries={queries} exceeds keys={keys}")
        pairs -= queries * (queries - 1) // 2
    scores = 0 if fused else batch * heads * pairs
    read = 2 * batch * kv_heads * keys * size + batch * heads * queries * size + scores
    written = batch * heads * queries * size + scores
    return Cost(
        4 * batch * heads * pairs * size,
        itemsize(dtype) * read,
        itemsize(dtype) * written,
        products=2 * batch * heads,
    )


def embedding(tokens: int, vocab_size: int, d_model: int, *, dtype: object = "float32") -> Cost:
    """Cost of looking up a row of a table for each token: no operation, no product.

    Parameters
    ----------
    tokens : int
    vocab_size, d_model : int
        Rows and columns of the table.
    dtype : dtype, default "float32"

    Returns
    -------
    Cost

    Examples
    --------
    >>> from fastla import flops
    >>> flops.embedding(128, 30522, 768).parameters
    23440896
    """
    tokens, rows, d_model = integers("embedding", tokens=tokens, vocab_size=vocab_size, d_model=d_model)
    moved = itemsize(dtype) * tokens * d_model
    return Cost(bytes_read=moved, bytes_written=moved, parameters=rows * d_model)


def norm(d_model: int, *, bias: bool = True) -> Cost:
    """Cost of a norm over rows: its parameters.

    Parameters
    ----------
    d_model : int
    bias : bool, default True
        A shift beside the scale: layer norm; without it RMS norm.

    Returns
    -------
    Cost

    Examples
    --------
    >>> from fastla import flops
    >>> flops.norm(768).parameters
    1536
    """
    (size,) = integers("norm", d_model=d_model)
    shift = size if bias else 0
    return Cost(parameters=size + shift, biases=shift)
