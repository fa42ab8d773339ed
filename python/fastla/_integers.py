"""Integers that do not overflow unseen: ``overflow="raise"`` and ``overflow="widen"`` of `matmul`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LIMB = 22  # bits; products of limbs and sums of _MOST of them fit in int64
_MOST = 1 << 18


def matmul_checked(
    a: NDArray[Any],
    b: NDArray[Any],
    out: NDArray[Any] | None,
    dtype: np.dtype[Any],
    overflow: str,
    verify: bool,
    num_threads: int,
) -> Any:
    """The product in `dtype`, of integers; called by `matmul`, which has checked its arguments."""
    options: dict[str, Any] = {"verify": verify, "num_threads": num_threads or None}
    if overflow == "widen" and out is not None:
        raise ValueError("matmul: overflow='widen' chooses the dtype of the result; it cannot go to out=")
    held = out.dtype if out is not None and out.dtype.kind in "iu" else dtype
    lowest = max(np.iinfo(dtype).min, np.iinfo(held).min)
    highest = min(np.iinfo(dtype).max, np.iinfo(held).max)
    if _fits(a, b, highest):
        return _core.matmul(a, b, out, dtype=dtype, **options)
    exact = _exact(a, b, options)
    low, high = (exact.min(), exact.max()) if exact.size else (0, 0)
    if overflow == "widen":
        return exact.astype(_narrowest(dtype, int(low), int(high)))[()]
    if low < lowest or high > highest:
        at = np.unravel_index(np.argmax((exact < lowest) | (exact > highest)), exact.shape)
        entry = f"[{', '.join(str(int(i)) for i in at)}] " if at else ""
        raise OverflowError(
            f"matmul: a is {a.shape} {a.dtype}, b is {b.shape} {b.dtype}; entry {entry}is {int(exact[at])}, "
            f"which {held} does not hold ({lowest} to {highest})"
        )
    result = exact.astype(dtype)
    if out is None:
        return result[()]
    np.copyto(out, result, casting="same_kind")
    return out


def _magnitudes(x: NDArray[Any], axis: int) -> tuple[float, float]:
    """Of magnitudes, the largest sum along an axis and the largest one, as floats that are not too small."""
    up = np.maximum(x, 0).sum(axis, dtype=np.float64)
    down = np.minimum(x, 0).sum(axis, dtype=np.float64)
    each = max(int(x.max()), -int(x.min()))
    return float((up - down).max()) * (1 + 1e-9), float(each) * (1 + 1e-9)


def _fits(a: NDArray[Any], b: NDArray[Any], most: int) -> bool:
    """Whether no entry of the product can have a greater magnitude; it may, where the answer is no."""
    if a.size == 0 or b.size == 0:
        return True
    each, other = (max(int(x.max()), -int(x.min())) for x in (a, b))
    return a.shape[-1] * each * other <= most or _bound(a, b) <= most


def _bound(a: NDArray[Any], b: NDArray[Any]) -> float:
    """No entry of the product has a greater magnitude."""
    row, each = _magnitudes(a, -1)
    column, other = _magnitudes(b, -2 if b.ndim > 1 else 0)
    return min(row * other, column * each) * (1 + 1e-9)


def _exact(a: NDArray[Any], b: NDArray[Any], options: dict[str, Any]) -> NDArray[Any]:
    """The exact product: of int64 where that must hold it, else of Python's integers where it does not."""
    if _fits(a, b, 2**63 - 1):
        wide = [x.astype(np.int64) if x.dtype == np.uint64 else x for x in (a, b)]
        return np.asarray(_core.matmul(*wide, dtype=np.int64, **options))
    total: Any = 0
    for start in range(0, a.shape[-1], _MOST):
        some = slice(start, start + _MOST)
        left = _limbs(a[..., some])
        right = _limbs(b[..., some, :] if b.ndim > 1 else b[some])
        for i, x in enumerate(left):
            for j, y in enumerate(right):
                part = np.asarray(_core.matmul(x, y, **options)).astype(object)
                total = total + part * 2 ** (_LIMB * (i + j))
    exact = np.asarray(total, object)
    if exact.size and -(2**63) <= exact.min() and exact.max() < 2**63:
        return exact.astype(np.int64)
    return exact


def _limbs(x: NDArray[Any]) -> list[NDArray[np.int64]]:
    """x as a sum of limbs times 2^0, 2^22 and 2^44; the last one has the sign."""
    if x.dtype.itemsize <= 2:
        return [x.astype(np.int64)]
    mask = x.dtype.type((1 << _LIMB) - 1)
    low, rest = x & mask, x >> _LIMB
    limbs = [low, rest] if x.dtype.itemsize == 4 else [low, rest & mask, rest >> _LIMB]
    return [limb.astype(np.int64) for limb in limbs]


def _narrowest(dtype: np.dtype[Any], low: int, high: int) -> np.dtype[Any]:
    """The first of dtype and the wider ones of its kind that holds both."""
    for size in (1, 2, 4, 8):
        wider = np.dtype(f"{dtype.kind}{size}")
        if size >= dtype.itemsize and np.iinfo(wider).min <= low and high <= np.iinfo(wider).max:
            return dtype if size == dtype.itemsize else wider
    return np.dtype(object)
