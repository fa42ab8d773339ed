"""What training makes small: a loss of a model's outputs and targets, or a function of the user's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ._classes import ROWS, outputs
from ._losses import cross_entropy, loss_and_gradient
from ._squares import mse, mse_backward

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A loss, and the same with its gradient.
_LOSSES: dict[str, tuple[Callable[..., Any], Callable[..., tuple[Any, NDArray[Any]]]]] = {
    "cross_entropy": (cross_entropy, loss_and_gradient),
    "mse": (mse, lambda z, y: (mse(z, y), mse_backward(z, y))),
}


class Objective:
    """The loss of some samples, with gradients, and without them of many."""

    def __init__(self, loss: str | Callable[[Any, Any, Any], tuple[Any, Any]]):
        if not callable(loss) and loss not in _LOSSES:
            raise ValueError(
                f"fit: loss is {loss!r}; it must be one of {tuple(_LOSSES)}, or a function"
            )
        self.loss: Any = loss

    def gradients(
        self, model: Any, x: NDArray[Any], y: NDArray[Any]
    ) -> tuple[float, dict[str, Any]]:
        if callable(self.loss):
            value, gradients = self.loss(model, x, y)
            return float(value), gradients
        z, saved = model.forward(x)
        value, dz = _LOSSES[self.loss][1](z, y)
        _, gradients = model.backward(dz, saved, inputs=False)
        return float(value), gradients

    def evaluate(self, model: Any, x: NDArray[Any], y: NDArray[Any]) -> tuple[float, float | None]:
        """The mean loss, and of classes the share that is right."""
        total, right = 0.0, 0
        if callable(self.loss):
            for start in range(0, len(x), ROWS):
                part = slice(start, start + ROWS)
                total += float(self.loss(model, x[part], y[part])[0]) * len(x[part])
            return total / len(x), None
        for part, z in outputs(model, x):
            total += float(_LOSSES[self.loss][0](z, y[part])) * len(z)
            right += (
                int(np.sum(z.argmax(axis=-1) == y[part])) if self.loss == "cross_entropy" else 0
            )
        return total / len(x), right / y.size if self.loss == "cross_entropy" else None
