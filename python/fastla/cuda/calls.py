"""What kernels are called with: made once for a plan, but for the addresses, which differ between calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numba.cuda import types

from . import epilogue
from .copies import Copy, Layout
from .launch import Arguments
from .problem import SIZES, VECTOR, Desc

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
    partial: str | None = None,
    transposed: bool = False,
    operands: Callable[[int, int], tuple[Any, ...]] = lambda a, b: (a, b),
) -> Arguments:
    """What makes a kernel's arguments of addresses: of A, B, C, the workspace, and what the steps read.

    `constants` are those between the operands and the epilogue; `partial` is the dtype of totals in a
    workspace. transposed: the kernel's rows are C's columns; steps keep their
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
        size = SIZES[partial]
        totals = Layout(partial, (desc.n * size, size, desc.m * desc.n * size))
        named["partial"] = operand(totals, epilogue.PARTIAL)
    template = epilogue.Epilogue(
        operand(desc.c, epilogue.OUT),
        sums=SUMS.get(desc.kind, "float32"),
        alpha=desc.steps.alpha,
        beta=desc.steps.beta,
        activation=desc.steps.activation or "none",
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
    return Arguments(made, (*sides, out, workspace, *read), None if any(sides) else operands)


def arguments_of_copy(copy: Copy) -> Arguments:
    """Of addresses: where to, and from where."""
    return Arguments(copy.arguments(0, 0), ((0,), (1,)))


SUMS = {"float64": "float64", "int8": "int32", "uint8": "int32"}  # else float32
