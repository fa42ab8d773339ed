"""The Array API's linear algebra: fastla's products, and what else `numpy.linalg` has."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import matmul
from .._einsum import tensordot
from .._matrices import matrix_power, matrix_transpose
from .._vectors import vecdot

__all__ = ["matmul", "matrix_power", "matrix_transpose", "tensordot", "vecdot"]


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(np.linalg, name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in dir(np.linalg) if not name.startswith("_"))})
