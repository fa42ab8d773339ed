"""What callbacks of `fit` are told, and the one that stops early."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ._layers import Layer
    from ._optimizer import Optimizer


class Epoch(NamedTuple):
    """What a callback of `fit` is told after each epoch.

    Attributes
    ----------
    epoch : int
        Epochs done.
    loss : float
        The mean over the epoch's samples, each taken before the step that it was part of.
    validation_loss, validation_score : float or None
        After the epoch.
    model : Layer
    optimizer : Optimizer

    Examples
    --------
    >>> from fastla import nn
    >>> nn.Epoch(3, 0.5, None, None, nn.Linear(1, 1), nn.SGD(0.1)).loss
    0.5
    """

    epoch: int
    loss: float
    validation_loss: float | None
    validation_score: float | None
    model: Layer
    optimizer: Optimizer


class EarlyStopping:
    """A callback that stops when nothing has become better for so many epochs.

    Parameters
    ----------
    patience : int, default 5
        Epochs without an improvement.
    monitor : {'validation_loss', 'validation_score', 'loss'}, default 'validation_loss'
        What shall become better: a score is to rise, a loss to fall.
    least : float, default 0
        An improvement must be greater than this.
    restore : bool, default True
        Whether the best epoch's parameters are put back when it stops.

    Attributes
    ----------
    best : float
        The best value so far.
    best_epoch : int
        When it was; 0: not yet.

    Methods
    -------
    state_dict()
        What a checkpoint keeps.
    load_state_dict(state)
        Go on from there.

    Raises
    ------
    ValueError
        If there is no such thing to monitor.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> x = np.ones((4, 1), np.float32)
    >>> stop = nn.EarlyStopping(2, monitor="loss")
    >>> history = nn.fit(nn.MLP((1, 1), rng=0), x, x, optimizer=nn.SGD(0.0), loss="mse", epochs=10,
    ...                  callbacks=[stop], progress=False)
    >>> len(history.loss), history.stopped, stop.best_epoch
    (3, 'callback', 1)
    """

    def __init__(
        self,
        patience: int = 5,
        *,
        monitor: str = "validation_loss",
        least: float = 0.0,
        restore: bool = True,
    ):
        known = ("validation_loss", "validation_score", "loss")
        if monitor not in known:
            raise ValueError(f"EarlyStopping: monitor is {monitor!r}; it must be one of {known}")
        self.patience, self.monitor, self.least, self.restore = patience, monitor, least, restore
        self.best, self.best_epoch = math.nan, 0
        self._parameters: dict[str, NDArray[Any]] = {}

    def __call__(self, found: Epoch) -> bool:
        value = getattr(found, self.monitor)
        if value is None:
            raise ValueError(f"EarlyStopping: there is no {self.monitor}; fit needs validation=")
        gain = value - self.best if self.monitor == "validation_score" else self.best - value
        if gain > self.least or (math.isnan(self.best) and not math.isnan(value)):
            self.best, self.best_epoch = float(value), found.epoch
            if self.restore:
                self._parameters = {name: x.copy() for name, x in found.model.parameters.items()}
        stop = found.epoch - self.best_epoch >= self.patience
        if stop:
            for name, x in self._parameters.items():
                found.model.parameters[name][...] = x
        return stop

    def state_dict(self) -> dict[str, NDArray[Any]]:
        kept = {f"best.{name}": x for name, x in self._parameters.items()}
        return {"value": np.array(self.best), "epoch": np.array(self.best_epoch), **kept}

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.best, self.best_epoch = float(state["value"]), int(state["epoch"])
        self._parameters = {
            key.removeprefix("best."): np.array(x) for key, x in state.items() if key.startswith("best.")
        }
