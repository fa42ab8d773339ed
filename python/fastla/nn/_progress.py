"""How far training is, on stderr."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._callbacks import Epoch


class Progress:
    """A line for each epoch; on a terminal also one that is written again and again within it."""

    def __init__(self, wanted: bool, epochs: int, steps: int):
        self.wanted, self.epochs, self.steps = wanted, epochs, steps
        self.begun = self.shown = time.monotonic()
        self.done = self.width = 0

    def step(self, epoch: int, step: int, loss: float) -> None:
        """After each step, of which `step` have been made in this epoch, with the mean loss so far."""
        self.done += 1
        now = time.monotonic()
        if not self.wanted or now - self.shown < 0.1 or not sys.stderr.isatty():
            return
        self.shown = now
        left = (self.epochs - epoch) * self.steps - step
        seconds = (now - self.begun) / self.done * left
        place = f"epoch {epoch + 1}/{self.epochs}, step {step}/{self.steps}"
        self._write(f"{place}: loss {loss:.4f}, {seconds:.0f} s left")

    def epoch(self, found: Epoch) -> None:
        if not self.wanted:
            return
        text = f"epoch {found.epoch}/{self.epochs}: loss {found.loss:.4f}"
        if found.validation_loss is not None:
            text += f", validation {found.validation_loss:.4f}"
        if found.validation_score is not None:
            text += f", {found.validation_score:.2%} right"
        self._write(f"{text}, {time.monotonic() - self.begun:.1f} s")
        self.close()

    def _write(self, text: str) -> None:
        before = "\r" if sys.stderr.isatty() else ""
        sys.stderr.write(before + text.ljust(self.width))
        sys.stderr.flush()
        self.width = len(text)

    def close(self) -> None:
        """The end of a line, if there is one."""
        if self.width:
            sys.stderr.write("\n")
            self.width = 0
