"""Kernels of products.

`exact_kernel`: float32 and float64 by chains of fused multiply-adds in the order of docs/contract.md, so that
the bits are the CPU's. A block of threads has a tile of C, whose chains are in registers; A and B pass
through a ring of stages in shared memory. Totals of earlier blocks of K wait in memory (an epilogue's
`partial`), as registers are used up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numba import cuda
from numba.cuda import float32, float64, int32, int64, types, uint32, uint64

from .epilogue import COL, PARTIAL, ROW, TYPE, Epilogue, finisher, place, slice_pitch
from .ptx import (
    anew,
    cp_async,
    cp_async_commit,
    cp_async_wait,
    load_shared,
    multiply_add,
    shared_address,
)
from .sums import add_block, put_vectors, sync_warp
from .tiles import tile_of

BLOCK_LENGTH = 512  # of K, docs/contract.md
SIDE = 16  # a block's threads are so many rows and columns of them
THREADS = SIDE * SIDE
SIGNATURE = [types.uint64] * 2 + [types.int64] * 13 + [TYPE]


@dataclass(frozen=True)
class ExactTile:
    """Of an exact kernel: rows and columns of C, and steps of K in a stage of the ring."""

    rows: int
    cols: int
    depth: int
    stages: int
    element_size: int

    @property
    def lines(self) -> tuple[int, int]:
        """Elements from a step to the next in shared memory, A's and B's: 16 bytes more, for other banks."""
        lanes = 16 // self.element_size
        return self.rows + lanes, self.cols + lanes

    @property
    def pitch(self) -> int:
        return slice_pitch(self.cols, self.element_size)

    @property
    def slice_rows(self) -> int:
        """Of a warp, at a time: of each of its rows of threads as many as are in a vector of 16 bytes."""
        return 32 // SIDE * 16 // self.element_size

    @property
    def slice_bytes(self) -> int:
        return self.slice_rows * self.pitch

    @property
    def shared_bytes(self) -> int:
        return self.stages * self.depth * sum(self.lines) * self.element_size


EXACT_TILES = {"float32": ExactTile(128, 256, 16, 4, 4), "float64": ExactTile(128, 128, 8, 4, 8)}
for _tile in EXACT_TILES.values():
    assert BLOCK_LENGTH % _tile.depth == 0
    assert _tile.slice_bytes * THREADS // 32 <= _tile.shared_bytes


# How an operand's elements come to shared memory, in the order of neighbouring threads. VECTORS: 16 bytes of
# neighbouring lines (rows of A, columns of B), which must follow each other; where they begin, their step and
# the stack's are multiples of that. LINES, STEPS: an element at a time, along the lines or the steps,
# whichever are nearer to each other; any strides that are multiples of an element.
VECTORS, LINES, STEPS = range(3)
ORDERS = [(a, b) for a in range(3) for b in range(3)]  # of both operands


def exact_kernel(dtype: str, a_order: int, b_order: int) -> Callable[..., Any]:
    """The kernel of C = A B for any m, n, k and stacks of them, for Numba; see `exact_arguments`."""
    tile = EXACT_TILES[dtype]
    real = float32 if dtype == "float32" else float64
    size = tile.element_size
    lanes = 16 // size
    tile_rows, tile_cols, depth, stages = tile.rows, tile.cols, tile.depth, tile.stages
    ahead = stages - 1
    in_flight = stages - 2  # groups, while the oldest is used
    rows, cols = tile_rows // SIDE, tile_cols // SIDE  # of a thread
    elements = rows * cols
    row_vectors, col_vectors = rows // lanes, cols // lanes
    apart = SIDE * lanes
    apart_bytes = apart * size
    a_line, b_line = tile.lines[0] * size, tile.lines[1] * size  # bytes of a step
    pitch, slice_rows, slice_bytes = tile.pitch, tile.slice_rows, tile.slice_bytes
    stage_bytes = depth * (a_line + b_line)
    b_begins, last_stage = depth * a_line, (stages - 1) * stage_bytes
    steps_in_block = BLOCK_LENGTH // depth

    @cuda.jit(device=True, inline="always")
    def first_item(thread, order, length):  # type: ignore
        """The thread's first line and step of a stage's part of A or B; its next ones are equally apart."""
        if order == VECTORS:
            return thread % (length // lanes) * lanes, thread // (length // lanes)
        if order == STEPS:
            return thread // depth, thread % depth
        return thread % length, thread // length

    @cuda.jit(device=True, inline="always")
    def fetch(to, at, jump, line, order, length, lines_left, steps_left, i, s):  # type: ignore
        """A stage's part of A or B: `length` lines (rows of A, columns of B), an element of each step."""
        to = uint32(to + s * line + i * size)
        if order == VECTORS:
            there = min(max(lines_left - i, 0), lanes) * size
            for _ in range(length * depth // lanes // THREADS):
                cp_async(to, at, 16, int32(there if s < steps_left else 0))
                s += THREADS * lanes // length
                to = uint32(to + THREADS * lanes // length * line)
                at += uint64(jump)
        elif order == LINES:
            for _ in range(length * depth // THREADS):
                cp_async(to, at, size, int32(size if s < steps_left and i < lines_left else 0))
                s += THREADS // length
                to = uint32(to + THREADS // length * line)
                at += uint64(jump)
        else:
            for _ in range(length * depth // THREADS):
                cp_async(to, at, size, int32(size if s < steps_left and i < lines_left else 0))
                i += THREADS // depth
                to = uint32(to + THREADS // depth * size)
                at += uint64(jump)

    @cuda.jit(device=True, inline="always")
    def fetch_both(  # type: ignore
        stage, a_at, a_jump, rows_left, a_i, a_s, b_at, b_jump, cols_left, b_j, b_s, steps_left
    ):
        fetch(stage, a_at, a_jump, a_line, a_order, tile_rows, rows_left, steps_left, a_i, a_s)
        stage = uint32(stage + b_begins)
        fetch(stage, b_at, b_jump, b_line, b_order, tile_cols, cols_left, steps_left, b_j, b_s)

    finish_slice = finisher(dtype)

    def kernel(  # type: ignore
        a, b, m, n, k, a_row, a_step, a_jump, a_stage, a_next, b_step, b_col, b_jump, b_stage, b_next, e
    ):
        thread = int32(cuda.threadIdx.x)
        item, tile_row, tile_col = tile_of(
            int32(cuda.blockIdx.x),
            int32((m + tile_rows - 1) // tile_rows),
            int32((n + tile_cols - 1) // tile_cols),
        )
        row, col = int64(tile_row) * tile_rows, int64(tile_col) * tile_cols
        rows_left, cols_left = int32(min(m - row, tile_rows)), int32(min(n - col, tile_cols))
        a_i, a_s = first_item(thread, a_order, tile_rows)
        b_j, b_s = first_item(thread, b_order, tile_cols)
        a_at = a + uint64(item * a_next + (row + a_i) * a_row + a_s * a_step)
        b_at = b + uint64(item * b_next + (col + b_j) * b_col + b_s * b_step)

        sums = cuda.local.array(elements, real)
        left, right = cuda.local.array(rows, real), cuda.local.array(cols, real)
        for i in range(elements):
            sums[i] = real(0)
        ring = shared_address(cuda.shared.array(0, real))
        count = int32(max((k + depth - 1) // depth, 1))  # of nothing: a stage of zeros

        for s in range(ahead):
            if s < count:
                stage, steps_left = uint32(ring + s * stage_bytes), int32(min(k - s * depth, depth))
                fetch_both(stage, a_at, a_jump, rows_left, a_i, a_s, b_at, b_jump, cols_left, b_j, b_s,
                           steps_left)
                a_at += uint64(a_stage)
                b_at += uint64(b_stage)
            cp_async_commit()

        read, written = ring, uint32(ring + ahead * stage_bytes)  # stages
        for s in range(count):
            cp_async_wait(in_flight)
            cuda.syncthreads()
            if s + ahead < count:
                steps_left = int32(min(k - (s + ahead) * depth, depth))
                fetch_both(written, a_at, a_jump, rows_left, a_i, a_s, b_at, b_jump, cols_left, b_j, b_s,
                           steps_left)
                a_at += uint64(a_stage)
                b_at += uint64(b_stage)
            cp_async_commit()
            written = read
            own = anew(thread)
            a_here, b_here = uint32(read + own // SIDE * 16), uint32(read + b_begins + own % SIDE * 16)
            for _ in range(depth):
                load_shared(left, row_vectors, apart_bytes, a_here)
                load_shared(right, col_vectors, apart_bytes, b_here)
                multiply_add(sums, left, right, rows, cols)
                a_here, b_here = uint32(a_here + a_line), uint32(b_here + b_line)
            read = uint32(read + stage_bytes) if read < last_stage + ring else ring
            if (s + 1) % steps_in_block == 0 and s + 1 < count:
                own, here = anew(thread), anew(item)
                i, j = own // SIDE * lanes, own % SIDE * lanes
                at = place(e, PARTIAL, row + i, col + j, here)
                add_block(sums, rows, cols, apart, at, e[PARTIAL + ROW], e[PARTIAL + COL],
                          int32(rows_left - i), int32(cols_left - j), int32(s < steps_in_block))

        cuda.syncthreads()
        lane, warp = thread % 32, thread // 32
        slice_at = uint32(ring + warp * slice_bytes)
        own = uint32(slice_at + lane // SIDE * lanes * pitch + lane % SIDE * 16)
        for part in range(row_vectors):
            put_vectors(sums, rows, cols, apart_bytes, pitch, int32(part), own)
            sync_warp()
            above = int32(warp * slice_rows + part * apart)
            finish_slice(slice_at, slice_rows, tile_cols, pitch, row + above, col, int32(rows_left - above),
                         cols_left, item, lane, int32(count > steps_in_block), e)
            sync_warp()

    return kernel


def exact_arguments(
    tile: ExactTile,
    orders: tuple[int, int],
    shape: tuple[int, int, int],
    addresses: tuple[int, int],
    a: tuple[int, int],
    b: tuple[int, int],
    stack: tuple[int, int],
    epilogue: Epilogue,
) -> tuple[int, ...]:
    """What an exact kernel is called with."""
    if shape[2] > BLOCK_LENGTH and epilogue.needs_workspace() and not epilogue.partial.address:
        raise ValueError(f"totals of {shape[2]} steps have to wait in a workspace")
    return (*addresses, *exact_integers(tile, orders, shape, a, b, stack), *epilogue.arguments())


def exact_integers(
    tile: ExactTile,
    orders: tuple[int, int],
    shape: tuple[int, int, int],
    a: tuple[int, int],
    b: tuple[int, int],
    stack: tuple[int, int],
) -> tuple[int, ...]:
    """Of an exact kernel's arguments those between the addresses and the epilogue.

    `shape` is (m, n, k). Strides in bytes, of a row and a column each; `stack`: from a product to the next,
    of A and B.
    """

    def part(order: int, length: int, line: int, step: int, following: int) -> tuple[int, int, int]:
        """From a thread's item to its next one, from a stage to the next, from a product to the next."""
        steps = THREADS * (16 // tile.element_size if order == VECTORS else 1) // length
        jump = THREADS // tile.depth * line if order == STEPS else steps * step
        return jump, tile.depth * step, following

    a_row, a_step = a
    b_step, b_col = b
    return (
        *shape,
        a_row,
        a_step,
        *part(orders[0], tile.rows, a_row, a_step, stack[0]),
        b_step,
        b_col,
        *part(orders[1], tile.cols, b_col, b_step, stack[1]),
    )
