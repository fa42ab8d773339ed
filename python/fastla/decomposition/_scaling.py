"""Powers of two: matrices brought near 1 and back, without rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._dtypes import real_dtype

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _parts(a: NDArray[Any]) -> NDArray[Any]:
    """Complex numbers as pairs of real ones, in C order."""
    return np.ascontiguousarray(a).view(real_dtype(a.dtype))


def exponent(a: NDArray[Any]) -> int:
    """The least e such that all parts of elements are below 2**e in magnitude; 0 if all are 0."""
    return int(np.frexp(np.abs(_parts(a)).max(initial=0))[1])


def scaled(a: NDArray[Any], power: int) -> NDArray[Any]:
    """a * 2**power."""
    made: NDArray[Any] = np.ldexp(_parts(a), power).view(a.dtype)
    return made
