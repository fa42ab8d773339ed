"""Exact products: float32 and float64 by chains of fused multiply-adds in the order of docs/contract.md, so
that the bits are the CPU's.

Totals of earlier blocks of K wait in memory (an epilogue's `partial`), as registers are used up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numba import cuda
from numba.cuda import int32, uint32

from .epilogue import COL, PARTIAL, ROW, finisher, place, slice_pitch
from .ptx import anew, load_shared, multiply_add
from .rings import BLOCK_LENGTH, EITHER, SIGNATURE, Arithmetic, Tile, ring_kernel
from .sums import add_block, put_vectors, sync_warp

__all__ = ["EXACT_TILES", "SIGNATURE", "SMALL_AT_ONCE", "SMALL_TILES", "exact_kernel", "side"]

EXACT_TILES = {"float32": Tile(128, 256, 16, 4, 4), "float64": Tile(128, 128, 8, 4, 8)}
# Small products leave less of these empty. A multiprocessor has so many at a time.
SMALL_TILES = {"float32": Tile(32, 32, 16, 4, 4, threads=64), "float64": Tile(32, 32, 8, 4, 8, threads=64)}
SMALL_AT_ONCE = 8


def side(tile: Tile) -> int:
    """A block's threads are so many rows and columns of them."""
    return math.isqrt(tile.threads)


def _slice(tile: Tile) -> tuple[int, int]:
    """Rows of a warp's finished sums at a time: of each of its rows of threads as many as are in a vector of
    16 bytes; bytes."""
    rows = 32 // side(tile) * 16 // tile.element_size
    return rows, rows * slice_pitch(tile.cols, tile.element_size)


for _tile in (*EXACT_TILES.values(), *SMALL_TILES.values()):
    assert BLOCK_LENGTH % _tile.depth == 0
    assert _slice(_tile)[1] * _tile.threads // 32 <= _tile.shared_bytes


def _chains(dtype: str, small: bool = False) -> Arithmetic:
    tile = (SMALL_TILES if small else EXACT_TILES)[dtype]
    across = side(tile)
    size = tile.element_size
    lanes = 16 // size
    tile_cols, depth = tile.cols, tile.depth
    rows, cols = tile.rows // across, tile.cols // across  # of a thread
    row_vectors, col_vectors = rows // lanes, cols // lanes
    apart = across * lanes
    apart_bytes = apart * size
    a_line, b_line = tile.step_bytes
    b_begins = depth * a_line
    slice_rows, slice_bytes = _slice(tile)
    pitch = slice_pitch(tile.cols, size)
    finish_slice = finisher(dtype)

    @cuda.jit(device=True, inline="always")
    def multiply_stage(sums, left, right, read, thread):  # type: ignore
        own = anew(thread)
        a_here, b_here = uint32(read + own // across * 16), uint32(read + b_begins + own % across * 16)
        for _ in range(depth):
            load_shared(left, row_vectors, apart_bytes, a_here)
            load_shared(right, col_vectors, apart_bytes, b_here)
            multiply_add(sums, left, right, rows, cols)
            a_here, b_here = uint32(a_here + a_line), uint32(b_here + b_line)

    @cuda.jit(device=True, inline="always")
    def put_aside(sums, row, col, rows_left, cols_left, item, thread, first, e):  # type: ignore
        own, here = anew(thread), anew(item)
        i, j = own // across * lanes, own % across * lanes
        at = place(e, PARTIAL, row + i, col + j, here)
        add_block(sums, rows, cols, apart, at, e[PARTIAL + ROW], e[PARTIAL + COL], int32(rows_left - i),
                  int32(cols_left - j), first)

    @cuda.jit(device=True, inline="always")
    def finish_tile(sums, ring, row, col, rows_left, cols_left, item, thread, parts, e):  # type: ignore
        lane, warp = thread % 32, thread // 32
        slice_at = uint32(ring + warp * slice_bytes)
        own = uint32(slice_at + lane // across * lanes * pitch + lane % across * 16)
        for part in range(row_vectors):
            put_vectors(sums, rows, cols, apart_bytes, pitch, int32(part), own)
            sync_warp()
            above = int32(warp * slice_rows + part * apart)
            finish_slice(slice_at, slice_rows, tile_cols, pitch, row + above, col, int32(rows_left - above),
                         cols_left, item, lane, parts, e)
            sync_warp()

    return Arithmetic(rows * cols, rows, cols, multiply_stage, finish_tile, put_aside)


def exact_kernel(
    dtype: str, a_order: int = EITHER, b_order: int = EITHER, small: bool = False
) -> Callable[..., Any]:
    """The kernel for Numba; called with rings.arguments."""
    tile = (SMALL_TILES if small else EXACT_TILES)[dtype]
    return ring_kernel(tile, a_order, b_order, _chains(dtype, small))
