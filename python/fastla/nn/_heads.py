"""Operands of attention as the compiled functions take them: four axes, rows of contiguous elements."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_CAUSAL = ("lower_right", "upper_left")


class Operands:
    """q, k, v as (batch, heads, length, size) of one dtype, and how the result looks."""

    def __init__(self, name: str, q: ArrayLike, k: ArrayLike, v: ArrayLike):
        given = [_rows.floats(name, x, what) for x, what in ((q, "q"), (k, "k"), (v, "v"))]
        self.name, self.shapes = name, tuple(x.shape for x in given)
        if any(x.ndim < 2 for x in given) or len({x.ndim for x in given}) > 1:
            raise self.error("they must have the same number of dimensions, at least 2")
        self.dtype = np.result_type(*given)
        self.wide = _rows.wide(self.dtype)
        ndim = given[0].ndim
        self.stack = self._broadcast([x.shape[:-3] for x in given])
        self.q, self.k, self.v = (self._four(x) for x in given)
        heads, kv_heads = self.q.shape[1], self.k.shape[1]
        if self.v.shape[1] != kv_heads or (heads % kv_heads if kv_heads else heads):
            raise self.error(
                f"{heads} heads of queries cannot share {kv_heads} and {self.v.shape[1]} of k and v"
            )
        if self.q.shape[3] != self.k.shape[3]:
            raise self.error(
                f"q.shape[-1]={self.q.shape[3]} must equal k.shape[-1]={self.k.shape[3]}"
            )
        if self.k.shape[2] != self.v.shape[2]:
            raise self.error(
                f"k.shape[-2]={self.k.shape[2]} must equal v.shape[-2]={self.v.shape[2]}"
            )
        lead = (*self.stack, heads) if ndim > 2 else ()
        self.shape = (*lead, self.q.shape[2], self.v.shape[3])
        self.scores = (*lead, self.q.shape[2], self.k.shape[2])

    def error(self, what: str) -> ValueError:
        q, k, v = self.shapes
        return ValueError(f"{self.name}: q is {q}, k is {k}, v is {v}; {what}")

    def _broadcast(self, stacks: list[tuple[int, ...]]) -> tuple[int, ...]:
        try:
            return np.broadcast_shapes(*stacks)
        except ValueError:
            raise self.error("their leading dimensions do not broadcast") from None

    def _four(self, x: NDArray[Any]) -> NDArray[Any]:
        """Rows of contiguous elements, and the leading dimensions as one."""
        x = x.astype(self.dtype, copy=False)
        if x.shape[-1] > 1 and x.strides[-1] != x.itemsize:
            x = np.ascontiguousarray(x)
        if x.ndim == 2:
            return x[np.newaxis, np.newaxis]
        x = np.broadcast_to(x, (*self.stack, *x.shape[-3:]))
        return x.reshape(math.prod(self.stack), *x.shape[-3:])

    def scored(self, x: NDArray[Any], what: str) -> NDArray[Any]:
        """A mask or bias as (batch, heads, queries, keys), broadcast without a copy."""
        try:
            full = np.broadcast_to(x, self.scores)
        except ValueError:
            raise ValueError(
                f"{self.name}: {what} is {x.shape}, the scores are {self.scores}; it does not broadcast"
            ) from None
        if full.ndim == 2:
            return full[np.newaxis, np.newaxis]
        return full.reshape(self.q.shape[0], *full.shape[-3:])

    def others(
        self,
        mask: Any,
        bias: Any,
        causal: Any,
        scale: Any,
        window: Any,
        softcap: Any,
        alibi: Any,
        dropout_p: float,
        rng: Any,
    ) -> tuple[Any, Any, Any, tuple[float, float, int, int, int, float, int]]:
        """bias, mask, slopes and numbers as the core takes them."""
        if mask is not None:
            mask = np.asarray(mask)
            if mask.dtype != bool:
                raise TypeError(
                    f"{self.name}: mask is {mask.dtype}; it must be of bool (bias= adds numbers)"
                )
            mask = self.scored(mask, "mask")
        if bias is not None:
            bias = _rows.floats(self.name, bias, "bias").astype(self.wide, copy=False)
            bias = self.scored(bias, "bias")
        if alibi is not None:
            alibi = np.ascontiguousarray(alibi, np.float64)
            if alibi.shape != (self.q.shape[1],):
                raise ValueError(
                    f"{self.name}: alibi is {alibi.shape}; it must be ({self.q.shape[1]},), the heads"
                )
        if softcap is not None and not softcap > 0:
            raise ValueError(f"{self.name}: softcap is {softcap}; it must be positive")
        if scale is None:
            scale = 1 / math.sqrt(self.q.shape[3]) if self.q.shape[3] else 1.0
        if not 0 <= dropout_p < 1:
            raise ValueError(
                f"{self.name}: dropout_p is {dropout_p}; it must be at least 0 and below 1"
            )
        seed = _seed(rng) if dropout_p else 0
        places = _range(self.name, causal, window, self)
        numbers = (float(scale), float(softcap or 0), *places, float(dropout_p), seed)
        return bias, mask, alibi, numbers

    def result(self, x: NDArray[Any]) -> NDArray[Any]:
        """An array like the result, as (batch, heads, queries, size), rows contiguous."""
        four = x.reshape(*self.q.shape[:3], self.v.shape[3])
        return (
            np.ascontiguousarray(four)
            if four.shape[3] > 1 and four.strides[3] != four.itemsize
            else four
        )

    def output(
        self, out: NDArray[Any] | None, *others: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Where the result goes, as (batch, heads, queries, size), and what is copied from there to out: it
        is not written where q, k, v or others are still to be read."""
        four = (*self.q.shape[:3], self.v.shape[3])
        if out is None:
            return np.empty(four, self.dtype), None
        _rows.check_out(self.name, out, np.broadcast_to(np.empty((), self.dtype), self.shape))
        view = out.reshape(four)
        fits = np.may_share_memory(view, out) and out.flags.aligned
        fits = fits and (four[3] <= 1 or view.strides[3] == view.itemsize)
        read = (self.q, self.k, self.v, *(x for x in others if x is not None))
        if fits and not any(np.may_share_memory(view, x) for x in read):
            return view, None
        return np.empty(four, self.dtype), out


def _seed(rng: Any) -> int:
    """An integer as it is; one drawn from a generator, or from a new one."""
    if isinstance(rng, int | np.integer):
        return int(rng) % 2**64
    return int(np.random.default_rng(rng).integers(2**63))


def _range(
    name: str, causal: bool | str, window: tuple[int, int] | None, o: Operands
) -> tuple[int, int, int]:
    """How far to the left and right a query sees (-1: without limit), and the first one's position."""
    if causal not in (False, True, *_CAUSAL):
        raise ValueError(
            f"{name}: causal is {causal!r}; it must be False, True, or one of {_CAUSAL}"
        )
    try:
        left, right = (-1, -1) if window is None else (int(n) for n in window)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: window is {window!r}; it must be two integers") from None
    if causal:
        right = 0
    offset = 0 if causal == "upper_left" else o.k.shape[2] - o.q.shape[2]
    return max(left, -1), max(right, -1), offset
