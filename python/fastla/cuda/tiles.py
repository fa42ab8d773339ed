"""Which tile of which product a block of threads computes."""

from __future__ import annotations

from numba import cuda
from numba.cuda import int32

# Rows of tiles that are gone through together: tiles at work at a time share rows of A and columns of B.
GROUP = 8
MOST_BLOCKS = 2**31 - 1


def grid(m: int, n: int, count: int, rows: int, cols: int) -> tuple[int, int, int]:
    """Blocks for `count` products of m x n in tiles of so many rows and columns."""
    blocks = -(-m // rows) * -(-n // cols) * count
    if blocks > MOST_BLOCKS:
        raise ValueError(f"{count} product(s) of {m} x {n} are {blocks} tiles; {MOST_BLOCKS} are the most")
    return blocks, 1, 1


@cuda.jit(device=True, inline="always")
def tile_of(block, row_tiles, col_tiles):  # type: ignore
    """Of a block's number: the product, and the row and the column of the tile."""
    each = int32(row_tiles * col_tiles)
    item = block // each
    block = block - item * each
    group = block // (GROUP * col_tiles)
    block = block - group * GROUP * col_tiles
    height = min(row_tiles - group * GROUP, GROUP)
    return item, group * GROUP + block % height, block // height
