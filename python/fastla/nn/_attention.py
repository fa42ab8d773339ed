"""Attention, in tiles: no matrix of queries by keys is ever held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from . import _rows
from ._heads import Operands

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class AttentionGradients(NamedTuple):
    """The gradients of attention's operands.

    Attributes
    ----------
    q, k, v : ndarray

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> one = np.ones((1, 1))
    >>> out, lse = nn.attention(one, one, one, return_lse=True)
    >>> nn.attention_backward(one, one, one, one, out, lse).q
    array([[0.]])
    """

    q: NDArray[Any]
    k: NDArray[Any]
    v: NDArray[Any]


def attention(
    q: ArrayLike,
    k: ArrayLike,
    v: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    causal: bool | str = False,
    scale: float | None = None,
    window: tuple[int, int] | None = None,
    softcap: float | None = None,
    alibi: ArrayLike | None = None,
    dropout_p: float = 0.0,
    rng: int | np.random.Generator | None = None,
    out: NDArray[Any] | None = None,
    return_lse: bool = False,
    num_threads: int | None = None,
) -> Any:
    """Averages of values, weighted by softmax of the queries' products with the keys.

    Parameters
    ----------
    q : array_like
        (..., heads, queries, size), or (queries, size); float32, float64, float16 or bfloat16.
    k, v : array_like
        (..., heads, keys, size) and (..., heads, keys, value size). Their heads may be fewer, by a whole
        factor: each is shared by that many neighbouring heads of queries, without copies. The leading
        dimensions broadcast.
    mask : array_like of bool, optional
        Broadcasts to (..., heads, queries, keys): False hides a key from a query.
    bias : array_like, optional
        Is added to the scores; broadcasts as `mask` does.
    causal : bool or {'lower_right', 'upper_left'}, default False
        A query sees keys up to its own position: counted from the end (True, 'lower_right'), so that the
        last query sees all keys, or from the beginning.
    scale : float, optional
        Of the scores; 1 / sqrt(size) by default.
    window : (int, int), optional
        How many keys to the left and to the right of its own position a query sees; -1: all. Positions are
        those of `causal`.
    softcap : float, optional
        Scores become softcap tanh(score / softcap), before bias and mask.
    alibi : array_like, optional
        (heads,); slopes m: -m |position - key| is added to the scores.
    dropout_p : float, default 0
        The share of weights that are made 0; the others are divided by 1 - dropout_p.
    rng : int or Generator, optional
        Which weights: an integer says it (so that `attention_backward` can be told), a generator draws it.
    out : ndarray, optional
        Of the result's shape and dtype.
    return_lse : bool, default False
        Whether to return the logarithms of the sums of exponentials too.
    num_threads : int, optional
        Threads to use at most, instead of `get_num_threads()`.

    Returns
    -------
    ndarray
        (..., heads, queries, value size). A query that sees no key gives 0; what is hidden may be NaN.
    lse : ndarray
        (..., heads, queries), in float32 for operands of 16 bits; -Inf where no key is seen. With
        `return_lse`.

    Raises
    ------
    ValueError
        If the shapes do not fit, or an argument is none of those listed.
    TypeError
        If `mask` is not of bool, or an operand is not of floating point.

    See Also
    --------
    attention_backward, scaled_dot_product_attention, KVCache

    Notes
    -----
    2 queries x keys x (size + value size) operations for each head; a causal mask halves them. Memory
    beside the result does not grow with queries x keys. Keys are taken in chunks of 256, counted from the
    first: the bits do not depend on threads, batch, or on how many queries are asked at once (docs/rows.md).

    References
    ----------
    A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017. T. Dao et al., "FlashAttention: Fast and
    Memory-Efficient Exact Attention with IO-Awareness", NeurIPS 2022. O. Press et al., "Train Short, Test
    Long", ICLR 2022 (alibi).

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> v = np.array([[1.0], [3.0]])
    >>> nn.attention(np.zeros((2, 1)), np.zeros((2, 1)), v, causal=True)
    array([[1.],
           [2.]])
    """
    o = Operands("attention", q, k, v)
    others = o.others(mask, bias, causal, scale, window, softcap, alibi, dropout_p, rng)
    to, copied = o.output(out, others[0], others[1])
    lse = np.empty(o.scores[:-1], o.wide) if return_lse else None
    threads = _rows.threads_of("attention", num_threads)
    _core.attention(o.q, o.k, o.v, to, *others[:3], lse, others[3], threads)
    result = out if out is not None else to.reshape(o.shape)
    if copied is not None:
        copied[...] = to.reshape(o.shape)
    return (result, lse) if return_lse else result


def attention_backward(
    dout: ArrayLike,
    q: ArrayLike,
    k: ArrayLike,
    v: ArrayLike,
    out: ArrayLike,
    lse: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    causal: bool | str = False,
    scale: float | None = None,
    window: tuple[int, int] | None = None,
    softcap: float | None = None,
    alibi: ArrayLike | None = None,
    dropout_p: float = 0.0,
    rng: int | None = None,
    num_threads: int | None = None,
) -> AttentionGradients:
    """The gradients of `attention` for q, k and v.

    Parameters
    ----------
    dout : array_like
        The gradient for the result, of its shape.
    q, k, v : array_like
        As of `attention`; their leading dimensions must be the same.
    out, lse : array_like
        What `attention` gave, with `return_lse`.
    mask, bias, causal, scale, window, softcap, alibi, dropout_p : optional
        As of `attention`.
    rng : int, optional
        With `dropout_p` the integer that `attention` was given.
    num_threads : int, optional
        Threads to use at most, instead of `get_num_threads()`: one for each head of keys.

    Returns
    -------
    AttentionGradients
        For q, k and v, of their shapes and dtype.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    TypeError
        If an operand is not of the right kind.

    Notes
    -----
    Weights are computed again, for 256 queries and 256 keys at a time: 5 products for the forward pass's 2.
    Sums over queries and keys are those of chunks of 256 of fixed position, in increasing order.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> q, v = np.zeros((1, 1)), np.array([[1.0], [3.0]])
    >>> out, lse = nn.attention(q, np.zeros((2, 1)), v, return_lse=True)
    >>> nn.attention_backward(np.ones((1, 1)), q, np.zeros((2, 1)), v, out, lse).v
    array([[0.5],
           [0.5]])
    """
    name = "attention_backward"
    if dropout_p and not isinstance(rng, int | np.integer):
        raise TypeError(
            f"{name}: rng is {type(rng).__name__}; with dropout_p it must be attention's integer"
        )
    o = Operands(name, q, k, v)
    if any(x[:-3] != o.stack for x in o.shapes):
        raise o.error("their leading dimensions must be the same")
    others = o.others(mask, bias, causal, scale, window, softcap, alibi, dropout_p, rng)
    given = np.broadcast_to(np.empty((), o.dtype), o.shape)
    result, gradient = (
        o.result(_rows.like(name, what, x, given)) for what, x in (("out", out), ("dout", dout))
    )
    sums = np.ascontiguousarray(lse, o.wide)
    if sums.shape != o.scores[:-1]:
        raise ValueError(f"{name}: lse is {sums.shape}; it must be {o.scores[:-1]}")
    dq, dk, dv = (np.empty(x.shape, o.dtype) for x in (o.q, o.k, o.v))
    threads = _rows.threads_of(name, num_threads)
    _core.attention_backward(
        (gradient, dq, dk, dv), o.q, o.k, o.v, result, *others[:3], sums, others[3], threads
    )
    return AttentionGradients(*(x.reshape(s) for x, s in zip((dq, dk, dv), o.shapes, strict=True)))
