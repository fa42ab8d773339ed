"""What a transformer's block has beside attention: the two layers (or three) of its MLP, and its norms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .. import _core
from ._activations import activation, activation_backward, swiglu, swiglu_backward
from ._layers import Gradients, LayerNorm, RMSNorm
from ._parameters import Draw, linear_gradients

if TYPE_CHECKING:
    from numpy.typing import NDArray

ACTIVATIONS = ("relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid")


def norm(kind: str, size: int, eps: float, draw: Draw) -> LayerNorm | RMSNorm:
    """Layer or RMS norm of the last axis."""
    if kind not in ("layer", "rms"):
        raise ValueError(f"norm is {kind!r}; it must be 'layer' or 'rms'")
    made = LayerNorm(size, eps=eps) if kind == "layer" else RMSNorm(size, eps=eps)
    made.parameters = {name: draw(name, (size,)) for name in made.parameters}
    return made


class _Saved(NamedTuple):
    """What the backward pass needs; `up` with a gate alone."""

    x: NDArray[Any]
    z: NDArray[Any]
    up: NDArray[Any] | None
    hidden: NDArray[Any]


class FeedForward:
    """down(activation(up x)), or down(silu(gate x) up x) with "swiglu"."""

    def __init__(self, size: int, hidden: int, kind: str, bias: bool, draw: Draw):
        if kind != "swiglu" and kind not in ACTIVATIONS:
            raise ValueError(
                f"activation is {kind!r}; it must be one of {(*ACTIVATIONS, 'swiglu')}"
            )
        self.gated = kind == "swiglu"
        self.activation = "silu" if self.gated else kind
        self.parameters: Gradients = {}
        for name, shape in (
            ("gate", (hidden, size)),
            ("up", (hidden, size)),
            ("down", (size, hidden)),
        ):
            if name != "gate" or self.gated:
                self.parameters[f"{name}.weight"] = draw(f"{name}.weight", shape)
                if bias:
                    self.parameters[f"{name}.bias"] = draw(f"{name}.bias", shape[:1])

    def _linear(self, name: str, x: NDArray[Any], **kwargs: Any) -> NDArray[Any]:
        p = self.parameters
        y: NDArray[Any] = _core.linear(x, p[f"{name}.weight"], p.get(f"{name}.bias"), **kwargs)
        return y

    def forward(
        self, x: NDArray[Any], residual: NDArray[Any] | None, keep: bool
    ) -> tuple[NDArray[Any], Any]:
        """The result, the residual added to it, and what the backward pass needs."""
        inner, saved = "gate" if self.gated else "up", None
        up = self._linear("up", x) if self.gated else None
        if keep:  # the bits of the fused layer
            z = self._linear(inner, x)
            hidden = activation(z, self.activation) if up is None else swiglu(z, up)
            saved = _Saved(x, z, up, hidden)
        else:
            hidden = self._linear(inner, x, activation=self.activation, gate=up)
        return self._linear("down", hidden, residual=residual), saved

    def backward(self, dy: NDArray[Any], saved: Any) -> tuple[NDArray[Any], Gradients]:
        s: _Saved = saved
        dh, grads = linear_gradients(dy, s.hidden, self.parameters, "down")
        if s.up is None:
            dz = activation_backward(dh, s.z, self.activation)
            dx, more = linear_gradients(dz, s.x, self.parameters, "up")
            return dx, grads | more
        dz, dup = swiglu_backward(dh, s.z, s.up)
        dx, more = linear_gradients(dz, s.x, self.parameters, "gate")
        dx_up, up = linear_gradients(dup, s.x, self.parameters, "up")
        dx += dx_up
        return dx, grads | more | up
