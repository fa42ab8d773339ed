"""Which dtype numbers are computed in, where algorithms are made of products."""

from __future__ import annotations

from typing import Any

import numpy as np

_COMPUTED = {np.dtype(t) for t in (np.float32, np.float64, np.complex64, np.complex128)}


def real_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Of the parts of complex numbers."""
    return np.dtype(np.float32 if dtype in (np.float32, np.complex64) else np.float64)


def computed_dtype(name: str, dtype: np.dtype[Any], what: str = "a") -> np.dtype[Any]:
    """The dtype that numbers of another one are computed in: integers in float64, float16 in float32."""
    if dtype.newbyteorder("=") in _COMPUTED:
        return dtype.newbyteorder("=")
    if dtype == np.float16 or dtype.name == "bfloat16":
        return np.dtype(np.float32)
    if dtype.kind in "biu":
        return np.dtype(np.float64)
    raise TypeError(
        f"{name}: {what} is of dtype {dtype}; there are decompositions of real and complex "
        "numbers of at most 64 bits a part"
    )
