"""Sums whose parts wait in memory: added in order, and an epilogue."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from numba import cuda
from numba.cuda import float32, int32, int64, types, uint32

from .epilogue import TYPE, finisher, slice_pitch
from .launch import Variant
from .ptx import shared_address
from .shared import store_one
from .sums import sync_warp
from .tiles import tile_of

THREADS = 256
ROWS, COLS = 16, 32  # of a warp
TALL = ROWS * THREADS // 32
PITCH = slice_pitch(COLS, 4)
SHARED_BYTES = TALL * PITCH
SIGNATURE = [types.int64] * 3 + [TYPE]


def adding_kernel() -> Callable[..., Any]:
    """The kernel for Numba, of float32. Its arguments: rows, columns, parts; an epilogue whose `partial` is
    the first part's place."""
    finish_slice = finisher("float32")

    def kernel(m, n, parts, e):  # type: ignore
        thread = int32(cuda.threadIdx.x)
        lane, warp = int32(thread % 32), thread // 32
        item, tile_row, tile_col = tile_of(
            int32(cuda.blockIdx.x), int32((m + TALL - 1) // TALL), int32((n + COLS - 1) // COLS)
        )
        row, col = int64(tile_row) * TALL + warp * ROWS, int64(tile_col) * COLS
        at = uint32(shared_address(cuda.shared.array(0, float32)) + warp * ROWS * PITCH)
        for r in range(ROWS):
            store_one(uint32(at + r * PITCH + lane * 4), float32(0))
        sync_warp()
        rows_left, cols_left = int32(max(min(m - row, ROWS), 0)), int32(min(n - col, COLS))
        finish_slice(at, ROWS, COLS, PITCH, row, col, rows_left, cols_left, item, lane, int32(parts), e)

    return kernel


@functools.cache
def variant() -> Variant:
    return Variant("add parts", adding_kernel, tuple(SIGNATURE), THREADS, SHARED_BYTES)
