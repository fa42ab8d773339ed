"""Packages that fastla does without until they are needed."""

from __future__ import annotations

import importlib
from typing import Any


def package(name: str) -> Any:
    """A package of the extra."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ImportError(f"{name} is needed here: pip install 'fastla[nn]'") from None
