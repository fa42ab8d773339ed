"""Copies within a GPU that change layout and dtype: for kernels that want another, and for out=."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import cuda
from numba.cuda import float64, int32, int64, types, uint64

from . import float8
from .float8 import load_float8
from .launch import Variant
from .numbers import BFLOAT16, DTYPES, load, store
from .ptx import F32, VOID, asm, instruction, nothing
from .tiles import grid, tile_of

SIZES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "int8": 1, "uint8": 1, "int32": 4}
SIZES |= dict.fromkeys(float8.FLOAT8, 1)
_NUMBERS = DTYPES | float8.DTYPES  # of dtypes
_FIRST_FLOAT8 = float8.FIRST
SIDE, THREADS = 32, 256  # a block's tile, which has a warp's lanes along columns
ROWS_AT_ONCE = THREADS // SIDE


def _to_odd_model(thread: Any, value: Any) -> Any:
    with np.errstate(over="ignore", invalid="ignore"):
        near = np.asarray(np.float32(value))
        cut = np.where(abs(float(near)) > abs(value), np.nextafter(near, np.float32(0)), near)
        inexact = np.uint32(float(cut) != value)
        return (np.asarray(cut, np.float32).view(np.uint32) | inexact).view(np.float32)[()]


@instruction(_to_odd_model)
def to_odd(context: Any, value: Any) -> Any:
    """float64 to float32, cut off, with the last bit set where that lost something: rounding this once more,
    to fewer bits, is rounding the number itself."""
    text = "{ .reg .pred p; .reg .b32 b; .reg .f32 f; .reg .f64 w; cvt.rz.f32.f64 f, $1; cvt.f64.f32 w, f; "
    text += "setp.neu.f64 p, w, $1; mov.b32 b, f; @p or.b32 b, b, 1; mov.b32 $0, b; }"

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return asm(builder, F32, text, "=f,d", args, effects=False)

    return types.float32(types.float64), generate


_MOVES = "".join(
    f"setp.eq.s32 p, $2, {n // 8}; @p ld.global.b{n} {name}, [$1]; @p st.global.b{n} [$0], {name}; "
    for n, name in ((8, "h"), (16, "h"), (32, "w"), (64, "d"))
)


@instruction(lambda thread, to, start, size: thread.move(to, start, size))
def move(context: Any, to: Any, start: Any, size: Any) -> Any:
    """So many bytes (1, 2, 4, 8) in global memory, to another place."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        registers = ".reg .pred p; .reg .b16 h; .reg .b32 w; .reg .b64 d;"
        asm(builder, VOID, f"{{ {registers} {_MOVES}}}", "l,l,r,~{memory}", args)
        return nothing(context)

    return types.void(types.uint64, types.uint64, types.int32), generate


def copy_kernel() -> Callable[..., Any]:
    """The kernel that copies stacks of matrices, for Numba.

    Its arguments: addresses of the copy and of what is copied; rows and columns; strides in bytes, of the
    copy and of what is copied, of a row, a column and a matrix each; how many bytes of an element are moved
    as they are, or 0 and the dtypes of what is copied and of the copy, to which each number is rounded once.
    """

    @cuda.jit(device=True, inline="always")
    def convert(to, start, source, target):  # type: ignore
        if source >= _FIRST_FLOAT8:
            value = load_float8(start, source)
        else:
            value = load(start, source, float64(0))
        if target == BFLOAT16:
            store(to, target, to_odd(value))
        else:
            store(to, target, value)

    def kernel(  # type: ignore
        to, start, rows, cols, to_row, to_col, to_next, start_row, start_col, start_next, size,
        source, target,
    ):
        thread = int32(cuda.threadIdx.x)
        item, tile_row, tile_col = tile_of(
            int32(cuda.blockIdx.x), int32((rows + SIDE - 1) // SIDE), int32((cols + SIDE - 1) // SIDE)
        )
        row, col = int64(tile_row) * SIDE + thread // SIDE, int64(tile_col) * SIDE + thread % SIDE
        to += uint64(item * to_next + col * to_col)
        start += uint64(item * start_next + col * start_col)
        for _ in range(SIDE // ROWS_AT_ONCE):
            if row < rows and col < cols:
                here, there = start + uint64(row * start_row), to + uint64(row * to_row)
                if size != 0:
                    move(there, here, int32(size))
                else:
                    convert(there, here, int32(source), int32(target))
            row += ROWS_AT_ONCE

    return kernel


@functools.cache
def variant() -> Variant:
    signature = (*[types.uint64] * 2, *[types.int64] * 11)
    return Variant("copy", copy_kernel, signature, THREADS, 0)


@dataclass(frozen=True)
class Layout:
    """How stacked matrices lie: strides in bytes of a row, a column and a matrix; the address's alignment,
    looked at up to 16."""

    dtype: str
    strides: tuple[int, int, int]
    alignment: int = 16


@dataclass(frozen=True)
class Copy:
    variant: Variant
    grid: tuple[int, int, int]
    constants: tuple[int, ...]

    def arguments(self, to: int, start: int) -> tuple[int, ...]:
        return to, start, *self.constants


def copy(shape: tuple[int, int, int], start: Layout, to: Layout) -> Copy:
    """Of a stack of so many matrices, rows and columns. Neighbouring threads write neighbouring numbers."""
    count, rows, cols = shape
    here, there = start.strides, to.strides
    if abs(there[0]) < abs(there[1]):
        rows, cols = cols, rows
        here, there = ((x[1], x[0], x[2]) for x in (here, there))
    blocks = grid(rows, cols, count, SIDE, SIDE)
    same = start.dtype == to.dtype
    what = (SIZES[to.dtype], 0, 0) if same else (0, _NUMBERS[start.dtype], _NUMBERS[to.dtype])
    return Copy(variant(), blocks, (rows, cols, *there, *here, *what))
