"""A transformer's block: attention and an MLP, each with a norm, each added to what came in."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ._dropout import Dropout, generator_of
from ._feed_forward import FeedForward
from ._feed_forward import norm as norm_of
from ._layers import Gradients, Layer
from ._multi_head import MultiHeadAttention
from ._parameters import drawing, named

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ._initial import Random


class TransformerBlock(Layer):
    """Attention and an MLP with norms and residuals, as in GPT-2, BERT or Llama.

    Parameters
    ----------
    size : int
        Of a token's vector.
    heads, kv_heads, head_size, causal, frequencies, interleaved
        As of `MultiHeadAttention`.
    hidden : int, optional
        Size between the layers of the MLP; default: 4 size.
    norm : {'layer', 'rms'}, default 'layer'
    norm_first : bool, default True
        Norms are of what goes into attention and MLP: y = x + f(norm(x)); else of the sum: norm(x + f(x)).
    activation : str, default 'gelu'
        Of the MLP, by `activation`'s names; 'swiglu' has a third layer, whose result, after silu, is a gate.
    bias : bool, default True
        Of the linear layers.
    attention_bias, attention_out_bias : bool, optional
        Of attention's projections; default: `bias`, and that of the others.
    eps : float, default 1e-5
        Of the norms.
    dropout : float, default 0
        The share of what attention and MLP give that is 0 in training, where `forward` is given `rng`.
    attention_dropout : float, default 0
        That of attention's weights.
    rng : int, Generator or callable, optional
        As of `MultiHeadAttention`.
    dtype : dtype, default float32

    Attributes
    ----------
    parameters : dict of str to ndarray
        "attention.", "mlp." ("up", "down", with 'swiglu' "gate"), "norm1." and "norm2.".

    Methods
    -------
    forward(x, **kwargs)
        The result, and what the backward pass needs.
    backward(dy, saved)
        The gradients of x and of the parameters.

    See Also
    --------
    MultiHeadAttention, GPT2, Bert, Llama

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> block = nn.TransformerBlock(8, 2, norm="rms", activation="swiglu", bias=False, causal=True, rng=0)
    >>> y = block(np.ones((1, 3, 8), np.float32))
    >>> y.shape, sorted(block.parameters)[:3]
    ((1, 3, 8), ['attention.out.weight', 'attention.qkv.weight', 'mlp.down.weight'])
    """

    def __init__(
        self,
        size: int,
        heads: int,
        *,
        kv_heads: int | None = None,
        head_size: int | None = None,
        hidden: int | None = None,
        norm: str = "layer",
        norm_first: bool = True,
        activation: str = "gelu",
        bias: bool = True,
        attention_bias: bool | None = None,
        attention_out_bias: bool | None = None,
        causal: bool = False,
        frequencies: ArrayLike | None = None,
        interleaved: bool = False,
        eps: float = 1e-5,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        rng: Any = None,
        dtype: Any = np.float32,
    ):
        draw = drawing(rng, dtype)
        self.norm_first, self.dropout = norm_first, Dropout(dropout)
        self.attention = MultiHeadAttention(
            size,
            heads,
            kv_heads,
            head_size=head_size,
            causal=causal,
            bias=bias if attention_bias is None else attention_bias,
            out_bias=attention_out_bias,
            frequencies=frequencies,
            interleaved=interleaved,
            dropout=attention_dropout,
            rng=draw,
        )
        self.mlp = FeedForward(size, 4 * size if hidden is None else hidden, activation, bias, draw)
        self.norm1, self.norm2 = norm_of(norm, size, eps, draw), norm_of(norm, size, eps, draw)
        self.parameters: Gradients = {}
        for name in ("attention", "mlp", "norm1", "norm2"):
            self.parameters |= named(name, getattr(self, name).parameters)

    def __call__(self, x: NDArray[Any], **kwargs: Any) -> NDArray[Any]:
        """The result alone."""
        return self.forward(x, keep=False, **kwargs)[0]

    def forward(
        self, x: NDArray[Any], *, rng: Random = None, keep: bool = True, **kwargs: Any
    ) -> tuple[NDArray[Any], Any]:
        """The result, and what the backward pass needs.

        Parameters
        ----------
        x : ndarray
            (batch, tokens, size).
        rng : int or Generator, optional
            Draws what is dropped; without it nothing is.
        keep : bool, default True
            Whether there will be a backward pass.
        **kwargs
            `mask`, `cache`, `counts`, `tables`, as of `MultiHeadAttention.forward`.

        Returns
        -------
        y : ndarray
            (batch, tokens, size).
        saved
        """
        rng = generator_of(rng)
        inner = self.norm1(x) if self.norm_first else x
        attend = partial(self.attention.forward, inner, rng=rng, keep=keep, **kwargs)
        between, a = self._added(x, attend, rng)
        middle = between if self.norm_first else self.norm1(between)
        inner = self.norm2(middle) if self.norm_first else middle
        after, m = self._added(middle, partial(self.mlp.forward, inner, keep=keep), rng)
        y = after if self.norm_first else self.norm2(after)
        return y, (x, between, after, a, m) if keep else None

    def _added(self, x: NDArray[Any], part: Any, rng: Random) -> tuple[NDArray[Any], Any]:
        """x and what a part gives, of which training drops some; what the backward pass needs."""
        if rng is None or not self.dropout.p:
            y, saved = part(residual=x)
            return y, (saved, None)
        y, saved = part(residual=None)
        y, kept = self.dropout.forward(y, rng=rng)
        y += x
        return y, (saved, kept)

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
            raise ValueError("TransformerBlock: no gradients of a pass with keep=False")
        x, between, after, a, m = saved
        grads: Gradients = {}

        def through(part: str, d: NDArray[Any], of: Any) -> NDArray[Any]:
            dx, found = getattr(self, part).backward(d, of)
            grads.update(named(part, found))
            return dx  # type: ignore[no-any-return]

        def part(name: str, d: NDArray[Any], of: Any) -> NDArray[Any]:
            saved, kept = of
            return through(name, self.dropout.backward(d, kept)[0], saved)  # type: ignore[arg-type]

        if self.norm_first:
            d = dy + through("norm2", part("mlp", dy, m), between)
            d += through("norm1", part("attention", d, a), x)
        else:
            d = through("norm2", dy, after)
            d = through("norm1", d + part("mlp", d, m), between)
            d += part("attention", d, a)
        return d if inputs else None, grads
