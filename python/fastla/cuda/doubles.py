"""float64 by tensor cores (mma.sync f64), for any GPU from sm_80 on: one sum over K, 8 steps at a time.

Whether the hardware's sums are chains of fused multiply-adds in order is not known, so the bits are not
promised to be the contract's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import cuda
from numba.cuda import int32, uint32

from .epilogue import finisher, slice_pitch
from .ptx import anew
from .rings import Arithmetic, Tile, ring_kernel
from .sums import put_fragments, sync_warp
from .tensor_cores import load_doubles, multiply_doubles

# A warp has 64 rows and 32 columns of the tile, two by four of them. A step is 8 banks after the one before,
# so that four steps of four lines are in all of them.
TILE = Tile(128, 128, 8, 4, 8, pad=32)
WARP_ROWS, WARP_COLS = 64, 32
ACROSS = TILE.cols // WARP_COLS  # warps
PITCH = slice_pitch(WARP_COLS, 8)
SLICE = 16 * PITCH  # bytes of a warp's finished sums at a time
assert 8 * SLICE <= TILE.shared_bytes


def _by_tensor_cores(wide: int) -> Arithmetic:
    row_tiles, col_tiles = WARP_ROWS // 16, WARP_COLS // 8
    a_line, b_line = TILE.step_bytes
    b_begins = TILE.depth * a_line
    finish_slice = finisher("float64")

    @cuda.jit(device=True, inline="always")
    def multiply_stage(sums, left, right, read, thread):  # type: ignore
        own = anew(thread)
        step, line, warp = own % 4, own % 32 // 4, own // 32
        a_here = uint32(read + step * a_line + (warp // ACROSS * WARP_ROWS + line) * 8)
        b_here = uint32(read + b_begins + step * b_line + (warp % ACROSS * WARP_COLS + line) * 8)
        load_doubles(left, row_tiles, 2, a_line, a_here)
        load_doubles(right, col_tiles, 1, b_line, b_here)
        multiply_doubles(sums, left, right, row_tiles, col_tiles, wide)

    @cuda.jit(device=True, inline="always")
    def finish_tile(sums, ring, row, col, rows_left, cols_left, item, thread, parts, e):  # type: ignore
        lane, warp = thread % 32, thread // 32
        slice_at = uint32(ring + warp * SLICE)
        own = uint32(slice_at + lane // 4 * PITCH + lane % 4 * 16)
        over = int32(warp % ACROSS * WARP_COLS)
        for part in range(row_tiles):
            put_fragments(sums, col_tiles, row_tiles, PITCH, int32(part), own)
            sync_warp()
            above = int32(warp // ACROSS * WARP_ROWS + part * 16)
            finish_slice(slice_at, 16, WARP_COLS, PITCH, row + above, col + over, int32(rows_left - above),
                         int32(cols_left - over), item, lane, parts, e)
            sync_warp()

    sums = row_tiles * col_tiles * 4
    return Arithmetic(sums, 4 * row_tiles, 2 * col_tiles, multiply_stage, finish_tile)


def doubles_kernel(a_order: int, b_order: int, wide: int) -> Callable[..., Any]:
    """The kernel for Numba, called with rings.arguments. wide: by Hopper's instruction."""
    return ring_kernel(TILE, a_order, b_order, _by_tensor_cores(wide))
