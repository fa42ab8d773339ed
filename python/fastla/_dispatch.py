"""Operands that bring products of their own (units, arrays of other libraries): NumPy finds these."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def overridden(name: str, protocol: str, operands: Iterable[Any]) -> Any:
    """NumPy's function of that name if an operand's type overrides it by the protocol, else None.

    Other subclasses of ndarray (memmap) are taken for what they hold; of matrix and MaskedArray NumPy's own
    functions of np.linalg know what they mean.
    """
    usual = getattr(np.ndarray, protocol)
    for x in operands:
        if name.startswith("linalg.") and isinstance(x, np.ma.MaskedArray | np.matrix):
            return operator.attrgetter(name)(np)
        if type(x) is not np.ndarray and getattr(type(x), protocol, None) not in (None, usual):
            return operator.attrgetter(name)(np)
    return None


def base(name: str, out: Any) -> NDArray[Any] | None:
    """What the argument `out` of a function of that name holds, as an array without a subclass."""
    if out is not None and not isinstance(out, np.ndarray):
        raise TypeError(f"{name}: out must be an array, not {type(out).__name__}")
    return None if out is None else np.asarray(out)


def holds(out: tuple[int, ...], shape: tuple[int, ...], inner: int) -> bool:
    """Whether an array of the shape `out` can be given results of that shape, whose last `inner` axes are a
    product's and whose others may be repeated."""
    split = len(shape) - inner
    lead, own = out[: len(out) - inner], out[len(out) - inner :]
    pairs = zip(lead[::-1], shape[:split][::-1], strict=False)
    return own == shape[split:] and len(lead) >= split and all(n in (1, o) for o, n in pairs)
