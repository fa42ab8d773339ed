"""The loop of training: where it stands, its steps, and how it is written down and taken up again."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _files
from ._callbacks import Epoch
from ._interrupt import Interrupts
from ._optimizer import clip_by_global_norm
from ._progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ._objective import Objective
    from ._optimizer import Optimizer


@dataclass
class History:
    """How a training went.

    Attributes
    ----------
    loss : list of float
        The mean of each epoch, each sample's taken before the step that it was part of.
    validation_loss, validation_score : list of float
        After each epoch; empty without validation, or without classes.
    stopped : {None, 'callback', 'interrupted'}
        Why it ended before the last epoch; None if it did not.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.History().loss
    []
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_score: list[float] = field(default_factory=list)
    stopped: str | None = None


@dataclass
class Loop:
    """A training in some epoch, with some of its samples seen."""

    model: Any
    x: NDArray[Any]
    y: NDArray[Any]
    optimizer: Optimizer
    objective: Objective
    epochs: int
    batch_size: int
    rng: np.random.Generator
    validation: tuple[NDArray[Any], NDArray[Any]] | None
    schedule: Callable[[int], float] | None
    clip: float | None
    callbacks: Sequence[Callable[[Epoch], bool | None]]
    checkpoint: str | os.PathLike[str] | None
    every: int | None
    history: History = field(default_factory=History)
    epoch: int = 0
    position: int = 0  # samples of this epoch that were seen
    total: float = 0.0  # of their losses
    begun: dict[str, Any] | None = None  # the generator's state when this epoch's order was drawn

    def run(self, progress: Progress) -> None:
        """To the end of the last epoch, or to where it is stopped."""
        with Interrupts() as interrupts:
            while self.epoch < self.epochs and self.history.stopped is None:
                order = self._order()
                while self.position < len(order) and not interrupts.caught:
                    self._step(order[self.position : self.position + self.batch_size])
                    step = -(-self.position // self.batch_size)
                    progress.step(self.epoch, step, self.total / self.position)
                    if self.every is not None and self.optimizer.steps % self.every == 0:
                        self.save()
                if not interrupts.caught:
                    self._end_epoch(progress)
                if interrupts.caught and self.history.stopped is None:
                    self.history.stopped = "interrupted"
                self.save()

    def _order(self) -> NDArray[Any]:
        """Of the samples in this epoch: drawn, or drawn again where it was begun before."""
        now: Any = self.rng.bit_generator.state
        if self.begun is None:
            self.begun = now
            return self.rng.permutation(len(self.x))
        self.rng.bit_generator.state = self.begun
        order = self.rng.permutation(len(self.x))
        self.rng.bit_generator.state = now
        return order

    def _step(self, some: NDArray[Any]) -> None:
        x, y = np.take(self.x, some, axis=0), np.take(self.y, some, axis=0)
        loss, gradients = self.objective.gradients(x, y, self.rng)
        if self.clip is not None:
            clip_by_global_norm(gradients, self.clip)
        rate = None if self.schedule is None else self.schedule(self.optimizer.steps)
        self.optimizer.step(self.model.parameters, gradients, rate)
        self.position += len(some)
        self.total += loss * len(some)

    def _end_epoch(self, progress: Progress) -> None:
        loss, found, right = self.total / self.position, None, None
        self.history.loss.append(loss)
        if self.validation is not None:
            found, right = self.objective.evaluate(*self.validation)
            self.history.validation_loss.append(found)
        if right is not None:
            self.history.validation_score.append(right)
        self.epoch, self.position, self.total, self.begun = self.epoch + 1, 0, 0.0, None
        told = Epoch(self.epoch, loss, found, right, self.model, self.optimizer)
        progress.epoch(told)
        if any([callback(told) for callback in self.callbacks]):  # every one is called
            self.history.stopped = "callback"

    def _keepers(self) -> dict[str, Any]:
        """Who has a state of its own, by a prefix of the names."""
        kept = {
            f"callback{i}.": c for i, c in enumerate(self.callbacks) if hasattr(c, "state_dict")
        }
        return {"optimizer.": self.optimizer, **kept}

    def save(self) -> None:
        """Everything that the rest of the training depends on, if there is a checkpoint."""
        if self.checkpoint is None:
            return
        arrays = {f"parameters.{name}": x for name, x in self.model.parameters.items()}
        for prefix, keeper in self._keepers().items():
            arrays.update({prefix + name: x for name, x in keeper.state_dict().items()})
        now = self.rng.bit_generator.state
        at = {
            name: getattr(self, name)
            for name in ("epoch", "position", "total", "begun", "batch_size")
        }
        at |= {"samples": len(self.x), "rng": now, "history": asdict(self.history)}
        text = json.dumps(at, default=lambda x: np.asarray(x).tolist())
        _files.write("fit", self.checkpoint, arrays, text)

    def resume(self) -> None:
        """Take up what `save` wrote; nothing if there is no such file yet."""
        if self.checkpoint is None:
            raise ValueError("fit: resume needs a checkpoint")
        if not os.path.exists(self.checkpoint):
            return
        arrays, text = _files.read("fit", self.checkpoint)
        if not text:
            raise ValueError(f"fit: {os.fspath(self.checkpoint)!r} is not a checkpoint of fit")
        at = json.loads(text)
        for what, here in (("samples", len(self.x)), ("batch_size", self.batch_size)):
            if at[what] != here:
                raise ValueError(f"fit: the checkpoint has {what} {at[what]}, this training {here}")
        parts: dict[str, dict[str, Any]] = {}
        for name, x in arrays.items():
            owner, _, rest = name.partition(".")
            parts.setdefault(f"{owner}.", {})[rest] = x
        keepers = self._keepers()
        missing = [prefix for prefix in keepers if prefix not in parts]
        if missing or parts.keys() - keepers != {"parameters."}:
            raise ValueError(
                f"fit: the checkpoint has {sorted(parts)}, this training {sorted(keepers)}"
            )
        _files.fill("fit", self.model.parameters, parts["parameters."])
        for prefix, keeper in keepers.items():
            keeper.load_state_dict(parts[prefix])
        self.rng.bit_generator.state = at["rng"]
        self.history = History(**at["history"])
        if self.history.stopped == "interrupted":
            self.history.stopped = None
        self.epoch, self.position = at["epoch"], at["position"]
        self.total, self.begun = at["total"], at["begun"]
