"""What kernels are called with: made once for a plan, but for the addresses, which differ between calls."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from numba.cuda import types

from . import epilogue
from .copies import Copy, Layout
from .launch import Arguments
from .problem import NO_STEPS, SIZES, VECTOR, Desc

PLACES = {
    "row_scale": epilogue.ROW_SCALE, "col_scale": epilogue.COL_SCALE, "c": epilogue.C, "bias": epilogue.BIAS,
    "row_bias": epilogue.ROW_BIAS, "gate": epilogue.GATE, "residual": epilogue.RESIDUAL,
}
SOMEWHERE = 1 << 32


def signature(constants: int) -> tuple[object, ...]:
    """Addresses of A and B, integers, an epilogue."""
    return (types.uint64, types.uint64, *[types.int64] * constants, epilogue.TYPE)


def somewhere(layout: Layout, place: int = 0) -> int:
    """An address that is as well aligned as the layout's."""
    return SOMEWHERE * (place + 1) + layout.alignment % VECTOR


def arguments_of(
    desc: Desc,
    constants: Sequence[int],
    partial: Layout | None = None,
    apart: int = 0,
    transposed: bool = False,
    operands: Callable[[int, int], tuple[Any, ...]] = lambda a, b: (a, b),
) -> Arguments:
    """What makes a kernel's arguments of addresses: of A, B, C, the workspace, and what the steps read.

    `constants` are those between the operands and the epilogue; `partial` is how totals lie in a workspace,
    `apart` bytes from one part to the next. transposed: the kernel's rows are C's columns; steps keep their
    order. `operands` makes the first arguments.
    """

    def operand(layout: Layout, place: int) -> epilogue.Operand:
        row, col, following = layout.strides
        if transposed:
            row, col = col, row
        return epilogue.Operand(somewhere(layout, place), row, col, following, layout.dtype)

    places: list[int] = []
    named: dict[str, Any] = {}
    for name, layout in desc.steps.operands:
        places.append(PLACES[name])
        named[name] = operand(layout, PLACES[name])
    if partial is not None:
        named["partial"] = operand(partial, epilogue.PARTIAL)
    template = epilogue.Epilogue(
        operand(desc.c, epilogue.OUT),
        sums=SUMS.get(desc.kind, "float32"),
        alpha=desc.steps.alpha,
        beta=desc.steps.beta,
        activation=desc.steps.activation or "none",
        partial_apart=apart,
        **named,
    ).arguments()
    first = operands(SOMEWHERE, 2 * SOMEWHERE)
    begin = len(first) + len(constants)
    out: tuple[int, ...] = (begin + epilogue.OUT,)
    workspace: tuple[int, ...] = (begin + epilogue.PARTIAL,)
    if partial is None and template[epilogue.PARTIAL] != 0:
        out, workspace = out + workspace, ()
    sides = [tuple(i for i, x in enumerate(first) if x == SOMEWHERE * at) for at in (1, 2)]
    read = [(begin + place,) for place in places]
    made = (*([0] * len(first)), *constants, *template)
    maps = None if any(sides) or not first else operands
    return Arguments(made, (*sides, out, workspace, *read), maps)


def totals_of(desc: Desc, dtype: str, parts: int = 1) -> Layout:
    """How totals of C, or so many parts of them, lie in a workspace."""
    size = SIZES[dtype]
    return Layout(dtype, (desc.n * size, size, parts * desc.m * desc.n * size))


def arguments_in_parts(
    desc: Desc, constants: Sequence[int], parts: int, operands: Callable[[int, int], tuple[Any, ...]]
) -> tuple[Arguments, Arguments]:
    """Of a kernel that leaves so many float32 parts of sums in the workspace, as products of their own; and
    of the one that adds them (partial_sums.py)."""
    alone = dataclasses.replace(desc, c=totals_of(desc, "float32"), steps=NO_STEPS)
    first = arguments_of(alone, constants, operands=operands)
    a, b, out, _ = first.places
    unread: list[tuple[int, ...]] = [()] * len(desc.steps.operands)
    leaving = Arguments(first.template, (a, b, (), out, *unread), first.maps)
    waiting, apart = totals_of(desc, "float32", parts), desc.m * desc.n * 4
    shape = (desc.m, desc.n, parts)
    return leaving, arguments_of(desc, shape, waiting, apart, operands=lambda a, b: ())


def arguments_of_copy(copy: Copy) -> Arguments:
    """Of addresses: where to, and from where."""
    return Arguments(copy.arguments(0, 0), ((0,), (1,)))


SUMS = {"float64": "float64", "int8": "int32", "uint8": "int32"}  # else float32
