"""Products of arrays on a GPU: what the compiled functions call when an operand is one."""

from __future__ import annotations

import importlib
from typing import Any

from .cuda import launch
from .cuda.arrays import is_on_gpu as on_gpu

__all__ = ["call", "on_gpu"]

_functions: dict[str, Any] = {}


def call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The function of that name (matmul, linear, gemm or gram) of arrays on a GPU."""
    launch.backend()  # or what is missing, before anything is imported that needs it
    function = _functions.get(name)
    if function is None:
        products = importlib.import_module(".cuda.products", __package__)
        function = _functions[name] = getattr(products, name)
    return function(*args, **kwargs)
