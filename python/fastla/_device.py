"""Products of arrays on a GPU: what the compiled functions call when an operand is one."""

from __future__ import annotations

import importlib
from typing import Any

from .cuda.arrays import is_on_gpu

__all__ = ["call", "on_gpu"]


def on_gpu(x: Any) -> bool:
    """Whether x is an array on a GPU (and no other memory of the same library)."""
    return is_on_gpu(x)


def call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The function of that name (matmul, linear, gemm or gram) of arrays on a GPU."""
    from .cuda import launch

    launch.backend()  # or what is missing, before anything is imported that needs it
    functions = importlib.import_module(".cuda.products", __package__)
    return getattr(functions, name)(*args, **kwargs)
