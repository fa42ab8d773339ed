"""Products of float16 and bfloat16 by tensor cores, for any GPU from sm_80 on (cp.async, ldmatrix, mma.sync).

Sums are float32, of 16 steps at a time in increasing order; within these the hardware adds as it does. A
block of four warps has a tile of C, a warp a quarter of it in registers; A and B pass through a ring of
stages in shared memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numba import cuda
from numba.cuda import float32, int32, int64, types, uint32, uint64

from .epilogue import TYPE, finisher, slice_pitch
from .ptx import cp_async, cp_async_commit, cp_async_wait, shared_address
from .sums import put_fragments, sync_warp
from .tensor_cores import load_matrices, multiply_matrices
from .tiles import tile_of

THREADS = 128
ROWS = COLS = 128  # of a tile
WARP = 64  # rows and columns of a warp's quarter
DEPTH, STAGES = 32, 4
SIZE = 2
LANES = 16 // SIZE  # elements copied together
PITCH = slice_pitch(WARP, 4)
SLICE = 16 * PITCH  # bytes of a warp's finished sums at a time
SIGNATURE = [types.uint64] * 2 + [types.int64] * 9 + [TYPE]


@dataclass(frozen=True)
class Layout:
    """An operand's part of a stage. Its lines (rows of A, columns of B) are contiguous, or its steps are."""

    lines_follow: bool

    @property
    def pitch(self) -> int:
        """Bytes from a step to the next if lines follow each other, else from a line to the next: 16 more, so
        that the rows of a matrix are in different banks."""
        return ((ROWS if self.lines_follow else DEPTH) * SIZE) + 16

    @property
    def bytes(self) -> int:
        return self.pitch * (DEPTH if self.lines_follow else ROWS)


assert THREADS // 32 * SLICE <= STAGES * 2 * Layout(True).bytes


def shared_bytes(a: Layout, b: Layout) -> int:
    return STAGES * (a.bytes + b.bytes)


def halves_kernel(kind: int, a_layout: Layout, b_layout: Layout) -> Callable[..., Any]:
    """The kernel of C = A B for any m, n, k and stacks of them, for Numba.

    Its arguments: addresses of A, B; m, n, k; strides in bytes, of A and then of B: from a line to the next,
    from a step to the next, from a product of the stack to the next; an epilogue of float32 sums. A and B
    begin at multiples of 16 bytes, and so do their lines or steps, whichever are not contiguous, and the
    products of a stack.
    """
    a_follow, b_follow = a_layout.lines_follow, b_layout.lines_follow
    a_pitch, b_pitch = a_layout.pitch, b_layout.pitch
    a_bytes = a_layout.bytes
    stage_bytes = a_bytes + b_layout.bytes
    ahead, in_flight, last_stage = STAGES - 1, STAGES - 2, (STAGES - 1) * stage_bytes
    row_tiles, col_tiles = WARP // 16, WARP // 8
    sums_count, left_count, right_count = row_tiles * col_tiles * 4, row_tiles * 4, col_tiles * 2
    right_loads = col_tiles // 2
    a_trans, b_trans = int(a_follow), int(b_follow)
    # Bytes from a fragment of 16 lines to the next.
    a_apart = 16 * (SIZE if a_follow else a_pitch)
    b_apart = 16 * (SIZE if b_follow else b_pitch)

    @cuda.jit(device=True, inline="always")
    def fetch(to, start, line, step, follow, pitch, lines_left, steps_left, thread):  # type: ignore
        """An operand's part of a stage, 16 bytes at a time."""
        across = (ROWS if follow else DEPTH) // LANES
        for part in range(ROWS * DEPTH // LANES // THREADS):
            item = thread + part * THREADS
            along, over = item % across * LANES, item // across
            if follow:
                left, there, at = lines_left - along, over < steps_left, int64(over) * step
            else:
                left, there, at = steps_left - along, over < lines_left, int64(over) * line
            count = min(max(left, 0), LANES) * SIZE if there else 0
            here = uint32(to + over * pitch + along * SIZE)
            cp_async(here, start + uint64(at + along * SIZE), 16, int32(count))

    @cuda.jit(device=True, inline="always")
    def fetch_both(  # type: ignore
        stage, a_at, a_line, a_step, rows_left, b_at, b_line, b_step, cols_left, steps_left, thread
    ):
        fetch(stage, a_at, a_line, a_step, a_follow, a_pitch, rows_left, steps_left, thread)
        stage = uint32(stage + a_bytes)
        fetch(stage, b_at, b_line, b_step, b_follow, b_pitch, cols_left, steps_left, thread)

    @cuda.jit(device=True, inline="always")
    def place(lane, follow, pitch, order):  # type: ignore
        """Where a lane's row of the four matrices of 16 lines and 16 steps is; order: lines go first."""
        matrix, row = lane // 8, lane % 8
        lines_on, steps_on = (matrix % 2, matrix // 2) if order else (matrix // 2, matrix % 2)
        if follow:
            return (row + 8 * steps_on) * pitch + 8 * lines_on * SIZE
        return (row + 8 * lines_on) * pitch + 8 * steps_on * SIZE

    finish_slice = finisher("float32")

    def kernel(a, b, m, n, k, a_line, a_step, a_next, b_line, b_step, b_next, e):  # type: ignore
        thread = int32(cuda.threadIdx.x)
        lane, warp = thread % 32, thread // 32
        item, tile_row, tile_col = tile_of(
            int32(cuda.blockIdx.x), int32((m + ROWS - 1) // ROWS), int32((n + COLS - 1) // COLS)
        )
        row, col = int64(tile_row) * ROWS, int64(tile_col) * COLS
        rows_left, cols_left = int32(min(m - row, ROWS)), int32(min(n - col, COLS))
        a_at = a + uint64(item * a_next + row * a_line)
        b_at = b + uint64(item * b_next + col * b_line)
        sums = cuda.local.array(sums_count, float32)
        left, right = cuda.local.array(left_count, uint32), cuda.local.array(right_count, uint32)
        for i in range(sums_count):
            sums[i] = float32(0)
        ring = shared_address(cuda.shared.array(0, float32))
        count = int32((k + DEPTH - 1) // DEPTH)
        a_stage, b_stage = uint64(DEPTH * a_step), uint64(DEPTH * b_step)

        for s in range(ahead):
            if s < count:
                stage, steps_left = uint32(ring + s * stage_bytes), int32(min(k - s * DEPTH, DEPTH))
                fetch_both(stage, a_at, a_line, a_step, rows_left, b_at, b_line, b_step, cols_left,
                           steps_left, thread)
                a_at += a_stage
                b_at += b_stage
            cp_async_commit()

        warp_row, warp_col = warp // 2 * WARP, warp % 2 * WARP
        a_here = warp_row * (SIZE if a_follow else a_pitch) + place(lane, a_follow, a_pitch, True)
        b_here = a_bytes + warp_col * (SIZE if b_follow else b_pitch) + place(lane, b_follow, b_pitch, False)
        read, written = ring, uint32(ring + ahead * stage_bytes)  # stages
        for s in range(count):
            cp_async_wait(in_flight)
            cuda.syncthreads()
            if s + ahead < count:
                steps_left = int32(min(k - (s + ahead) * DEPTH, DEPTH))
                fetch_both(written, a_at, a_line, a_step, rows_left, b_at, b_line, b_step, cols_left,
                           steps_left, thread)
                a_at += a_stage
                b_at += b_stage
            cp_async_commit()
            written = read
            for part in range(DEPTH // 16):
                a_from = uint32(read + a_here + part * 16 * (a_pitch if a_follow else SIZE))
                b_from = uint32(read + b_here + part * 16 * (b_pitch if b_follow else SIZE))
                load_matrices(left, row_tiles, a_apart, a_from, a_trans)
                load_matrices(right, right_loads, b_apart, b_from, b_trans)
                multiply_matrices(sums, left, right, row_tiles, col_tiles, kind)
            read = uint32(read + stage_bytes) if read < last_stage + ring else ring

        cuda.syncthreads()
        slice_at = uint32(ring + warp * SLICE)
        own = uint32(slice_at + lane // 4 * PITCH + lane % 4 * 8)
        for part in range(row_tiles):
            put_fragments(sums, col_tiles, row_tiles, PITCH, int32(part), own)
            sync_warp()
            above = int32(warp_row + part * 16)
            finish_slice(slice_at, 16, WARP, PITCH, row + above, col + warp_col, int32(rows_left - above),
                         int32(cols_left - warp_col), item, lane, 0, e)
            sync_warp()

    return kernel
