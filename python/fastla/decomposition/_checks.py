"""What the arguments of decompositions must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._dtypes import computed_dtype

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def matrices(name: str, a: ArrayLike, what: str = "a", *, stacks: bool = False) -> NDArray[Any]:
    """One matrix, or a stack of them, in the dtype that it is computed in; no copy if none is needed."""
    array = np.asarray(a)
    if array.ndim < 2 or (array.ndim > 2 and not stacks):
        must = "at least two dimensions" if stacks else "two dimensions"
        raise ValueError(f"{name}: {what} is {array.shape}; it must have {must}")
    return array.astype(computed_dtype(name, array.dtype, what), copy=False)


def require_finite(name: str, a: NDArray[Any], what: str = "a") -> None:
    """An error that says where the first NaN or infinity is."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(a.sum()) or np.isfinite(a).all():  # a finite sum has finite terms
            return
    where = tuple(int(i) for i in np.argwhere(~np.isfinite(a))[0])
    raise ValueError(
        f"{name}: {what} of shape {a.shape}, dtype {a.dtype} contains {a[where]} at {where}"
    )
