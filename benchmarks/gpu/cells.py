"""What is checked and measured on a GPU, and what is asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

HALVES = ("bfloat16", "float16")
SIZES = {"float64": 8, "float32": 4, "int32": 4, "int8": 1, "float8_e4m3fn": 1, "bfloat16": 2, "float16": 2}
SUBJECT, CUBLAS = "fastla", "cuBLAS"


@dataclass(frozen=True)
class Cell:
    """C = A B, or of kind "linear" gelu_tanh(x w^T + bias) with w of shape (n, k).

    Of each operand, A and B, `layout` says whether rows are contiguous, n, or columns, t.
    """

    kind: str
    m: int
    n: int
    k: int
    dtype: str
    count: int = 1
    precision: str = "highest"
    layout: str = "nn"

    @property
    def shape(self) -> str:
        stack = f"{self.count} x " if self.count > 1 else ""
        layer = "linear+gelu " if self.kind == "linear" else ""
        layout = f" {self.layout}" if self.kind != "linear" and self.layout != "nn" else ""
        return f"{layer}{stack}{self.m}x{self.n}x{self.k}{layout}"

    @property
    def numbers(self) -> str:
        return self.dtype + (f" {self.precision}" if self.precision != "highest" else "")

    @property
    def label(self) -> str:
        return f"{self.numbers} {self.shape}"

    @property
    def flops(self) -> int:
        """Those of the product; bias and activation are not counted."""
        return 2 * self.m * self.n * self.k * self.count

    @property
    def bytes(self) -> int:
        inputs = (self.m * self.k + self.k * self.n) * SIZES[self.dtype]
        return (inputs + self.m * self.n * SIZES[self.out_dtype]) * self.count

    @property
    def out_dtype(self) -> str:
        return {"int8": "int32", "float8_e4m3fn": "bfloat16"}.get(self.dtype, self.dtype)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def product(shape: tuple[int, int, int], dtype: str, **more: Any) -> Cell:
    return Cell("matmul", *shape, dtype, **more)


LAYERS = (32768, 1024, 1024)  # 68.7 GFLOP: a projection of 32,768 tokens
SQUARE = {n: (n, n, n) for n in (8192, 4096, 1000, 512)}
SHAPES = (
    SQUARE[8192], SQUARE[4096], (4096, 16384, 4096), LAYERS, (8192, 8192, 128), SQUARE[1000], SQUARE[512]
)  # fmt: skip


def table() -> list[Cell]:
    """The final table. What a short time leaves out stands at the end."""
    found = []
    for dtype in HALVES:
        found += [product(shape, dtype) for shape in SHAPES]
        found += [product((512, 512, 64), dtype, count=64), Cell("linear", *LAYERS, dtype, layout="nt")]
    for precision in ("exact", "high"):
        shapes = (SQUARE[4096], LAYERS, SQUARE[1000])
        found += [product(shape, "float32", precision=precision) for shape in shapes]
    for precision in ("exact", "highest"):
        found += [product(SQUARE[n], "float64", precision=precision) for n in (4096, 1000)]
    found += [product(SQUARE[8192], "int8", layout="nt"), product(SQUARE[8192], "float8_e4m3fn", layout="nt")]
    found += [product(SQUARE[8192], "bfloat16", layout=layout) for layout in ("nt", "tn", "tt")]
    found += [Cell("linear", *LAYERS, "float32", precision="exact", layout="nt")]
    return found


def tuned() -> list[Cell]:
    """Of the table what has plans to choose from."""
    dtypes = (*HALVES, "float32", "float64")
    return [cell for cell in table() if cell.dtype in dtypes]


RAGGED = (
    (1, 1, 1), (127, 129, 131), (257, 255, 513), (64, 200, 1), (3, 700, 1100), (700, 3, 1100), (130, 70, 0),
    (1000, 1000, 1000),
)  # fmt: skip
LARGE = (SQUARE[4096], (33000, 520, 1032), (8192, 8192, 128))
LAYOUTS = ("nn", "nt", "tn", "tt")
PRECISIONS = {"float32": ("exact", "high"), "float64": ("exact", "highest"), "float16": ("highest", "exact")}


def checked() -> Iterator[Cell]:
    """In all four layouts each."""
    for dtype in (*HALVES, "float32", "float64"):
        for precision in PRECISIONS.get(dtype, ("highest",)):
            for shape in RAGGED:
                yield product(shape, dtype, precision=precision)
            yield product((33, 65, 130), dtype, precision=precision, count=5)
            if (dtype, precision) == ("float16", "exact"):
                continue  # float32's product, and copies
            yield Cell("linear", 130, 257, 513, dtype, precision=precision, layout="nt")
            for shape in LARGE:
                yield product(shape, dtype, precision=precision)


def in_layouts(cell: Cell) -> list[Cell]:
    if cell.kind == "linear":
        return [cell]
    return [replace(cell, layout=layout) for layout in LAYOUTS]


# Of float32 and float64 by precision. Exact sums keep to one order, and have no tensor cores.
_TARGETS = {
    ("float32", "exact"): 0.95, ("float32", "high"): 1.8, ("float64", "exact"): 0.45,
    ("float64", "highest"): 0.9,
}  # fmt: skip


def target(cell: Cell) -> float:
    """The least speed ratio that is asked for: to cuBLAS, of a layer to the fastest of PyTorch's. Of 16 bits
    the geometric mean is to be 1."""
    if cell.kind == "linear" and cell.dtype in HALVES:
        return 1.05
    if cell.dtype in HALVES:
        return 0.93
    return _TARGETS.get((cell.dtype, cell.precision), 1.0)
