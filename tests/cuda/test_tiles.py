"""Every tile of every product is some block's, and one's alone."""

import itertools
import random

import pytest

pytest.importorskip("numba.cuda.compiler", reason="needs fastla[cuda]")

from fastla.cuda import tiles


def test_each_tile_once():
    draw = random.Random(1)
    for _ in range(200):
        rows, cols = draw.choice([(128, 256), (64, 128), (128, 128)])
        m, n, count = draw.randint(1, 3000), draw.randint(1, 3000), draw.randint(1, 4)
        blocks, *rest = tiles.grid(m, n, count, rows, cols)
        assert rest == [1, 1]
        row_tiles, col_tiles = -(-m // rows), -(-n // cols)
        of = [tiles.tile_of.py_func(i, row_tiles, col_tiles) for i in range(blocks)]
        assert sorted(of) == list(itertools.product(range(count), range(row_tiles), range(col_tiles)))


def test_neighbours_share_rows_or_columns():
    """The blocks at work at a time need few rows of A and columns of B."""
    at_work = [tiles.tile_of.py_func(i, 64, 64) for i in range(132)]
    rows, cols = len({r for _, r, _ in at_work}), len({c for _, _, c in at_work})
    assert rows * cols < 1.1 * len(at_work) and rows + cols <= 26


def test_a_grid_has_an_end():
    with pytest.raises(ValueError, match=r"1 product.s. of 17179869184 x 17179869184 are"):
        tiles.grid(1 << 34, 1 << 34, 1, 128, 128)
