"""Datasheets: dense TFLOP/s by device and dtype, and the memory's GB/s: the roof of a product."""

from __future__ import annotations

import re

from benchmarks.gpu.cells import Cell

# Words of a device's name, and its rates, in the order of KINDS.
DEVICES: tuple[tuple[str, tuple[float, ...]], ...] = (
    ("B200", (2250, 1100, 75, 37, 37, 4500, 8000)),
    ("GH200", (990, 494, 67, 34, 67, 1979, 4000)),
    ("H200 NVL", (836, 418, 60, 30, 60, 1671, 4800)),
    ("H200", (989, 495, 67, 34, 67, 1979, 4800)),
    ("H100 PCIe", (756, 378, 51, 26, 51, 1513, 2000)),
    ("H100 NVL", (836, 418, 60, 30, 60, 1671, 3900)),
    ("H100", (989, 495, 67, 34, 67, 1979, 3350)),
    ("A100", (312, 156, 19.5, 9.7, 19.5, 624, 2039)),
    ("A30", (165, 82, 10.3, 5.2, 10.3, 330, 933)),
    ("A40", (149.7, 74.8, 37.4, 0.58, 0.58, 299.3, 696)),
    ("L40S", (362, 183, 91.6, 1.4, 1.4, 733, 864)),
    ("L4", (121, 60, 30.3, 0.49, 0.49, 242, 300)),
    ("RTX 4090", (165.2, 82.6, 82.6, 1.29, 1.29, 660.6, 1008)),
    ("RTX 3090", (71, 35.6, 35.6, 0.56, 0.56, 284, 936)),
)
KINDS = ("half", "tf32", "float32", "float64", "dmma", "byte", "memory")


def kind_of(cell: Cell) -> str:
    """What computes the cell at best. 3xTF32 takes three products of TF32."""
    if cell.dtype == "float32":
        return {"tf32": "tf32", "high": "high"}.get(cell.precision, "float32")
    if cell.dtype == "float64":
        return "float64" if cell.precision == "exact" else "dmma"
    return "byte" if cell.dtype in ("int8", "float8_e4m3fn") else "half"


def roof(device: str, cell: Cell) -> float | None:
    """TFLOP/s that the datasheet allows, or the memory for operands that are in no cache.

    None where the device is not known here.
    """
    for words, rates in DEVICES:
        if all(re.search(rf"\b{word}\b", device) for word in words.split()):
            known = dict(zip(KINDS, rates, strict=True))
            rate = {**known, "high": max(known["tf32"] / 3, known["float32"])}[kind_of(cell)]
            return min(rate, cell.flops / cell.bytes * known["memory"] / 1e3)
    return None
