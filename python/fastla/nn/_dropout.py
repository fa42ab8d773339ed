"""Dropout: in training elements are 0 at random, and the others larger."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _rows
from ._initial import Random
from ._layers import Gradients, Layer

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray


def takes_rng(function: Callable[..., Any]) -> bool:
    """Whether a layer's `forward`, or a loss, is given the generator in training."""
    return "rng" in inspect.signature(function).parameters


def generator_of(rng: Random) -> np.random.Generator | None:
    """What the parts of a layer draw from, one after the other; None: nothing is drawn."""
    return None if rng is None else np.random.default_rng(rng)


class Dropout(Layer):
    """Makes elements 0 at random, and the others larger by 1 / (1 - p), in training alone.

    Parameters
    ----------
    p : float, default 0.5
        The share of elements that become 0; at least 0, below 1.

    Attributes
    ----------
    p : float
    parameters : dict
        Empty.

    Methods
    -------
    forward(x, *, rng=None)
        With a generator, or a seed, elements are dropped; without, x stays as it is.
    backward(dy, saved, *, inputs=True)
        What was dropped has no gradient.

    Raises
    ------
    ValueError
        If `p` is not at least 0 and below 1.

    See Also
    --------
    fit, Sequential, TransformerBlock

    Notes
    -----
    `fit` gives its generator to every layer whose `forward` takes `rng`; `__call__` never drops anything. An
    element is dropped where ``rng.random(x.shape, float32) < p``, whatever the dtype of x. What is kept for
    `backward` is a byte for each element.

    References
    ----------
    N. Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> layer = nn.Dropout(0.25)
    >>> y, saved = layer.forward(np.ones((2, 4)), rng=1)
    >>> y.round(2)
    array([[1.33, 1.33, 1.33, 1.33],
           [0.  , 0.  , 1.33, 1.33]])
    >>> np.array_equal(layer.backward(np.ones((2, 4)), saved)[0], y), layer([1.0, 2.0])
    (True, array([1., 2.]))
    """

    def __init__(self, p: float = 0.5):
        if not 0 <= p < 1:
            raise ValueError(f"Dropout: p is {p}; it must be at least 0 and below 1")
        self.p, self.parameters = float(p), {}

    def forward(self, x: ArrayLike, *, rng: Random = None) -> tuple[NDArray[Any], Any]:
        array, generator = _rows.floats("Dropout", x), generator_of(rng)
        if generator is None or not self.p:
            return array, None
        kept = generator.random(array.shape, np.float32) >= np.float32(self.p)
        return self._thinned(array, kept), kept

    def backward(
        self, dy: NDArray[Any], saved: Any, *, inputs: bool = True
    ) -> tuple[NDArray[Any] | None, Gradients]:
        if saved is None or not inputs:
            return dy if inputs else None, {}
        if dy.shape != saved.shape:
            raise ValueError(f"Dropout: dy is {dy.shape}; it must be {saved.shape}")
        return self._thinned(dy, saved), {}

    def _thinned(self, x: NDArray[Any], kept: NDArray[np.bool_]) -> NDArray[Any]:
        wide = _rows.widened(x)
        with np.errstate(all="ignore"):
            y = np.multiply(wide, kept, dtype=wide.dtype)
            y *= wide.dtype.type(1 / (1 - self.p))
        return _rows.rounded(y, x)

    def of_attention(self, rng: Random) -> dict[str, Any]:
        """What `attention` and its backward pass are given: p, and a seed that is drawn."""
        generator = generator_of(rng)
        if generator is None or not self.p:
            return {}
        return {"dropout_p": self.p, "rng": int(generator.integers(2**63))}
