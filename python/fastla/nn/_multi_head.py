"""Multi-head attention as a layer: projections, rotary positions, cache, and the gradients of all that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from ._attention import attention, attention_backward
from ._dropout import Dropout
from ._layers import Gradients, Layer
from ._parameters import drawing, linear_gradients
from ._rotary import Turns, turn, turns

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ._cache import KVCache
    from ._initial import Random
    from ._paged_cache import PagedKVCache

    Cache = KVCache | PagedKVCache


class _Saved(NamedTuple):
    """What the backward pass needs."""

    x: NDArray[Any]
    qkv: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
    out: NDArray[Any]
    lse: NDArray[Any]
    mask: NDArray[Any] | None
    by: Turns | None
    dropped: dict[str, Any]


class MultiHeadAttention(Layer):
    """Attention of tokens to each other: ``concat(heads) @ Wo.T``, heads of x @ Wq.T, x @ Wk.T, x @ Wv.T.

    Parameters
    ----------
    size : int
        Of a token's vector.
    heads : int
        Of queries.
    kv_heads : int, optional
        Of keys and values; default: `heads`. A head is shared by heads / kv_heads of the queries'.
    head_size : int, optional
        Default: size / heads.
    causal : bool, default False
        A token sees itself and those before it alone.
    bias : bool, default True
        Of the projections.
    out_bias : bool, optional
        Of the last one; default: `bias`.
    frequencies : array_like, optional
        (head_size / 2,); queries and keys are turned by their positions (`rotary`).
    interleaved : bool, default False
        As of `rotary`.
    dropout : float, default 0
        The share of attention's weights that are 0 in training, where `forward` is given `rng`.
    rng : int, Generator or callable, optional
        Where parameters come from; a function of a parameter's name and shape makes each itself.
    dtype : dtype, default float32

    Attributes
    ----------
    parameters : dict of str to ndarray
        "qkv.weight", ((heads + 2 kv_heads) head_size, size): the rows of Wq, Wk and Wv; "out.weight",
        (size, heads head_size); their biases.

    Methods
    -------
    forward(x, **kwargs)
        The result, and what the backward pass needs.
    backward(dy, saved)
        The gradients of x and of the parameters.

    See Also
    --------
    attention, KVCache, rotary, TransformerBlock

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> layer = nn.MultiHeadAttention(8, 2, causal=True, rng=0)
    >>> x = np.ones((1, 3, 8), np.float32)
    >>> y, saved = layer.forward(x)
    >>> dx, gradients = layer.backward(np.ones_like(y), saved)
    >>> dx.shape, gradients["qkv.weight"].shape
    ((1, 3, 8), (24, 8))
    """

    def __init__(
        self,
        size: int,
        heads: int,
        kv_heads: int | None = None,
        *,
        head_size: int | None = None,
        causal: bool = False,
        bias: bool = True,
        out_bias: bool | None = None,
        frequencies: ArrayLike | None = None,
        interleaved: bool = False,
        dropout: float = 0.0,
        rng: Any = None,
        dtype: Any = np.float32,
    ):
        kv_heads = heads if kv_heads is None else kv_heads
        if heads < 1 or kv_heads < 1 or heads % kv_heads or (head_size is None and size % heads):
            raise ValueError(
                f"MultiHeadAttention: size={size}, heads={heads}, kv_heads={kv_heads}; "
                "heads must divide size, and kv_heads must divide heads"
            )
        self.size, self.heads, self.kv_heads = size, heads, kv_heads
        self.head_size = size // heads if head_size is None else head_size
        self.causal, self.interleaved, self.dropout = causal, interleaved, Dropout(dropout)
        self.frequencies = None if frequencies is None else np.asarray(frequencies, np.float64)
        if self.frequencies is not None and self.frequencies.shape != (self.head_size / 2,):
            raise ValueError(
                f"MultiHeadAttention: frequencies is {self.frequencies.shape}, for heads of size "
                f"{self.head_size}; there must be half as many"
            )
        shapes: dict[str, tuple[int, ...]] = {}
        width = (heads + 2 * kv_heads) * self.head_size
        for name, shape, has in (
            ("qkv", (width, size), bias),
            ("out", (size, heads * self.head_size), bias if out_bias is None else out_bias),
        ):
            shapes |= {f"{name}.weight": shape, **({f"{name}.bias": shape[:1]} if has else {})}
        draw = drawing(rng, dtype)
        self.parameters = {name: draw(name, shape) for name, shape in shapes.items()}

    def __call__(self, x: NDArray[Any], **kwargs: Any) -> NDArray[Any]:
        """The result alone."""
        return self.forward(x, keep=False, **kwargs)[0]

    def forward(
        self,
        x: NDArray[Any],
        *,
        mask: NDArray[Any] | None = None,
        cache: Cache | None = None,
        counts: ArrayLike | None = None,
        tables: Turns | None = None,
        residual: NDArray[Any] | None = None,
        rng: Random = None,
        keep: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """The result, and what the backward pass needs.

        Parameters
        ----------
        x : ndarray
            (batch, tokens, size).
        mask : ndarray of bool, optional
            (batch, keys), or what broadcasts to (batch, heads, tokens, keys): False hides a key.
        cache : KVCache or PagedKVCache, optional
            Holds the tokens before; those of `x` are appended.
        counts : array_like of int, optional
            As of `KVCache.append`; the rows of `x` beyond them mean nothing.
        tables : Turns, optional
            The cosines and sines of the tokens' positions, where they are there already.
        residual : ndarray, optional
            Is added to the result.
        rng : int or Generator, optional
            Draws which weights are dropped; without it none are.
        keep : bool, default True
            Whether there will be a backward pass.

        Returns
        -------
        y : ndarray
            (batch, tokens, size).
        saved
        """
        if x.ndim != 3 or x.shape[2] != self.size:
            raise ValueError(
                f"MultiHeadAttention: x is {x.shape}; it must be (batch, tokens, {self.size})"
            )
        if cache is not None and not self.causal:
            raise ValueError("MultiHeadAttention: a cache needs causal=True")
        p, (batch, tokens, _) = self.parameters, x.shape
        starts = np.zeros(1, np.int64) if cache is None else cache.lengths
        qkv = _core.linear(x, p["qkv.weight"], p.get("qkv.bias"))
        if tables is None and self.frequencies is not None:
            tables = self.tables(starts, tokens)
        if tables is not None:
            both = self._split(qkv)[0]
            turn(both, tables, self.interleaved, both)
        q, k, v = (part.swapaxes(1, 2) for part in self._three(qkv))
        heads = (q, k, v) if cache is None else (q, *cache.append(k, v, counts))
        mask, causal = self._seen(mask, starts, tokens, heads[1].shape[2])
        out = np.empty((batch, tokens, self.heads, self.head_size), q.dtype)
        dropped = self.dropout.of_attention(rng)
        kwargs: dict[str, Any] = {
            "mask": mask,
            "causal": causal,
            "out": out.swapaxes(1, 2),
            **dropped,
        }
        lse = (
            attention(*heads, return_lse=True, **kwargs)[1] if keep else attention(*heads, **kwargs)
        )
        joined = out.reshape(batch, tokens, -1)
        y = _core.linear(joined, p["out.weight"], p.get("out.bias"), residual=residual)
        if not keep or cache is not None:
            return y, None
        return y, _Saved(x, heads, joined, lse, mask, tables, dropped)

    def backward(
        self, dy: NDArray[Any], saved: Any, *, inputs: bool = True
    ) -> tuple[NDArray[Any] | None, Gradients]:
        """The gradients of x and of the parameters.

        Parameters
        ----------
        dy : ndarray
            The gradient for the result, of its shape.
        saved
            What `forward` gave, without a cache.
        inputs : bool, default True
            Whether the gradient for x is wanted.

        Returns
        -------
        dx : ndarray or None
        gradients : dict of str to ndarray
        """
        if saved is None:
            raise ValueError(
                "MultiHeadAttention: no gradients of a pass with a cache, or with keep=False"
            )
        s: _Saved = saved
        batch, tokens, _ = dy.shape
        dout, gradients = linear_gradients(dy, s.out, self.parameters, "out")
        # (batch, tokens, heads, size), as the projections are, seen as attention takes them.
        shape = (batch, tokens, self.heads, self.head_size)
        dheads = attention_backward(
            dout.reshape(shape).swapaxes(1, 2),
            *s.qkv,
            s.out.reshape(shape).swapaxes(1, 2),
            s.lse,
            mask=s.mask,
            causal=self.causal,
            **s.dropped,
        )
        dqkv = np.concatenate([x.swapaxes(1, 2) for x in dheads], axis=2)
        if s.by is not None:
            both = dqkv[:, :, : self.heads + self.kv_heads]
            turn(both, s.by, self.interleaved, both, back=True)
        dqkv = dqkv.reshape(batch, tokens, -1)
        dx, more = linear_gradients(dqkv, s.x, self.parameters, "qkv", inputs=inputs)
        return dx, gradients | more

    def tables(self, starts: NDArray[Any], tokens: int) -> Turns:
        """Cosines and sines for the tokens that follow, (sequences, tokens, 1, head_size / 2)."""
        assert self.frequencies is not None
        if (starts == starts[:1]).all():
            starts = starts[:1]
        places = starts[:, np.newaxis, np.newaxis] + np.arange(tokens)[:, np.newaxis]
        return turns(places, self.frequencies, self.parameters["qkv.weight"].dtype)

    def _split(self, qkv: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Queries with keys, and values, (batch, tokens, heads, size): views."""
        heads = qkv.reshape(*qkv.shape[:2], -1, self.head_size)
        turned = self.heads + self.kv_heads
        return heads[:, :, :turned], heads[:, :, turned:]

    def _three(self, qkv: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        both, v = self._split(qkv)
        return both[:, :, : self.heads], both[:, :, self.heads :], v

    def _seen(
        self, mask: NDArray[Any] | None, starts: NDArray[Any], tokens: int, keys: int
    ) -> tuple[NDArray[Any] | None, bool]:
        """The mask and `causal`: sequences of unlike lengths each have a diagonal of their own."""
        if mask is not None and np.ndim(mask) == 2:
            mask = np.asarray(mask)[:, np.newaxis, np.newaxis]
        if (starts == starts[:1]).all():
            return mask, self.causal
        places = starts[:, np.newaxis] + np.arange(tokens)
        kept = np.arange(keys) <= places[:, np.newaxis, :, np.newaxis]
        return kept if mask is None else mask & kept, False
