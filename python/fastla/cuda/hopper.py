"""Products by Hopper's tensor cores (sm_90a): copies, products and finished tiles at the same time.

A block of three warpgroups stays on its multiprocessor and takes tile after tile. One thread of the first
asks for boxes of A and B, which come to a ring of stages; the other two have half of the tile's rows each,
64, and start products of what has come. A stage has two barriers: `full` hears of the boxes, `empty` of
the warps that have no more to read there. Two blocks may be a cluster, whose tiles are one below the other:
each asks for half of B's boxes, which come to both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numba import cuda
from numba.cuda import float32, int32, int64, types, uint32, uint64

from .bulk_copies import (
    TENSOR_MAP,
    arrive_if,
    copy_box,
    elected,
    expect_bytes,
    give_registers,
    make_barrier,
    rank_in_cluster,
    show_barriers,
    take_registers,
    wait_for,
    wait_for_cluster,
)
from .epilogue import TYPE, Epilogue, finisher, slice_pitch
from .ptx import shared_address
from .sums import put_fragments, sync_warp
from .tensor_map import TensorMap
from .tiles import tile_of
from .warpgroups import (
    KINDS,
    WIDTH,
    begin_products,
    commit_products,
    descriptor_bits,
    multiply_boxes,
    take_sums,
    wait_for_products,
)

GROUP_THREADS = 128
CONSUMERS = 2  # warpgroups
THREADS = GROUP_THREADS * (1 + CONSUMERS)
ROWS = 64 * CONSUMERS  # of a tile
# Of 65536 registers a block of 384 threads gets 168 each; then the copying warps' go to the others.
COPYING_REGISTERS, MULTIPLYING_REGISTERS = 56, 224
SHARED_LIMIT = 232448
SLICE_COLS = 32  # of a warp's 16 rows of finished sums, at a time
PITCH = slice_pitch(SLICE_COLS, 4)
SLICES = 4 * CONSUMERS * 16 * PITCH  # bytes
SIGNATURE = [TENSOR_MAP] * 2 + [types.int64] * 8 + [TYPE]
COLS = (256, 64)  # of a tile: small ones where large ones leave multiprocessors without any


@dataclass(frozen=True)
class HopperTile:
    """Columns of a tile; whether rows of A and columns of B are contiguous, not the steps of K."""

    kind: int
    cols: int
    a_follow: bool
    b_follow: bool

    @property
    def cluster(self) -> int:
        """Blocks that share columns: where B's boxes are most of what comes."""
        return 2 if self.cols == 256 else 1

    @property
    def stage_bytes(self) -> int:
        return (ROWS + self.cols) * WIDTH

    @property
    def stages(self) -> int:
        return (SHARED_LIMIT - SLICES) // (self.stage_bytes + 16)

    @property
    def shared_bytes(self) -> int:
        return self.stages * (self.stage_bytes + 16) + SLICES


def hopper_kernel(tile: HopperTile) -> Callable[..., Any]:
    """The kernel of C = A B for any m, n, k (not 0) and stacks of them, for Numba; see `hopper_arguments`."""
    kind, cols, stages, blocks = tile.kind, tile.cols, tile.stages, tile.cluster
    a_follow, b_follow = int(tile.a_follow), int(tile.b_follow)
    box = depth = KINDS[kind].box  # lines of one, if they follow each other; steps of K
    a_bytes, stage_bytes = ROWS * WIDTH, tile.stage_bytes
    full_begins, empty_begins = stages * stage_bytes, stages * (stage_bytes + 8)
    a_bits, b_bits = descriptor_bits(tile.a_follow), descriptor_bits(tile.b_follow)
    slices_begin = stages * (stage_bytes + 16)
    sums_count, slice_tiles, slice_parts = cols // 2, SLICE_COLS // 8, cols // SLICE_COLS
    arrivals = 4 * CONSUMERS * blocks
    part_cols = cols // blocks  # whose boxes a block asks for
    total = int32 if KINDS[kind].whole else float32
    short = KINDS[kind].short
    held_count = sums_count if short else 1
    finish_slice = finisher("int32" if KINDS[kind].whole else "float32")

    @cuda.jit(device=True, inline="always")
    def copy_operand(to, tensor, barrier, follow, lines, line, step, item, blocks):  # type: ignore
        """So many lines of a stage's steps."""
        if follow:
            for part in range(lines // box):
                at = uint32(to + part * box * WIDTH)
                copy_box(at, tensor, barrier, int32(line + part * box), step, item, blocks)
        else:
            copy_box(to, tensor, barrier, step, line, item, blocks)

    @cuda.jit(device=True, inline="always")
    def tile_at(number, row_tiles, col_tiles, rank):  # type: ignore
        """The block's tile: product, row and column."""
        item, tile_row, tile_col = tile_of(number, row_tiles, col_tiles)
        return item, int64(tile_row * blocks + rank) * ROWS, int64(tile_col) * cols

    @cuda.jit(device=True, inline="always")
    def part_of(index, splits, each, count):  # type: ignore
        """Of a product's part: the product, the first stage of K, and how many."""
        first = int32(index % splits * each)
        return int32(index // splits), first, int32(max(min(first + each, count) - first, 0))

    @cuda.jit(device=True, inline="always")
    def copy_tiles(  # type: ignore
        ring, a, b, row_tiles, col_tiles, tiles, count, a_item, b_item, rank, splits, each
    ):
        """What the copying thread does."""
        slot, parity = int32(0), int32(1)
        for number in range(int32(cuda.blockIdx.x) // blocks, tiles, int32(cuda.gridDim.x) // blocks):
            index, row, col = tile_at(int32(number), row_tiles, col_tiles, rank)
            item, first, here = part_of(index, splits, each, count)
            for s in range(first, first + here):
                full = uint32(ring + full_begins + slot * 8)
                wait_for(uint32(ring + empty_begins + slot * 8), parity)
                expect_bytes(full, int32(stage_bytes))
                stage = uint32(ring + slot * stage_bytes)
                copy_operand(stage, a, full, a_follow, ROWS, int32(row), int32(s * depth),
                             int32(item * a_item), 1)
                own = int32(rank * part_cols)
                copy_operand(uint32(stage + a_bytes + own * WIDTH), b, full, b_follow, part_cols,
                             int32(col + own), int32(s * depth), int32(item * b_item), blocks)
                slot = int32(slot + 1)
                if slot == stages:
                    slot, parity = int32(0), int32(1 - parity)

    @cuda.jit(device=True, inline="always")
    def release(empty, lane, whether):  # type: ignore
        """A warp has read a stage, of which all blocks that write there hear, by a lane each."""
        arrive_if(empty, int32(lane), int32(whether and lane < blocks))

    def kernel(a, b, m, n, k, a_item, b_item, items, splits, each, e):  # type: ignore
        thread = int32(cuda.threadIdx.x)
        rank = rank_in_cluster()
        ring = shared_address(cuda.shared.array(0, float32))
        rows = ROWS * blocks
        row_tiles, tiles_across = int32((m + rows - 1) // rows), int32((n + cols - 1) // cols)
        splits, each = int32(splits), int32(each)
        tiles = int32(row_tiles * tiles_across * items * splits)
        count = int32((k + depth - 1) // depth)
        if thread == 0:
            for slot in range(stages):
                make_barrier(uint32(ring + full_begins + slot * 8), int32(1))
                make_barrier(uint32(ring + empty_begins + slot * 8), int32(arrivals))
            show_barriers()
        wait_for_cluster()

        if thread < GROUP_THREADS:
            give_registers(COPYING_REGISTERS)
            if thread < 32 and elected() == 1:
                copy_tiles(ring, a, b, row_tiles, tiles_across, tiles, count, int32(a_item), int32(b_item),
                           rank, splits, each)
        else:
            take_registers(MULTIPLYING_REGISTERS)
            thread = int32(thread - GROUP_THREADS)
            lane, warp = thread % 32, thread // 32
            own = thread // GROUP_THREADS * (64 * WIDTH)
            sums, held = cuda.local.array(sums_count, total), cuda.local.array(held_count, total)
            slot, parity = int32(0), int32(0)
            for number in range(int32(cuda.blockIdx.x) // blocks, tiles, int32(cuda.gridDim.x) // blocks):
                index, row, col = tile_at(int32(number), row_tiles, tiles_across, rank)
                _, _, here = part_of(index, splits, each, count)
                for i in range(sums_count):
                    sums[i] = total(0)
                for i in range(held_count):
                    held[i] = total(0)
                last = ring
                for s in range(here):
                    stage = uint32(ring + slot * stage_bytes)
                    wait_for(uint32(ring + full_begins + slot * 8), parity)
                    left = uint64(a_bits) | uint64(uint32(stage + own) >> uint32(4))
                    right = uint64(b_bits) | uint64(uint32(stage + a_bytes) >> uint32(4))
                    begin_products()
                    multiply_boxes(sums, cols, left, right, a_follow, b_follow, kind)
                    commit_products()
                    if short:
                        take_sums(sums, cols)
                        for i in range(held_count):
                            held[i], sums[i] = held[i] + sums[i], total(0)
                    else:
                        wait_for_products(1)
                    release(last, lane, s > 0)
                    last = uint32(ring + empty_begins + slot * 8)
                    slot = int32(slot + 1)
                    if slot == stages:
                        slot, parity = int32(0), int32(1 - parity)
                if short:
                    for i in range(held_count):
                        sums[i] = held[i]
                else:
                    take_sums(sums, cols)
                release(last, lane, here > 0)
                slice_at = uint32(ring + slices_begin + warp * 16 * PITCH)
                own_at = uint32(slice_at + lane // 4 * PITCH + lane % 4 * 8)
                row += warp * 16
                rows_left, cols_left = int32(min(m - row, 16)), int32(min(n - col, cols))
                for part in range(slice_parts):
                    put_fragments(sums, slice_tiles, slice_parts, PITCH, int32(part), own_at)
                    sync_warp()
                    over = int32(part * SLICE_COLS)
                    finish_slice(slice_at, 16, SLICE_COLS, PITCH, row, col + over, rows_left,
                                 cols_left - over, index, lane, 0, e)
                    sync_warp()
        wait_for_cluster()

    return kernel


@dataclass(frozen=True)
class Operand:
    """Of a stack of `count` products: lines (rows of A, columns of B) by steps of K. Strides in bytes, `next`
    from a product's to the next one's."""

    address: int
    lines: int
    steps: int
    count: int
    line: int
    step: int
    next: int

    def tensor_map(self, kind: int, follow: bool, tile_lines: int) -> TensorMap | None:
        """The map if lines (follow) or steps are taken for contiguous; None: copies do not reach it so."""
        what = KINDS[kind]
        if follow and not what.any_direction:
            return None
        # Who has only one line, or step, or product does not step.
        line = self.line if self.lines > 1 else 0
        step = self.step if self.steps > 1 else 0
        following = self.next if self.count > 1 else 0
        (along, inner), (over, outer) = (step, self.steps), (line, self.lines)
        if follow:
            (along, inner), (over, outer) = (over, outer), (along, inner)
        if (inner > 1 and along != what.size) or (outer > 1 and over == 0):
            return None
        extents = (max(inner, 1), max(outer, 1), self.count if following else 1)
        box = (what.box, what.box if follow else tile_lines)
        try:
            return TensorMap(self.address, what.size, extents, (over or 16, following or 16), box)
        except ValueError:
            return None


def tensor_maps(tile: HopperTile, a: Operand, b: Operand) -> tuple[TensorMap, TensorMap]:
    """The kernel's first arguments."""
    a_map = a.tensor_map(tile.kind, tile.a_follow, ROWS)
    b_map = b.tensor_map(tile.kind, tile.b_follow, tile.cols // tile.cluster)
    if a_map is None or b_map is None:
        raise ValueError(f"{a} and {b} do not lie as {tile} wants them")
    return a_map, b_map


def hopper_arguments(
    tile: HopperTile, a: Operand, b: Operand, epilogue: Epilogue, splits: int = 1
) -> tuple[Any, ...]:
    """What the kernel is called with. `splits`: parts of K, whose sums are products of their own for the
    epilogue, those of a product of the stack one after the other."""
    steps = [int(x.count > 1 and x.next != 0) for x in (a, b)]
    sizes = a.lines, b.lines, a.steps
    each = stages_each(tile.kind, a.steps, splits)
    return (*tensor_maps(tile, a, b), *sizes, *steps, a.count, splits, each, *epilogue.arguments())


def stages_each(kind: int, steps: int, splits: int) -> int:
    """Stages of K of each part but the last."""
    return -(-steps // KINDS[kind].box // splits)
