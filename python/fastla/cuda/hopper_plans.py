"""Plans of Hopper's kernels (hopper.py)."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

from . import hopper, partial_sums, splits
from .calls import arguments_in_parts, arguments_of, somewhere
from .copies import Layout
from .float8 import E4M3, E5M2
from .launch import Device, Variant
from .numbers import BFLOAT16, FLOAT16
from .problem import VECTOR, Desc, Operand, Plan, copied, cycles, finished
from .tensor_map import LARGEST_EXTENT
from .tiles import grid
from .warpgroups import FLOAT8_E4M3, FLOAT8_E5M2, INT8, KINDS, TFLOAT32, UINT8

_KINDS = {"float16": FLOAT16, "bfloat16": BFLOAT16, "float32": TFLOAT32, "int8": INT8, "uint8": UINT8}
_KINDS |= {E4M3: FLOAT8_E4M3, E5M2: FLOAT8_E5M2}
_OTHERS_COLS = 128  # of a tile, of all but float16 and bfloat16


@functools.cache
def _variant(tile: hopper.HopperTile) -> Variant:
    lie = " ".join("lines" if follow else "steps" for follow in (tile.a_follow, tile.b_follow))
    name = f"hopper {KINDS[tile.kind].ptx} {tile.cols} {lie}"
    make = functools.partial(hopper.hopper_kernel, tile)
    return Variant(
        name, make, tuple(hopper.SIGNATURE), hopper.THREADS, tile.shared_bytes, (0, 1), tile.cluster
    )


def variants() -> Iterator[Variant]:
    """All of them."""
    for kind in _KINDS.values():
        free = KINDS[kind].any_direction
        for cols in hopper.COLS if free else (_OTHERS_COLS,):
            for a in (False, True) if free else (False,):
                for b in (False, True) if free else (False,):
                    yield _variant(hopper.HopperTile(kind, cols, a, b))


def _placed(desc: Desc, x: Operand, address: int) -> hopper.Operand:
    lines = (desc.m, desc.n)[x.lines_at]
    return hopper.Operand(address, lines, desc.k, desc.count, x.line, x.step, x.following)


def _way(desc: Desc, lines_at: int) -> tuple[Operand, bool]:
    """An operand as it lies, or its copy; whether its lines are contiguous."""
    layout, kind = (desc.a, desc.b)[lines_at], _KINDS[desc.kind]
    if layout.dtype == desc.kind and desc.k > 0:
        given = Operand(layout, lines_at)
        at = _placed(desc, given, somewhere(layout))
        for follow in (False, True):
            if at.tensor_map(kind, follow, 1) is not None:
                return given, follow
    return copied(desc, layout, lines_at, lines_follow=False), False


def _in_parts(desc: Desc, lines_at: int) -> Operand:
    """An operand as splits.py has it, three times as many steps."""
    layout, lines = (desc.a, desc.b)[lines_at], (desc.m, desc.n)[lines_at]
    pitch = -(-splits.PARTS * desc.k * 4 // VECTOR) * VECTOR
    following = pitch * lines if layout.strides[2] else 0
    count = desc.count if following else 1
    row, col = (pitch, 4) if lines_at == 0 else (4, pitch)
    made = splits.split((count, lines, desc.k), layout, lines_at, (pitch, following))
    return Operand(Layout("float32", (row, col, following)), lines_at, layout, pitch * lines * count, made)


def takes(desc: Desc, device: Device) -> bool:
    """Whether there are kernels for it."""
    if device.compute_capability != (9, 0) or desc.kind not in _KINDS:
        return False
    if desc.k == 0 and not KINDS[_KINDS[desc.kind]].whole:  # which no other kernel multiplies
        return False
    if desc.kind == "float32" and desc.precision not in ("tf32", "high"):
        return False
    return max(desc.m, desc.n, splits.PARTS * desc.k, desc.count) < LARGEST_EXTENT


def on_hopper(desc: Desc, device: Device) -> Iterator[Plan]:
    """float32 only where it may be cut to 11 bits, or (high) to two times 11; integers' sums are int32."""
    if not takes(desc, device):
        return
    kind = _KINDS[desc.kind]
    what = KINDS[kind]
    asked = desc
    if desc.precision == "high" and desc.kind == "float32":
        if desc.a.dtype != "float32" or desc.b.dtype != "float32":
            return
        a, b = ((_in_parts(desc, i), False) for i in range(2))
        desc = dataclasses.replace(desc, k=splits.PARTS * desc.k)
    else:
        a, b = _way(desc, 0), _way(desc, 1)
    for cols in hopper.COLS if what.any_direction else (_OTHERS_COLS,):
        tile = hopper.HopperTile(kind, cols, a[1], b[1])
        sides = (hopper.ROWS * tile.cluster, cols)
        tiles = grid(desc.m, desc.n, desc.count, *sides)[0]
        blocks = min(tiles, device.multiprocessors // tile.cluster) * tile.cluster
        # Both warpgroups read their own rows and all columns.
        l1 = (hopper.ROWS + 2 * cols) * what.size / 128
        rate = 4096 / what.size
        product, whole_product = (
            cycles(desc, device, sides, rate, l1, 1, copied_bytes, tile.cluster)
            for copied_bytes in (0, a[0].bytes + b[0].bytes)
        )
        constants = _constants(desc, tile, a[0], b[0], 1)
        whole = finished(
            asked,
            _variant(tile),
            (blocks, 1, 1),
            a[0],
            b[0],
            arguments_of(desc, constants, operands=_maps(desc, tile, a[0], b[0])),
            0,
            whole_product,
        )
        yield whole
        stages = -(-desc.k // what.box)
        parts = min(device.multiprocessors // (tiles * tile.cluster), stages // _LEAST_STAGES, _MOST_PARTS)
        if parts > 1 and not what.whole and desc.precision != "highest":
            yield _in_parts_of_k(desc, device, tile, (a[0], b[0]), whole, tiles, parts, product)


_LEAST_STAGES, _MOST_PARTS = 4, 16  # of a part; of K
_LAUNCH, _BYTES = 3000.0, 20.0  # cycles of another kernel; of a multiprocessor in a cycle


def _in_parts_of_k(
    desc: Desc,
    device: Device,
    tile: hopper.HopperTile,
    sides: tuple[Operand, Operand],
    whole: Plan,
    tiles: int,
    parts: int,
    product: float,
) -> Plan:
    """The plan with K in parts, for multiprocessors that would have no tile."""
    constants = _constants(desc, tile, *sides, parts)
    leaving, adding = arguments_in_parts(desc, constants, parts, _maps(desc, tile, *sides))
    results = desc.m * desc.n * desc.count * 4
    added = grid(desc.m, desc.n, desc.count, partial_sums.TALL, partial_sums.COLS)
    more = (2 * parts + 1) * results / _BYTES / device.multiprocessors + _LAUNCH
    return dataclasses.replace(
        whole,
        name=f"{whole.name}, K in {parts}",
        grid=(tiles * parts * tile.cluster, 1, 1),
        arguments=leaving,
        partial_bytes=results * parts,
        cycles=whole.cycles - product + product / parts + more,
        after=(partial_sums.variant(), added, adding),
    )


def _constants(desc: Desc, tile: hopper.HopperTile, a: Operand, b: Operand, parts: int) -> tuple[int, ...]:
    following = (int(desc.count > 1 and x.following != 0) for x in (a, b))
    each = hopper.stages_each(tile.kind, desc.k, parts)
    return desc.m, desc.n, desc.k, *following, desc.count, parts, each


def _maps(
    desc: Desc, tile: hopper.HopperTile, a: Operand, b: Operand
) -> Callable[[int, int], tuple[Any, ...]]:
    @functools.lru_cache(maxsize=64)
    def maps(a_address: int, b_address: int) -> tuple[Any, ...]:
        return hopper.tensor_maps(tile, _placed(desc, a, a_address), _placed(desc, b, b_address))

    return maps
