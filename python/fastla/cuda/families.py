"""The families of kernels: each yields plans for what it can compute on a device. FAMILIES has them all.

Here are those of any GPU.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator

from . import copies, doubles, gemm, halves, hopper_plans, partial_sums, rings, splits, vector_plans
from .calls import arguments_of, signature, totals_of
from .copies import Layout
from .float8 import FLOAT8
from .hopper_plans import on_hopper
from .launch import Device, Variant
from .numbers import BFLOAT16, FLOAT16
from .problem import SIZES, VECTOR, Desc, Operand, Plan, copied, cycles, finished
from .tiles import grid
from .vector_plans import by_vectors

_FULL_RATE = ((8, 0), (9, 0), (10, 0))  # where float64 is half as fast as float32


# --- float32 and float64, by chains of fused multiply-adds or by tensor cores ------------------------------

@functools.cache
def _exact_variant(dtype: str, small: bool) -> Variant:
    tile = (gemm.SMALL_TILES if small else gemm.EXACT_TILES)[dtype]
    make = functools.partial(gemm.exact_kernel, dtype, small=small)
    name = f"exact {dtype}{' small' if small else ''}"
    return Variant(name, make, signature(rings.INTEGERS), tile.threads, tile.shared_bytes)


@functools.cache
def _doubles_variant(wide: int) -> Variant:
    make = functools.partial(doubles.doubles_kernel, rings.EITHER, rings.EITHER, wide)
    tile = doubles.TILE
    name = f"doubles {'wide' if wide else 'narrow'}"
    return Variant(name, make, signature(rings.INTEGERS), tile.threads, tile.shared_bytes)


def _ring_ways(desc: Desc, layout: Layout, lines_at: int) -> Iterator[tuple[Operand, int, float]]:
    """Operands, their orders, and what an element costs: where they are, and copied so that vectors can be
    read."""
    size = SIZES[desc.kind]
    if layout.dtype == desc.kind:
        given = Operand(layout, lines_at)
        if given.lines_follow:
            yield given, rings.VECTORS, size / VECTOR
            return
        near = desc.k == 1 or abs(given.step) <= size
        yield given, rings.STEPS, 1 if near else 4
    yield copied(desc, layout, lines_at, lines_follow=True), rings.VECTORS, size / VECTOR


def _in_rings(
    desc: Desc,
    device: Device,
    tile: rings.Tile,
    variant: Variant,
    rate: float,
    shared: float,
    at_once: int = 1,
    partial: str | None = None,
) -> Iterator[Plan]:
    """Plans of a tile's kernel. `rate`: multiply-adds of a multiprocessor in a cycle; `shared`: bytes that
    are read of shared memory for a step; `at_once`: blocks of a multiprocessor."""
    partial_bytes = desc.count * desc.m * desc.n * SIZES[partial] if partial else 0
    sides = tile.rows, tile.cols
    for a, a_order, a_cost in _ring_ways(desc, desc.a, 0):
        for b, b_order, b_cost in _ring_ways(desc, desc.b, 1):
            constants = rings.integers(
                tile,
                (a_order, b_order),
                (desc.m, desc.n, desc.k),
                (a.line, a.step),
                (b.step, b.line),
                (a.following, b.following),
            )
            # A copy to shared memory takes 4 cycles of a warp.
            l1 = (tile.rows * a_cost + tile.cols * b_cost) / 8 + shared / 128
            yield finished(
                desc,
                variant,
                grid(desc.m, desc.n, desc.count, *sides),
                a,
                b,
                arguments_of(desc, constants, totals_of(desc, partial) if partial else None),
                partial_bytes,
                cycles(desc, device, sides, rate, l1, at_once, a.bytes + b.bytes),
            )


def by_tensor_cores(desc: Desc, device: Device) -> bool:
    """Whether float64 has them. Under highest nothing else computes it then: one order for all shapes."""
    return desc.kind == "float64" and device.compute_capability in _FULL_RATE


def exact(desc: Desc, device: Device) -> Iterator[Plan]:
    """The bits of docs/contract.md."""
    if desc.kind not in gemm.EXACT_TILES or (desc.precision == "highest" and by_tensor_cores(desc, device)):
        return
    rate = 128 if desc.kind == "float32" else 64 if device.compute_capability in _FULL_RATE else 2
    # Totals of several blocks of K wait in C, unless that is of another dtype or is read in the end.
    waits = desc.k > rings.BLOCK_LENGTH and (desc.in_place or desc.c.dtype != desc.kind)
    for small, tiles in enumerate((gemm.EXACT_TILES, gemm.SMALL_TILES)):
        tile = tiles[desc.kind]
        # A thread reads its lines of both operands; 16 neighbours of the large tile's the same rows.
        shared = (tile.rows + tile.cols) * tile.element_size * gemm.side(tile) / (1 if small else 2)
        variant = _exact_variant(desc.kind, bool(small))
        at_once = gemm.SMALL_AT_ONCE if small else 1
        yield from _in_rings(desc, device, tile, variant, rate, shared, at_once, desc.kind if waits else None)


def of_doubles(desc: Desc, device: Device) -> Iterator[Plan]:
    """float64 where its bits may be others."""
    if desc.precision == "exact" or not by_tensor_cores(desc, device):
        return
    wide = int(device.compute_capability >= (9, 0))
    tile = doubles.TILE
    # A row of warps reads a row of A, a column of them a column of B.
    shared = 8.0 * (tile.rows * doubles.ACROSS + tile.cols * tile.rows / doubles.WARP_ROWS)
    yield from _in_rings(desc, device, tile, _doubles_variant(wide), 128 if wide else 64, shared)


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
    """Sums in float32, in the hardware's order. float8, where it has no tensor cores, is float16."""
    if desc.kind in FLOAT8 and not hopper_plans.takes(desc, device):
        desc = dataclasses.replace(desc, kind="float16")
    if desc.kind not in _KINDS or (desc.precision == "highest" and hopper_plans.takes(desc, device)):
        return  # whose order of sums is another one
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
    "doubles": of_doubles,
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
    **dict.fromkeys(FLOAT8, _OF_FLOAT32),
}


def shipped() -> Iterator[tuple[Variant, tuple[tuple[int, int], ...]]]:
    """All kernels, each with the compute capabilities that it is tested for."""
    ampere, hopper_, both = ((8, 0),), ((9, 0),), ((8, 0), (9, 0))
    for dtype in gemm.EXACT_TILES:
        yield from ((_exact_variant(dtype, small), both) for small in (False, True))
    for wide, where in enumerate((ampere, hopper_)):
        yield _doubles_variant(wide), where
    for dtype in _KINDS:
        yield from ((_halves_variant(dtype, a, b), both) for a in (False, True) for b in (False, True))
    yield from ((variant, hopper_) for variant in hopper_plans.variants())
    yield from ((variant, both) for variant in vector_plans.variants())
    yield copies.variant(), both
    yield splits.variant(), hopper_
    yield partial_sums.variant(), hopper_
