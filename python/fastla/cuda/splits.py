"""float32 as sums of two numbers of 11 bits, for three products of tensor cores in the place of one.

x = hi + lo but for 2^-22 |x|. A's steps of K become [lo, hi, hi], B's [hi, lo, hi], one after the other: one
product of three times as many steps is lo hi + hi lo + hi hi, of which the smallest part comes first. What
is left out, lo lo, is below 2^-22 |x y| as well.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cuda
from numba.cuda import float32, int32, int64, types, uint64

from .copies import Copy, Layout
from .launch import Variant
from .numbers import FLOAT32, load, store, subtract
from .ptx import asm, instruction
from .tiles import grid, tile_of

SIDE, THREADS = 32, 256
ROWS_AT_ONCE = THREADS // SIDE
PARTS = 3


def _cut_model(thread: Any, x: Any) -> Any:
    bits = np.asarray(x, np.float32).view(np.uint32)
    near = ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)
    cut = (bits & np.uint32(0xFFFFE000)).view(np.float32)
    return (near if np.isfinite(near) else cut)[()]


@instruction(_cut_model)
def to_11_bits(context: Any, x: Any) -> Any:
    """The nearest number of 11 bits, ties away from zero; the next smaller one where that is infinite."""
    text = "{ .reg .pred p; .reg .b32 b; .reg .f32 f; cvt.rna.tf32.f32 b, $1; mov.b32 f, b; abs.f32 f, f; "
    text += "setp.ge.f32 p, f, 0f7F800000; mov.b32 $0, b; mov.b32 b, $1; and.b32 b, b, 0xFFFFE000; "
    text += "@p mov.b32 $0, b; }"

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return asm(builder, args[0].type, text, "=&f,f", args, effects=False)

    return types.float32(types.float32), generate


def split_kernel() -> Callable[..., Any]:
    """The kernel for Numba.

    Its arguments: addresses of the parts and of the matrix; lines and steps; bytes from a line and a product
    to the next of the parts, whose steps are contiguous; the matrix's strides of a line, a step and a
    product; which of the three parts is lo.
    """

    def kernel(  # type: ignore
        to, start, lines, steps, to_line, to_next, start_line, start_step, start_next, low
    ):
        thread = int32(cuda.threadIdx.x)
        item, tile_row, tile_col = tile_of(
            int32(cuda.blockIdx.x), int32((lines + SIDE - 1) // SIDE), int32((steps + SIDE - 1) // SIDE)
        )
        line, step = int64(tile_row) * SIDE + thread // SIDE, int64(tile_col) * SIDE + thread % SIDE
        to += uint64(item * to_next + step * 4)
        start += uint64(item * start_next + step * start_step)
        for _ in range(SIDE // ROWS_AT_ONCE):
            if line < lines and step < steps:
                x = load(start + uint64(line * start_line), int32(FLOAT32), float32(0))
                hi = to_11_bits(x)
                rest = subtract(x, hi)
                lo = to_11_bits(rest) if rest == rest else float32(0)  # of infinities and NaN
                for part in range(PARTS):
                    place = to + uint64(line * to_line + part * steps * 4)
                    store(place, int32(FLOAT32), lo if part == low else hi)
            line += ROWS_AT_ONCE

    return kernel


@functools.cache
def variant() -> Variant:
    signature = (*[types.uint64] * 2, *[types.int64] * 8)
    return Variant("split", split_kernel, signature, THREADS, 0)


def split(shape: tuple[int, int, int], start: Layout, lines_at: int, to: tuple[int, int]) -> Copy:
    """Of a stack of so many matrices of lines and steps: A's (lines_at 0) or B's parts; to: their strides of
    a line and a product."""
    count, lines, steps = shape
    strides = start.strides[lines_at], start.strides[1 - lines_at], start.strides[2]
    blocks = grid(lines, steps, count, SIDE, SIDE)
    return Copy(variant(), blocks, (lines, steps, *to, *strides, lines_at))
