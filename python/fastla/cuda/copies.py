"""Copies within a GPU that change layout and dtype: for kernels that want another, and for out=."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import cuda
from numba.cuda import int32, int64, types, uint64

from .launch import Variant
from .ptx import VOID, asm, instruction, literals, nothing
from .tensor_cores import BFLOAT16, narrowed, widened
from .tiles import grid, tile_of

# Literals of the instruction: as in tensor_cores, then these.
NAMES = ("float16", "bfloat16", "float32", "float64")
SIZES = (2, 2, 4, 8)
FLOAT64 = 3
SIDE, THREADS = 32, 256  # a block's tile, which has a warp's lanes along columns
ROWS_AT_ONCE = THREADS // SIDE


def _copy_model(thread: Any, to: int, start: int, source: int, target: int) -> None:
    bits = np.asarray(thread.read_global(start, np.dtype(f"u{SIZES[source]}"))).reshape(1)
    value = widened(bits, source) if source <= BFLOAT16 else bits.view(NAMES[source])
    with np.errstate(over="ignore", invalid="ignore"):
        if target == BFLOAT16 and source == FLOAT64:
            value = _to_odd(value)
        value = narrowed(value, target) if target == BFLOAT16 else value.astype(NAMES[target])
    thread.write_global(to, value[0])


def _to_odd(value: Any) -> Any:
    """float64 to float32, cut off, the last bit set where that lost something: to be rounded once more."""
    near = value.astype(np.float32)
    away = np.abs(near.astype(float)) > np.abs(value)
    cut = np.where(away, np.nextafter(near, np.float32(0)), near)
    inexact = (cut.astype(float) != value).astype(np.uint32)
    return (cut.view(np.uint32) | inexact).view(np.float32)


# By dtypes: what loads a number as $v from $1, and what stores it, of a type f32 or f64 in the middle.
_LOADS = (
    "ld.global.b16 h, [$1]; cvt.{real}.f16 v, h;",
    "ld.global.b16 h, [$1]; mov.b32 f, {{z, h}}; {widen}",
    "ld.global.f32 f, [$1]; {widen}",
    "ld.global.f64 v, [$1];",
)
_CUT = "cvt.rz.f32.f64 f, v; cvt.f64.f32 w, f; setp.neu.f64 p, w, v; "
_CUT += "mov.b32 b, f; @p or.b32 b, b, 1; mov.b32 f, b;"
_STORES = (
    "cvt.rn.f16.{real} h, v; st.global.b16 [$0], h;",
    "{cut} cvt.rn.bf16.f32 h, f; st.global.b16 [$0], h;",
    "{narrow} st.global.f32 [$0], f;",
    "st.global.f64 [$0], v;",
)


def _text(source: int, target: int) -> str:
    wide = FLOAT64 in (source, target)
    real = "f64" if wide else "f32"
    words = {
        "real": real,
        "widen": "cvt.f64.f32 v, f;" if wide else "mov.f32 v, f;",
        "narrow": "cvt.rn.f32.f64 f, v;" if wide else "mov.f32 f, v;",
        "cut": _CUT if wide else "mov.f32 f, v;",
    }
    registers = f".reg .pred p; .reg .b16 h, z; .reg .b32 b; .reg .f32 f; .reg .f64 w; .reg .{real} v;"
    text = f"mov.b16 z, 0; {_LOADS[source]} {_STORES[target]}".format(**words)
    return f"{{ {registers} {text} }}"


@instruction(_copy_model)
def copy_number(context: Any, to: Any, start: Any, source: Any, target: Any) -> Any:
    """A number from an address to another, rounded once to the nearest of the target's."""
    if not literals(source, target):
        return None
    text = _text(source.literal_value, target.literal_value)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        asm(builder, VOID, text, "l,l,~{memory}", args[:2])
        return nothing(context)

    return types.void(types.uint64, types.uint64, source, target), generate


def copy_kernel(source: int, target: int) -> Callable[..., Any]:
    """The kernel that copies stacks of matrices, for Numba.

    Its arguments: addresses of the copy and of what is copied; rows and columns; strides in bytes, of the
    copy and of what is copied, of a row, a column and a matrix each.
    """

    def kernel(  # type: ignore
        to, start, rows, cols, to_row, to_col, to_next, start_row, start_col, start_next
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
                copy_number(to + uint64(row * to_row), start + uint64(row * start_row), source, target)
            row += ROWS_AT_ONCE

    return kernel


@functools.cache
def _variant(source: str, target: str) -> Variant:
    kinds = NAMES.index(source), NAMES.index(target)
    signature = (*[types.uint64] * 2, *[types.int64] * 8)
    return Variant(f"copy {source} {target}", lambda: copy_kernel(*kinds), signature, THREADS, 0)


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
    return Copy(_variant(start.dtype, to.dtype), blocks, (rows, cols, *there, *here))
