"""Ctrl-C between the steps of a loop, not within them."""

from __future__ import annotations

import signal
import threading
from typing import Any


class Interrupts:
    """Within it a first Ctrl-C is kept until asked for; a second one interrupts at once.

    Other threads than the main one, and programs with a handler of their own, are left alone.
    """

    def __init__(self) -> None:
        self.caught = False
        self._ours = False

    def __enter__(self) -> Interrupts:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._catch)
            self._ours = True
        return self

    def _catch(self, number: int, frame: Any) -> None:
        if self.caught:
            signal.default_int_handler(number, frame)
        self.caught = True

    def __exit__(self, *error: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
