"""Packages that networks do without until they are needed."""

from __future__ import annotations

from typing import Any

from .. import _extra


def package(name: str) -> Any:
    """A package of the extra."""
    return _extra.package(name, "nn")
