"""The families of kernels: each yields plans for what it can compute on a device. FAMILIES has them all.

Here are those of any GPU.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator

from . import gemm, halves
from .calls import arguments_of, signature
from .copies import Layout
from .hopper_plans import on_hopper
from .launch import Device, Variant
from .numbers import BFLOAT16, FLOAT16
from .problem import SIZES, VECTOR, Desc, Operand, Plan, copied, cycles, finished
from .tiles import grid
from .vector_plans import by_vectors

_FULL_RATE = ((8, 0), (9, 0), (10, 0))  # where float64 is half as fast as float32


# --- float32 and float64 by chains of fused multiply-adds -------------------------------------------------

_ORDERS = {gemm.VECTORS: "vectors", gemm.LINES: "lines", gemm.STEPS: "steps"}


@functools.cache
def _exact_variant(dtype: str, a: int, b: int) -> Variant:
    name, tile = f"exact {dtype} {_ORDERS[a]} {_ORDERS[b]}", gemm.EXACT_TILES[dtype]
    make = functools.partial(gemm.exact_kernel, dtype, a, b)
    return Variant(name, make, signature(13), gemm.THREADS, tile.shared_bytes)


def _order(x: Operand, lines: int, steps: int) -> int:
    if x.lines_follow:
        return gemm.VECTORS
    line, step = (abs(s) if n > 1 else math.inf for s, n in ((x.line, lines), (x.step, steps)))
    return gemm.STEPS if step < line else gemm.LINES


def _exact_ways(desc: Desc, layout: Layout, lines_at: int) -> Iterator[tuple[Operand, int]]:
    """Operands and their orders: where they are, and copied so that vectors can be read."""
    if layout.dtype == desc.kind:
        given = Operand(layout, lines_at)
        yield given, _order(given, (desc.m, desc.n)[lines_at], desc.k)
        if given.lines_follow:
            return
    yield copied(desc, layout, lines_at, lines_follow=True), gemm.VECTORS


def exact(desc: Desc, device: Device) -> Iterator[Plan]:
    """The bits of docs/contract.md."""
    tile = gemm.EXACT_TILES.get(desc.kind)
    if tile is None:
        return
    size, sides = tile.element_size, (tile.rows, tile.cols)
    rate = 128 if desc.kind == "float32" else 64 if device.compute_capability in _FULL_RATE else 2
    # Totals of several blocks of K wait in C, unless that is of another dtype or is read in the end.
    waits = desc.k > gemm.BLOCK_LENGTH and (desc.in_place or desc.c.dtype != desc.kind)
    partial_bytes = desc.count * desc.m * desc.n * size if waits else 0
    for a, a_order in _exact_ways(desc, desc.a, 0):
        for b, b_order in _exact_ways(desc, desc.b, 1):
            constants = gemm.exact_integers(
                tile,
                (a_order, b_order),
                (desc.m, desc.n, desc.k),
                (a.line, a.step),
                (b.step, b.line),
                (a.following, b.following),
            )
            # A copy to shared memory takes 4 cycles of a warp; a thread reads its lines of both operands.
            orders = ((tile.rows, a_order), (tile.cols, b_order))
            fetched = sum(n * size / (VECTOR if order == gemm.VECTORS else size) for n, order in orders)
            l1 = fetched / 8 + sum(sides) * size * gemm.SIDE / 256
            yield finished(
                desc,
                _exact_variant(desc.kind, a_order, b_order),
                grid(desc.m, desc.n, desc.count, *sides),
                a,
                b,
                arguments_of(desc, constants, desc.kind if waits else None),
                partial_bytes,
                cycles(desc, device, sides, rate, l1, 1, a.bytes + b.bytes),
            )


# --- float16 and bfloat16 by tensor cores -----------------------------------------------------------------

_KINDS = {"float16": FLOAT16, "bfloat16": BFLOAT16}


@functools.cache
def _halves_variant(dtype: str, a_follow: bool, b_follow: bool) -> Variant:
    parts = halves.Layout(a_follow), halves.Layout(b_follow)
    name = " ".join(["halves", dtype, *("lines" if x.lines_follow else "steps" for x in parts)])
    make = functools.partial(halves.halves_kernel, _KINDS[dtype], *parts)
    return Variant(name, make, signature(9), halves.THREADS, halves.shared_bytes(*parts))


def _halves_way(desc: Desc, layout: Layout, lines_at: int) -> Operand:
    given = Operand(layout, lines_at)
    if layout.dtype == desc.kind and (given.steps_follow or given.lines_follow):
        return given
    lines_are_nearer = (desc.m, desc.n)[lines_at] > 1 and abs(given.line) < abs(given.step)
    return copied(desc, layout, lines_at, lines_are_nearer)


def on_tensor_cores(desc: Desc, device: Device) -> Iterator[Plan]:
    """Sums in float32, in the hardware's order."""
    if desc.kind not in _KINDS:
        return
    a, b = _halves_way(desc, desc.a, 0), _halves_way(desc, desc.b, 1)
    operands = (x for o in (a, b) for x in (o.line, o.step, o.following))
    constants = (desc.m, desc.n, desc.k, *operands)
    tile = (halves.ROWS, halves.COLS)
    l1 = sum(tile) * SIZES[desc.kind] * 3 / 128  # written once, read by two warps
    yield finished(
        desc,
        _halves_variant(desc.kind, not a.steps_follow, not b.steps_follow),
        grid(desc.m, desc.n, desc.count, *tile),
        a,
        b,
        arguments_of(desc, constants),
        0,
        cycles(desc, device, tile, 1024, l1, 2, a.bytes + b.bytes),
    )


FAMILIES: dict[str, Callable[[Desc, Device], Iterator[Plan]]] = {
    "exact": exact,
    "vectors": by_vectors,
    "halves": on_tensor_cores,
    "hopper": on_hopper,
}

# By the dtype that is multiplied: those of C that the kernels write.
_OF_FLOAT32 = {"float16", "bfloat16", "float32"}
WRITTEN = {
    "float32": _OF_FLOAT32,
    "float64": {"float16", "float32", "float64"},
    "float16": _OF_FLOAT32,
    "bfloat16": _OF_FLOAT32,
    "int8": {"int32"},
    "uint8": {"int32"},
}
