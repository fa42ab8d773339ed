"""How far long work is, on stderr."""

from __future__ import annotations

import sys


def show(text: str) -> None:
    """A line, written over the one before on a terminal."""
    sys.stderr.write(f"\r{text:<79}" if sys.stderr.isatty() else f"{text}\n")
    sys.stderr.flush()
