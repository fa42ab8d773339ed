"""Where pictures are drawn, and what they are drawn of."""

from __future__ import annotations

from typing import Any

from .._extra import package


def axes(ax: Any) -> tuple[Any, Any]:
    """The figure and the axes: those given, or new ones."""
    pyplot = package("matplotlib.pyplot", "plot")
    return pyplot.subplots(layout="constrained") if ax is None else (ax.figure, ax)


def fitted(result: Any, name: str) -> Any:
    """An attribute of a result, or of an estimator, where it ends in an underscore."""
    for spelled in (name, f"{name}_"):
        if hasattr(result, spelled):
            return getattr(result, spelled)
    raise TypeError(
        f"{type(result).__name__} has no {name}; give what pca found or a fitted estimator"
    )
