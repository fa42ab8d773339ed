"""The skeleton of kernels that copy A and B element by element, or 16 bytes at a time, to a ring of stages in
shared memory, whatever their strides: for any GPU from sm_80 on.

What is done with a stage, and with finished sums, is an Arithmetic (gemm.py, doubles.py). A block of threads
has a tile of C, whose sums are in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numba import cuda
from numba.cuda import float32, float64, int32, int64, types, uint32, uint64

from .epilogue import TYPE, Epilogue
from .ptx import cp_async, cp_async_commit, cp_async_wait, shared_address
from .tiles import tile_of

BLOCK_LENGTH = 512  # of K, docs/contract.md
THREADS = 256  # of a block, if its tile says nothing else
INTEGERS = 15
SIGNATURE = [types.uint64] * 2 + [types.int64] * INTEGERS + [TYPE]


@dataclass(frozen=True)
class Tile:
    """Rows and columns of C, and steps of K in a stage of the ring. `pad`: bytes between the lines of a step
    and the next step's, for other banks. `threads`: of a block."""

    rows: int
    cols: int
    depth: int
    stages: int
    element_size: int
    pad: int = 16
    threads: int = THREADS

    @property
    def step_bytes(self) -> tuple[int, int]:
        """From a step to the next in shared memory, A's and B's."""
        return self.rows * self.element_size + self.pad, self.cols * self.element_size + self.pad

    @property
    def stage_bytes(self) -> int:
        return self.depth * sum(self.step_bytes)

    @property
    def shared_bytes(self) -> int:
        return self.stages * self.stage_bytes


@dataclass(frozen=True)
class Arithmetic:
    """Registers of a thread, and device functions of a tile.

    multiply_stage(sums, left, right, stage, thread). finish_tile(sums, shared memory, row, col, rows_left,
    cols_left, item, thread, parts, e): the epilogue; `parts`: whether totals of earlier blocks of K wait in
    memory, where put_aside(sums, row, col, rows_left, cols_left, item, thread, first, e) has added them after
    each block but the last; without put_aside there is one sum over all of K.
    """

    sums: int
    left: int
    right: int
    multiply_stage: Any
    finish_tile: Any
    put_aside: Any = None


# How an operand's elements come to shared memory, in the order of neighbouring threads. VECTORS: 16 bytes of
# neighbouring lines (rows of A, columns of B), which must follow each other; where they begin, their step and
# the stack's are multiples of that. STEPS: an element at a time, along the steps, which had better be nearer
# to each other than lines; any strides that are multiples of an element. EITHER: as the arguments say.
VECTORS, STEPS, EITHER = range(3)


@cuda.jit(device=True, inline="always")
def _not_put_aside(sums, row, col, rows_left, cols_left, item, thread, first, e):  # type: ignore
    pass


def ring_kernel(tile: Tile, a_order: int, b_order: int, arithmetic: Arithmetic) -> Callable[..., Any]:
    """The kernel of C = A B for any m, n, k and stacks of them, for Numba; see `integers`."""
    threads = tile.threads
    size = tile.element_size
    real = float32 if size == 4 else float64
    lanes = 16 // size
    tile_rows, tile_cols, depth, stages = tile.rows, tile.cols, tile.depth, tile.stages
    ahead = stages - 1
    in_flight = stages - 2  # groups, while the oldest is used
    elements, left_count, right_count = arithmetic.sums, arithmetic.left, arithmetic.right
    a_line, b_line = tile.step_bytes
    stage_bytes = tile.stage_bytes
    b_begins, last_stage = depth * a_line, (stages - 1) * stage_bytes
    multiply_stage, finish_tile = arithmetic.multiply_stage, arithmetic.finish_tile
    put_aside = arithmetic.put_aside or _not_put_aside
    # Without blocks of K none ends.
    steps_in_block = BLOCK_LENGTH // depth if arithmetic.put_aside else 1 << 30

    @cuda.jit(device=True, inline="always")
    def first_item(thread, order, length):  # type: ignore
        """The thread's first line and step of a stage's part of A or B; its next ones are equally apart."""
        if order == VECTORS:
            return thread % (length // lanes) * lanes, thread // (length // lanes)
        return thread // depth, thread % depth

    @cuda.jit(device=True, inline="always")
    def fetch(to, at, jump, line, order, length, lines_left, steps_left, i, s):  # type: ignore
        """A stage's part of A or B: `length` lines (rows of A, columns of B), an element of each step."""
        to = uint32(to + s * line + i * size)
        if order == VECTORS:
            there = min(max(lines_left - i, 0), lanes) * size
            for _ in range(length * depth // lanes // threads):
                cp_async(to, at, 16, int32(there if s < steps_left else 0))
                s += threads * lanes // length
                to = uint32(to + threads * lanes // length * line)
                at += uint64(jump)
        else:
            for _ in range(length * depth // threads):
                cp_async(to, at, size, int32(size if s < steps_left and i < lines_left else 0))
                i += threads // depth
                to = uint32(to + threads // depth * size)
                at += uint64(jump)

    @cuda.jit(device=True, inline="always")
    def fetch_both(  # type: ignore
        stage, a_at, a_jump, a_by, rows_left, a_i, a_s, b_at, b_jump, b_by, cols_left, b_j, b_s, steps_left
    ):
        fetch(stage, a_at, a_jump, a_line, a_by, tile_rows, rows_left, steps_left, a_i, a_s)
        stage = uint32(stage + b_begins)
        fetch(stage, b_at, b_jump, b_line, b_by, tile_cols, cols_left, steps_left, b_j, b_s)

    def kernel(  # type: ignore
        a, b, m, n, k, a_row, a_step, a_jump, a_stage, a_next, a_by, b_step, b_col, b_jump, b_stage, b_next,
        b_by, e
    ):
        thread = int32(cuda.threadIdx.x)
        a_by = int32(a_by if a_order == EITHER else a_order)
        b_by = int32(b_by if b_order == EITHER else b_order)
        item, tile_row, tile_col = tile_of(
            int32(cuda.blockIdx.x),
            int32((m + tile_rows - 1) // tile_rows),
            int32((n + tile_cols - 1) // tile_cols),
        )
        row, col = int64(tile_row) * tile_rows, int64(tile_col) * tile_cols
        rows_left, cols_left = int32(min(m - row, tile_rows)), int32(min(n - col, tile_cols))
        a_i, a_s = first_item(thread, a_by, tile_rows)
        b_j, b_s = first_item(thread, b_by, tile_cols)
        a_at = a + uint64(item * a_next + (row + a_i) * a_row + a_s * a_step)
        b_at = b + uint64(item * b_next + (col + b_j) * b_col + b_s * b_step)

        sums = cuda.local.array(elements, real)
        left, right = cuda.local.array(left_count, real), cuda.local.array(right_count, real)
        for i in range(elements):
            sums[i] = real(0)
        ring = shared_address(cuda.shared.array(0, real))
        count = int32(max((k + depth - 1) // depth, 1))  # of nothing: a stage of zeros

        for s in range(ahead):
            if s < count:
                stage, steps_left = uint32(ring + s * stage_bytes), int32(min(k - s * depth, depth))
                fetch_both(stage, a_at, a_jump, a_by, rows_left, a_i, a_s, b_at, b_jump, b_by, cols_left,
                           b_j, b_s, steps_left)
                a_at += uint64(a_stage)
                b_at += uint64(b_stage)
            cp_async_commit()

        read, written = ring, uint32(ring + ahead * stage_bytes)  # stages
        for s in range(count):
            cp_async_wait(in_flight)
            cuda.syncthreads()
            if s + ahead < count:
                steps_left = int32(min(k - (s + ahead) * depth, depth))
                fetch_both(written, a_at, a_jump, a_by, rows_left, a_i, a_s, b_at, b_jump, b_by, cols_left,
                           b_j, b_s, steps_left)
                a_at += uint64(a_stage)
                b_at += uint64(b_stage)
            cp_async_commit()
            written = read
            multiply_stage(sums, left, right, read, thread)
            read = uint32(read + stage_bytes) if read < last_stage + ring else ring
            if (s + 1) % steps_in_block == 0 and s + 1 < count:
                put_aside(sums, row, col, rows_left, cols_left, item, thread, int32(s < steps_in_block), e)

        cuda.syncthreads()
        parts = int32(count > steps_in_block)
        finish_tile(sums, ring, row, col, rows_left, cols_left, item, thread, parts, e)

    return kernel


def integers(
    tile: Tile,
    orders: tuple[int, int],
    shape: tuple[int, int, int],
    a: tuple[int, int],
    b: tuple[int, int],
    stack: tuple[int, int],
) -> tuple[int, ...]:
    """Of a kernel's arguments the INTEGERS between the addresses and the epilogue.

    `orders`: VECTORS or STEPS, of A and B. `shape` is (m, n, k). Strides in bytes, of a row and a column
    each; `stack`: from a product to the next, of A and B.
    """

    def part(order: int, length: int, line: int, step: int, following: int) -> tuple[int, int, int, int]:
        """From a thread's item to its next one, from a stage to the next, from a product to the next."""
        steps = tile.threads * 16 // tile.element_size // length
        jump = tile.threads // tile.depth * line if order == STEPS else steps * step
        return jump, tile.depth * step, following, order

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


def arguments(
    tile: Tile,
    orders: tuple[int, int],
    shape: tuple[int, int, int],
    addresses: tuple[int, int],
    a: tuple[int, int],
    b: tuple[int, int],
    stack: tuple[int, int],
    epilogue: Epilogue,
) -> tuple[int, ...]:
    """What a kernel is called with."""
    return (*addresses, *integers(tile, orders, shape, a, b, stack), *epilogue.arguments())
