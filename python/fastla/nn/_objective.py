"""What training makes small: a loss of a model's outputs and targets, or a function of the user's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ._classes import outputs, parts
from ._dropout import takes_rng
from ._losses import cross_entropy, loss_and_gradient
from ._squares import mse, mse_backward

if TYPE_CHECKING:
    from numpy.typing import NDArray

IGNORED = -100  # the target that cross entropy does not count
# A loss with its gradient.
_LOSSES: dict[str, Callable[..., tuple[Any, NDArray[Any]]]] = {
    "cross_entropy": loss_and_gradient,
    "mse": lambda z, y: (mse(z, y), mse_backward(z, y)),
}


class Objective:
    """A model's loss of some samples, with gradients, and without them of many."""

    def __init__(self, model: Any, loss: str | Callable[..., tuple[Any, Any]]):
        if not callable(loss) and loss not in _LOSSES:
            raise ValueError(
                f"fit: loss is {loss!r}; it must be one of {tuple(_LOSSES)}, or a function"
            )
        self.model: Any = model
        self.loss: Any = loss
        self._random = takes_rng(loss if callable(loss) else model.forward)

    def gradients(
        self, x: NDArray[Any], y: NDArray[Any], rng: np.random.Generator
    ) -> tuple[float, dict[str, Any]]:
        random = {"rng": rng} if self._random else {}
        if callable(self.loss):
            value, gradients = self.loss(self.model, x, y, **random)
            return float(value), gradients
        z, saved = self.model.forward(x, **random)
        value, dz = _LOSSES[self.loss](z, y)
        _, gradients = self.model.backward(dz, saved, inputs=False)
        return float(value), gradients

    def evaluate(self, x: NDArray[Any], y: NDArray[Any]) -> tuple[float, float | None]:
        """The mean loss, and of classes the share that is right."""
        if callable(self.loss):
            losses = ((float(self.loss(self.model, x[p], y[p])[0]), len(x[p])) for p in parts(x))
            return sum(loss * n for loss, n in losses) / len(x), None
        total, right = 0.0, 0
        if self.loss == "mse":
            for part, z in outputs(self.model, x):
                total += float(mse(z, y[part])) * len(z)
            return total / len(x), None
        for part, z in outputs(self.model, x):
            total += float(cross_entropy(z, y[part], reduction="sum"))
            right += int(np.sum(z.argmax(axis=-1) == y[part]))
        counted = np.count_nonzero(y != IGNORED)
        return (total / counted, right / counted) if counted else (math.nan, math.nan)
