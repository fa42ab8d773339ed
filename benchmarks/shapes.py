"""What is measured: the shapes, as cells of (shape, dtype, threads), and the arrays of one cell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DTYPES = ("float32", "float64")

# m x n x k: a is (m, k), b is (k, n).
SQUARE = [(n, n, n) for n in (4096, 2048, 1024, 512, 256, 128, 64)]
ODD = [(999, 1001, 1003), (37, 41, 43)]
NETWORK = [(197, 768, 768), (1024, 3072, 768)]  # a vision transformer's and an MLP's layer
SKINNY = [
    (4096, 64, 4096), (64, 4096, 4096), (4096, 4096, 16), (16, 4096, 4096),
    (1, 4096, 4096), (4096, 1, 4096), (1024, 16, 1024), (8, 8, 100000), (100000, 64, 64),
]  # fmt: skip
GRID = SQUARE + ODD + NETWORK + SKINNY
LINEAR = [(512, 3072, 768)]
SWEEP = (64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)

QUICK_GRID = [(64, 64, 64), (37, 41, 43), (128, 128, 128), (256, 256, 256), (197, 256, 256),
              (1, 1024, 1024), (8, 8, 10000)]  # fmt: skip
QUICK_LINEAR = [(64, 256, 128)]
QUICK_SWEEP = (64, 96, 128, 192, 256)


@dataclass(frozen=True)
class Cell:
    """One row of the results. kind "linear" is gelu(x w^T + bias), with w of shape (n, k)."""

    kind: str
    m: int
    n: int
    k: int
    dtype: str
    threads: int
    in_grid: bool = True
    in_sweep: bool = False

    @property
    def shape(self) -> str:
        size = f"{self.m}x{self.n}x{self.k}"
        return size if self.kind == "matmul" else f"linear+gelu {size}"

    @property
    def label(self) -> str:
        return f"{self.shape} {self.dtype} {self.threads}t"

    @property
    def flops(self) -> int:
        """Those of the product; bias and activation are not counted."""
        return 2 * self.m * self.n * self.k

    @property
    def bytes(self) -> int:
        """What must move at least once: both operands read, the result written."""
        elements = self.m * self.k + self.k * self.n + self.m * self.n
        return elements * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Problem:
    """The arrays of a cell; every contender reads and writes the same ones."""

    cell: Cell
    a: NDArray[np.floating]
    b: NDArray[np.floating]
    out: NDArray[np.floating]
    bias: NDArray[np.floating]


def allocate(cell: Cell) -> Problem:
    """Arrays as NumPy allocates them, C order; b is (n, k) for a linear layer."""
    dtype = np.dtype(cell.dtype)
    b_shape = (cell.k, cell.n) if cell.kind == "matmul" else (cell.n, cell.k)
    return Problem(
        cell=cell,
        a=np.zeros((cell.m, cell.k), dtype),
        b=np.zeros(b_shape, dtype),
        out=np.zeros((cell.m, cell.n), dtype),
        bias=np.zeros(cell.n if cell.kind == "linear" else 0, dtype),
    )


def fill_normal(problem: Problem, rng: np.random.Generator) -> None:
    """The data that is timed: full mantissas, nothing subnormal.

    A layer's weights have the spread of an initialised network, so that its outputs are of order one: far
    below it GELU's results are subnormal, which takes the CPU a hundred cycles each.
    """
    for array in (problem.a, problem.b, problem.bias):
        rng.standard_normal(dtype=array.dtype.type, out=array)
    if problem.cell.kind == "linear":
        np.divide(problem.b, np.sqrt(problem.cell.k), out=problem.b)


def cells(threads: Iterable[int], quick: bool = False, only: str = "") -> list[Cell]:
    """All cells in the order they run: largest last, so that a slow machine loses only those."""
    grid = QUICK_GRID if quick else GRID
    layers = QUICK_LINEAR if quick else LINEAR
    sweep = QUICK_SWEEP if quick else SWEEP
    squares = {(n, n, n) for n in sweep}
    found = []
    for count in threads:
        for dtype in DTYPES:
            for m, n, k in [*grid, *sorted(squares - set(grid))]:
                shape = (m, n, k)
                found.append(Cell("matmul", m, n, k, dtype, count, shape in grid, shape in squares))
            found += [Cell("linear", m, n, k, dtype, count) for m, n, k in layers]
    found.sort(key=lambda cell: cell.flops > 2 * 2048**3)  # stable
    return [cell for cell in found if only in cell.label]
