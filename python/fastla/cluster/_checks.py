"""What the arguments must be."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from .._dtypes import computed_dtype
from .._topk import contiguous
from ..decomposition._checks import require_finite

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def points(name: str, x: ArrayLike, what: str = "X") -> NDArray[Any]:
    """Rows, real and finite, in the dtype that is computed in."""
    array = np.asarray(x)
    if array.ndim != 2 or 0 in array.shape:
        must = "two dimensions" if array.ndim != 2 else "rows and columns"
        raise ValueError(f"{name}: {what} is {array.shape}; it must have {must}")
    if array.dtype.kind == "c":
        raise TypeError(f"{name}: {what} is of dtype {array.dtype}; it must be real")
    rows = contiguous(array, computed_dtype(name, array.dtype, what))
    require_finite(name, rows, what)
    return rows


def count(
    name: str, what: str, given: int, most: int, shape: tuple[int, ...], of: str = "X"
) -> int:
    """An integer from 1 to `most`, of what has that shape."""
    try:
        found = operator.index(given)
    except TypeError:
        raise TypeError(f"{name}: {what} must be an integer, not {type(given).__name__}") from None
    if not 1 <= found <= most:
        raise ValueError(
            f"{name}: {what} is {found}; {of} is {shape}, so it must be from 1 to {most}"
        )
    return found


def one_of(name: str, what: str, given: Any, allowed: tuple[Any, ...]) -> None:
    if given not in allowed:
        raise ValueError(f"{name}: {what} is {given!r}; it must be one of {allowed}")
