"""Shapes and strides of products: NumPy's rules, and stacks as few launches."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .copies import Copy, Layout, copy


@dataclass(frozen=True)
class Shapes:
    """m x k by k x n for every place in a stack. Strides in bytes: of rows and columns, and of the stack."""

    m: int
    n: int
    k: int
    a: tuple[int, int]
    b: tuple[int, int]
    stack: tuple[int, ...]
    a_stack: tuple[int, ...]
    b_stack: tuple[int, ...]
    vectors: tuple[bool, bool]  # whether A, B are 1-D

    @property
    def core(self) -> tuple[int, ...]:
        """The result's last axes."""
        return (() if self.vectors[0] else (self.m,)) + (() if self.vectors[1] else (self.n,))

    def of_core(self, strides: tuple[int, ...]) -> tuple[int, int]:
        """The result's strides of a row and of a column."""
        own = strides[len(self.stack) :]
        return 0 if self.vectors[0] else own[0], 0 if self.vectors[1] else own[-1]

    @property
    def result(self) -> tuple[int, ...]:
        return self.stack + self.core

    def widened(self, out: tuple[int, ...]) -> Shapes | None:
        """For an out of more or longer axes, over which the product is repeated; None: it does not fit."""
        extra = len(out) - len(self.core)
        stack = out[:extra] if extra >= len(self.stack) else None
        if stack is None or out[extra:] != self.core:
            return None
        padded = (1,) * (extra - len(self.stack)) + self.stack
        if any(n not in (1, wide) for n, wide in zip(padded, stack, strict=True)):
            return None

        def strides(own: tuple[int, ...]) -> tuple[int, ...]:
            aligned = (0,) * (extra - len(own)) + own
            return tuple(0 if n == 1 else s for n, s in zip(padded, aligned, strict=True))

        return replace(self, stack=stack, a_stack=strides(self.a_stack), b_stack=strides(self.b_stack))


def shapes(
    a: tuple[int, ...], a_strides: tuple[int, ...], b: tuple[int, ...], b_strides: tuple[int, ...]
) -> Shapes:
    """Of numpy.matmul. Strides of axes of length 1 are 0."""

    def wrong(what: str) -> ValueError:
        return ValueError(f"matmul: a is {a}, b is {b}; {what}")

    if not a or not b:
        raise wrong("each operand must have at least one dimension (multiply by a scalar with *)")
    a_strides, b_strides = (
        tuple(0 if n == 1 else s for n, s in zip(x, strides, strict=True))
        for x, strides in ((a, a_strides), (b, b_strides))
    )
    a_vector, b_vector = len(a) == 1, len(b) == 1
    m, k = (1, *a) if a_vector else a[-2:]
    kb, n = (*b, 1) if b_vector else b[-2:]
    if k != kb:
        raise wrong(f"a.shape[-1]={k} must equal b.shape[{-1 if b_vector else -2}]={kb}")
    leads = [(x[:-2], strides[:-2]) for x, strides in ((a, a_strides), (b, b_strides))]
    depth = max(len(lead) for lead, _ in leads)
    (a_lead, a_stack), (b_lead, b_stack) = (
        ((1,) * (depth - len(lead)) + lead, (0,) * (depth - len(lead)) + strides) for lead, strides in leads
    )
    stack = []
    for one, other in zip(a_lead, b_lead, strict=True):
        if one != other and one != 1 and other != 1:
            raise wrong("the leading dimensions cannot be broadcast together")
        stack.append(other if one == 1 else one)
    return Shapes(
        m, n, k,
        (0, a_strides[0]) if a_vector else (a_strides[-2], a_strides[-1]),
        (b_strides[0], 0) if b_vector else (b_strides[-2], b_strides[-1]),
        tuple(stack), a_stack, b_stack, (a_vector, b_vector),
    )


def contiguous(shape: Sequence[int], size: int) -> tuple[int, ...]:
    """Strides in bytes."""
    return tuple(size * math.prod(shape[i + 1 :]) for i in range(len(shape)))


@dataclass(frozen=True)
class Launches:
    """A stack as launches for `count` products with one stride for each array, at these offsets in bytes."""

    count: int
    strides: tuple[int, ...]
    offsets: tuple[tuple[int, ...], ...]
    between: tuple[tuple[int, ...], ...]  # strides between launches, by array

    def alignment(self, array: int, address: int) -> int:
        return math.gcd(16, address, *self.between[array])


def launches(dims: Sequence[int], *strides: Sequence[int]) -> Launches:
    """Axes that follow each other in every array are one; the longest one is that of a launch."""
    axes: list[tuple[int, ...]] = []
    for axis in zip(dims, *strides, strict=True):
        n, *steps = axis
        if n == 1:
            continue
        if axes and all(outer == n * inner for outer, inner in zip(axes[-1][1:], steps, strict=True)):
            n *= axes.pop()[0]
        axes.append((n, *steps))
    own = max(axes, default=(1, *(0 for _ in strides)))
    if axes:
        axes.remove(own)
    between = tuple(tuple(axis[i + 1] for axis in axes) for i in range(len(strides)))

    def offsets() -> Iterator[tuple[int, ...]]:
        for at in itertools.product(*(range(axis[0]) for axis in axes)):
            yield tuple(sum(i * s for i, s in zip(at, own, strict=True)) for own in between)

    return Launches(own[0], own[1:], tuple(offsets()), between)


def copies(
    shape: Sequence[int], start: Sequence[int], start_dtype: str, to: Sequence[int], to_dtype: str
) -> list[tuple[Copy, int, int]]:
    """A whole array to another one of other strides and dtype: copies, and offsets of both."""
    if 0 in shape:
        return []
    lacking = 2 - len(shape)
    dims, here, there = ([x] * lacking + list(y) for x, y in ((1, shape), (0, start), (0, to)))
    found = launches(dims[:-2], here[:-2], there[:-2])
    made = copy(
        (found.count, dims[-2], dims[-1]),
        Layout(start_dtype, (here[-2], here[-1], found.strides[0])),
        Layout(to_dtype, (there[-2], there[-1], found.strides[1])),
    )
    return [(made, to_offset, start_offset) for start_offset, to_offset in found.offsets]
