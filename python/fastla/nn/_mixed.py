"""Arrays of 16 bits among wider ones: computed as float32, and the result rounded once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import _rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_WIDE = (np.dtype(np.float32), np.dtype(np.float64))


def floats(name: str, x: ArrayLike, what: str = "x") -> NDArray[Any]:
    """As `_rows.floats`; of the usual arrays without the microseconds that a dtype's name takes."""
    if type(x) is np.ndarray and x.dtype in _WIDE and x.flags.aligned:
        return x
    return _rows.floats(name, x, what)


def widened(x: Any) -> Any:
    """An array in the dtype that it is computed in; a packed matrix has it."""
    return x if x.dtype in _WIDE else x.astype(_rows.wide(x.dtype))


def rounded(y: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
    """A result in the dtype of x, where that has 16 bits."""
    return y if x.dtype in _WIDE else y.astype(x.dtype, copy=False)
