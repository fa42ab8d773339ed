"""BERT's head: scores of words, from the vectors of masked tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _core
from .._activations import activation, activation_backward
from .._feed_forward import norm as norm_of
from .._linear import linear_backward
from .._parameters import Draw, linear_gradients, named

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._layers import Gradients


class Head:
    """A layer, its activation, a norm, and the product with the table of words, whose bias is its own."""

    def __init__(self, size: int, words: int, act: str, eps: float, draw: Draw):
        self.activation, self.norm = act, norm_of("layer", size, eps, draw)
        self.parameters: Gradients = {
            "transform.weight": draw("transform.weight", (size, size)),
            "transform.bias": draw("transform.bias", (size,)),
            **named("norm", self.norm.parameters),
            "bias": draw("bias", (words,)),
        }

    def forward(self, x: NDArray[Any], table: NDArray[Any]) -> tuple[NDArray[Any], Any]:
        p = self.parameters
        z = _core.linear(x, p["transform.weight"], p["transform.bias"])
        a = activation(z, self.activation)
        h, _ = self.norm.forward(a)
        return _core.linear(h, table, p["bias"]), (x, z, a, h)

    def backward(
        self, dy: NDArray[Any], saved: Any, table: NDArray[Any]
    ) -> tuple[NDArray[Any], Gradients, Any]:
        """The gradients of x, of the parameters, and of the table."""
        x, z, a, h = saved
        scores = linear_backward(dy, h, table)
        da, norm = self.norm.backward(scores.x, a)  # type: ignore[arg-type]
        dz = activation_backward(da, z, self.activation)  # type: ignore[arg-type]
        dx, grads = linear_gradients(dz, x, self.parameters, "transform")
        return dx, {**grads, **named("norm", norm), "bias": scores.bias}, scores.weight  # type: ignore[dict-item]
