"""Products of a matrix and a vector, and stacks of them, for any GPU from sm_80 on.

Memory is what they wait for. A warp has 32 lines (rows of A, or columns of B if it is the vector that stands
left), a lane each; panels of 128 bytes of each line pass through a ring of stages of its own. Sums are chains
as docs/contract.md has them: blocks of K are independent, so that several warps can share lines, and their
sums are added in order. (Of bfloat16 subnormal numbers are not flushed.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numba import cuda
from numba.cuda import float32, float64, int32, int64, types, uint32, uint64

from .epilogue import TYPE, finisher
from .numbers import FLOAT32, FLOAT64, SIZES, add, fma
from .ptx import cp_async, cp_async_commit, cp_async_wait, shared_address
from .shared import load_number, load_numbers, store_one
from .sums import sync_warp

BLOCK_LENGTH = 512  # of K, docs/contract.md
WARPS, LINES = 8, 32
THREADS = 32 * WARPS
STAGES = 4
WIDTH = 128  # bytes of a line in a panel
PITCH = WIDTH + 16  # from a line to the next if steps follow each other: other banks
STAGE_BYTES = LINES * PITCH + WIDTH  # the vector's part comes last
SHARED_BYTES = WARPS * STAGES * STAGE_BYTES + THREADS * 8
SIGNATURE = [types.uint64] * 2 + [types.int64] * 8 + [TYPE]

# How A lies in memory. STEPS, LINES_FOLLOW: these are contiguous, and come 16 bytes at a time; where they
# begin, the other stride and the stack's are multiples of that. ELEMENTS: any strides that are multiples of
# an element, of 4 or 8 bytes.
STEPS, LINES_FOLLOW, ELEMENTS = range(3)
VARIANTS = [(kind, order) for kind in range(4) for order in range(3) if order < ELEMENTS or SIZES[kind] >= 4]


def vector_kernel(kind: int, order: int) -> Callable[..., Any]:
    """The kernel of C = A x, for Numba.

    Its arguments: addresses of A and x; how many lines, and steps of K; strides in bytes of A's lines, steps
    and products, and of x's steps and products; how many warps share lines (1, 2, 4 or 8); the epilogue, in
    which lines are columns. x of 16-bit elements is contiguous and begins at a multiple of 4.
    """
    size = SIZES[kind]
    real = float64 if kind == FLOAT64 else float32
    real_size = max(size, 4)
    lanes = 16 // size
    steps = WIDTH // size  # of a panel
    panels = BLOCK_LENGTH // steps
    pitch = LINES * size if order == LINES_FOLLOW else PITCH
    x_begins = LINES * PITCH
    ring_bytes, ahead, in_flight = STAGES * STAGE_BYTES, STAGES - 1, STAGES - 2
    exchange_begins = WARPS * ring_bytes
    # Of x, what a lane copies.
    x_size = max(size, 4)
    x_count = x_size // size
    x_lanes = WIDTH // x_size
    finish_slice = finisher("float64" if kind == FLOAT64 else "float32")

    @cuda.jit(device=True, inline="always")
    def fetch(to, a_at, a_line, a_step, lines_left, x_at, x_step, steps_left, lane):  # type: ignore
        """A panel: of each line so many steps, and as many of the vector."""
        if order == ELEMENTS:
            for v in range(LINES * steps // 32):
                i = int32(lane + v * 32)
                line, step = i // steps, i % steps
                there = int32(size if line < lines_left and step < steps_left else 0)
                at = a_at + uint64(int64(line) * a_line + int64(step) * a_step)
                cp_async(uint32(to + line * pitch + step * size), at, size, there)
        else:
            across = pitch // 16 if order == LINES_FOLLOW else WIDTH // 16
            for v in range(LINES * WIDTH // 16 // 32):
                i = int32(lane + v * 32)
                over, along = i // across, i % across * lanes
                if order == LINES_FOLLOW:
                    left, there, far = lines_left - along, over < steps_left, int64(over) * a_step
                else:
                    left, there, far = steps_left - along, over < lines_left, int64(over) * a_line
                count = int32(min(max(left, 0), lanes) * size if there else 0)
                at = a_at + uint64(far + along * size)
                cp_async(uint32(to + over * pitch + along * size), at, 16, count)
        if lane < x_lanes:
            first = int32(lane * x_count)
            count = int32(min(max(steps_left - first, 0), x_count) * size)
            at = x_at + uint64(int64(first) * x_step)
            cp_async(uint32(to + x_begins + lane * x_size), at, x_size, count)

    @cuda.jit(device=True, inline="always")
    def multiply_panel(s, panel, lane):  # type: ignore
        """The chain goes on by a panel's steps."""
        left, right = cuda.local.array(lanes, real), cuda.local.array(lanes, real)
        for v in range(steps // lanes):
            load_numbers(right, kind, uint32(panel + x_begins + v * 16))
            if order == LINES_FOLLOW:
                for i in range(lanes):
                    at = uint32(panel + (v * lanes + i) * pitch + lane * size)
                    s = fma(load_number(at, kind, s), right[i], s)
            else:
                load_numbers(left, kind, uint32(panel + lane * pitch + v * 16))
                for i in range(lanes):
                    s = fma(left[i], right[i], s)
        return s

    def kernel(a, x, lines, k, a_line, a_step, a_next, x_step, x_next, parts, e):  # type: ignore
        thread, parts = int32(cuda.threadIdx.x), int32(parts)
        lane, warp = thread % 32, thread // 32
        part, tall = warp % parts, int32(WARPS // parts * LINES)
        groups = int32((lines + tall - 1) // tall)
        item, block = int32(cuda.blockIdx.x) // groups, int32(cuda.blockIdx.x) % groups
        line = int64(block) * tall + warp // parts * LINES
        lines_left = int32(max(min(lines - line, LINES), 0))
        memory = shared_address(cuda.shared.array(0, float32))
        ring, exchange = uint32(memory + warp * ring_bytes), uint32(memory + exchange_begins)
        own = uint32(exchange + thread * real_size)
        # The first of the warps that share lines has most to do in the last round.
        round_steps = parts * BLOCK_LENGTH
        whole = max(k - 1, 0) // round_steps
        last_steps = min(k - whole * round_steps, BLOCK_LENGTH)
        count = int32(whole * panels + (last_steps + steps - 1) // steps)
        a_at = a + uint64(item * a_next + line * a_line)
        x_at = x + uint64(item * x_next)

        s, total = real(0), real(0)
        for t in range(-ahead, count):
            if t >= 0:
                cp_async_wait(in_flight)
                sync_warp()
            later = int32(t + ahead)
            step = int64(later // panels) * round_steps + part * BLOCK_LENGTH + later % panels * steps
            if step < k and later < count:
                fetch(uint32(ring + later % STAGES * STAGE_BYTES), a_at + uint64(step * a_step), a_line,
                      a_step, lines_left, x_at + uint64(step * x_step), x_step, int32(min(k - step, steps)),
                      lane)
            cp_async_commit()
            if t < 0:
                continue
            block = int64(t // panels) * parts
            if (block + part) * BLOCK_LENGTH + t % panels * steps < k:
                s = multiply_panel(s, uint32(ring + t % STAGES * STAGE_BYTES), lane)
            if (t + 1) % panels == 0 or t + 1 == count:
                store_one(own, s)
                s = real(0)
                cuda.syncthreads()
                if part == 0:
                    for p in range(parts):
                        if (block + p) * BLOCK_LENGTH < k:
                            total = add(total, load_number(uint32(own + p * 32 * real_size), real_kind, s))
                cuda.syncthreads()
        if part == 0:
            store_one(own, total)  # for the same lane
            finish_slice(uint32(exchange + warp * 32 * real_size), 1, LINES, 32 * real_size, int64(0), line,
                         int32(1), lines_left, item, lane, int32(0), e)

    real_kind = FLOAT64 if kind == FLOAT64 else FLOAT32
    return kernel


@dataclass(frozen=True)
class Launch:
    """How many blocks of threads, and how many warps share lines."""

    blocks: int
    parts: int


def launch_of(lines: int, k: int, count: int, parts: int | None = None) -> Launch:
    """As many warps share lines as there are blocks of K, at most all of a block of threads."""
    shared = parts or next(p for p in (1, 2, 4, WARPS) if p == WARPS or p * BLOCK_LENGTH >= k)
    return Launch(-(-lines // (WARPS // shared * LINES)) * count, shared)
