"""Packages that fastla does without until they are needed."""

from __future__ import annotations

import importlib
from typing import Any


def package(name: str, extra: str) -> Any:
    """A package, or a module of one, that an extra of fastla brings."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ImportError(
            f"{name.partition('.')[0]} is needed here: pip install 'fastla[{extra}]'"
        ) from None
