"""BERT's encoder and pooler as layers, of which classifiers are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._layers import Gradients, Layer, Linear

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._initial import Random
    from .._parameters import Draw
    from ._bert import Bert


class Pooler(Linear):
    """A sequence's vector: a layer with tanh on the vector of its first token."""

    def __init__(self, size: int, draw: Draw):
        self.activation = "tanh"
        self.parameters = {
            n: draw(n, (size, size)[: 2 - (n == "bias")]) for n in ("weight", "bias")
        }

    def __call__(self, x: Any) -> NDArray[Any]:
        return super().__call__(x[:, 0])

    def forward(self, x: Any) -> tuple[NDArray[Any], Any]:
        y, saved = super().forward(x[:, 0])
        return y, (x.shape, saved)

    def backward(
        self, dy: NDArray[Any], saved: Any, *, inputs: bool = True
    ) -> tuple[NDArray[Any] | None, Gradients]:
        shape, of = saved
        first, gradients = super().backward(dy, of, inputs=inputs)
        if first is None:
            return None, gradients
        dx = np.zeros(shape, first.dtype)
        dx[:, 0] = first
        return dx, gradients


class Encoder(Layer):
    """Vectors of tokens as a layer of tokens alone: those of one number are padding, which none sees."""

    def __init__(self, bert: Bert, pad: int | None):
        self.bert, self.pad, self.parameters = bert, pad, bert.parameters

    def _seen(self, tokens: Any) -> NDArray[np.bool_] | None:
        return None if self.pad is None else np.asarray(tokens) != self.pad

    def __call__(self, x: Any) -> NDArray[Any]:
        return self.bert.forward(x, mask=self._seen(x), keep=False)[0]

    def forward(self, x: Any, *, rng: Random = None) -> tuple[NDArray[Any], Any]:
        return self.bert.forward(x, mask=self._seen(x), rng=rng)

    def backward(
        self, dy: NDArray[Any], saved: Any, *, inputs: bool = True
    ) -> tuple[None, Gradients]:
        return self.bert.backward(dy, saved)
