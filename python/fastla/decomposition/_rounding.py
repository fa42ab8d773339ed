"""How large rounding errors can be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

BLOCK = 512  # terms that a product adds before it starts afresh (docs/contract.md)


def unit(dtype: np.dtype[Any]) -> float:
    """The unit roundoff of the dtype, or of its parts."""
    return float(np.finfo(dtype).eps) / 2


def gamma(terms: int, dtype: np.dtype[Any], more: int = 0) -> float:
    """The share of |x| |y| that a sum of so many products of x and y may be wrong by.

    Of complex numbers twice as many products make a part. `more`: further roundings of what is summed.
    """
    parts = 2 if np.dtype(dtype).kind == "c" else 1
    count = min(terms, BLOCK) * parts + math.ceil(terms / BLOCK) + 2 * parts + more
    wrong = count * unit(dtype)
    return math.inf if wrong >= 1 else wrong / (1 - wrong)
