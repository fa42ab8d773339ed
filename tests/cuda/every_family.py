"""All families of kernels in one table, and a plan of one carried out in the emulator."""

import math
from dataclasses import dataclass

import device
import ml_dtypes
import numpy as np
from device import A100, H200

from fastla.cuda import doubles, gemm, halves, hopper, launch, plan, vectors

IN_COLUMNS = ("row_scale", "row_bias")  # numbers of rows
IN_ROWS = ("col_scale", "bias")


@dataclass(frozen=True)
class Family:
    """Of plans, whose names begin so; `parts`: those that divide K; `like_another`: what follows the sums is
    another one's code, with the same numbers in it."""

    name: str
    kind: str
    gpu: launch.Device = A100
    precision: str = "highest"
    parts: bool = False
    like_another: bool = False

    @property
    def dtype(self):
        """Of what is multiplied."""
        return np.dtype(getattr(ml_dtypes, self.kind, self.kind))

    @property
    def wide(self):
        """The dtype in which sums go through the steps."""
        return np.dtype("float64" if self.kind == "float64" else "float32")

    @property
    def first(self):
        return self.name.split()[0]

    @property
    def has_contracts_bits(self):
        return self.first in ("exact", "vectors")

    @property
    def tile(self):
        """Rows and columns."""
        if self.first == "hopper":
            cols = int((*self.name.split(), 128)[2])
            return hopper.ROWS * hopper.HopperTile(0, cols, False, False).cluster, cols
        return {"exact": lambda: (gemm.EXACT_TILES[self.kind].rows, gemm.EXACT_TILES[self.kind].cols),
                "doubles": lambda: (doubles.TILE.rows, doubles.TILE.cols),
                "halves": lambda: (halves.ROWS, halves.COLS),
                "vectors": lambda: (vectors.THREADS, vectors.THREADS)}[self.first]()

    @property
    def least_k(self):
        """Products of nothing are another family's, if there is one."""
        return int(self.first == "hopper" and self.dtype.kind not in "iu")

    @property
    def k(self):
        """Steps that are no multiple of anything; of parts, enough for two."""
        return 128 // self.dtype.itemsize + 9 if self.parts else 21

    def __str__(self):
        return f"{self.name}{' parts' * self.parts}{' high' * (self.precision == 'high')}"


_HALVES = ("f16", "float16"), ("bf16", "bfloat16")
TABLE = (
    *(Family(f"exact {kind}", kind, precision="exact") for kind in ("float32", "float64")),
    Family("doubles narrow", "float64"),
    Family("doubles wide", "float64", H200, like_another=True),
    *(Family(f"vectors {kind}", kind, precision="exact") for kind in ("float32", "float64")),
    *(Family(f"vectors {kind}", kind, precision="fast", like_another=True) for _, kind in _HALVES),
    Family("halves float16", "float16"),
    Family("halves bfloat16", "bfloat16", like_another=True),
    Family("hopper f16 64", "float16", H200),
    Family("hopper bf16 64", "bfloat16", H200, like_another=True),
    *(Family(f"hopper {ptx} 256", kind, H200, like_another=True) for ptx, kind in _HALVES),
    Family("hopper tf32", "float32", H200, "tf32"),
    Family("hopper tf32", "float32", H200, "high", like_another=True),
    Family("hopper s8", "int8", H200),
    Family("hopper u8", "uint8", H200, like_another=True),
    Family("hopper e4m3", "float8_e4m3fn", H200),
    Family("hopper e5m2", "float8_e5m2", H200, like_another=True),
    Family("hopper bf16 64", "bfloat16", H200, "fast", parts=True),
    Family("hopper e4m3", "float8_e4m3fn", H200, "fast", parts=True, like_another=True),
)


def layout(x):
    """How a matrix or a stack of them lies."""
    following = x.strides[0] if x.ndim == 3 else 0
    return plan.Layout(x.dtype.name, (*x.strides[-2:], following), math.gcd(16, x.ctypes.data))


def plans(family, a, b, out, **steps):
    """Of the family, for the epilogue of A B; and what else they read, in the order of their addresses."""
    (m, k), n = a.shape[-2:], b.shape[-1]
    numbers, read = {}, {}
    for name, x in steps.items():
        if not isinstance(x, np.ndarray):
            numbers[name] = x
            continue
        x = x[..., :, None] if name in IN_COLUMNS else x[..., None, :] if name in IN_ROWS else x
        read[name] = np.broadcast_to(x, out.shape)
    asked = plan.Steps(**numbers, operands=tuple((name, layout(x)) for name, x in read.items()))
    in_place = any(x.ctypes.data == out.ctypes.data for x in read.values())
    count = len(out) if out.ndim == 3 else 1
    desc = plan.Desc(m, n, k, count, family.kind, *map(layout, (a, b, out)), asked, in_place,
                     family.precision)
    found = [p for p in plan.candidates(desc, family.gpu)
             if p.name.startswith(family.name) and bool(p.after) == family.parts]
    return found, list(read.values())


def product(family, a, b, out, which=0, seed=0, switching=0.0, **steps):
    """The epilogue of A B by one of the family's plans, in `out`."""
    found, read = plans(family, a, b, out, **steps)
    assert found, f"no plan of {family} for {a.shape} {a.strides} times {b.shape} {b.strides}"
    chosen = found[which % len(found)]
    memory = device.Memory(seed, switching)

    def start(variant, grid, arguments):
        assert variant.shared_bytes <= family.gpu.shared_bytes
        memory.launch(device.kernel(variant), grid, variant.threads, variant.shared_bytes, arguments,
                      variant.cluster)

    def room(size):
        return memory.add(device.aligned(np.full(size, 0xFF, np.uint8))) if size else 0

    places = [memory.add(x) for x in (a, b)]
    for i, (copy, size) in enumerate(zip(chosen.copies, chosen.copy_bytes, strict=True)):
        given, places[i] = places[i], room(size) or places[i]
        if copy is not None:
            start(copy.variant, copy.grid, copy.arguments(places[i], given))
    addresses = (*places, memory.add(out), room(chosen.partial_bytes), *(memory.add(x) for x in read))
    start(chosen.variant, chosen.grid, chosen.arguments(*addresses))
    if chosen.after is not None:
        then, grid, arguments = chosen.after
        start(then, grid, arguments(*addresses))
    return chosen
