"""An epilogue as kernels get it: a tuple of integers, and where in memory its operands are."""

from __future__ import annotations

from typing import Any

from numba.cuda import types

from .ptx import I32, I64, instruction, literals

# Places in an epilogue. Of an operand: address (0: there is none); bytes from a row, a column and a product
# of a stack to the next; dtype.
ROW, COL, NEXT, DTYPE, _EACH = range(1, 6)
OUT, PARTIAL, ROW_SCALE, COL_SCALE, C, BIAS, ROW_BIAS, GATE, RESIDUAL, _END = range(0, 10 * _EACH, _EACH)
# Bytes from the first of several partial sums to the next; numbers as a float64's bits; whether groups of
# sums find vectors in memory; whether rows of C are nearer to each other than columns.
PARTIAL_APART, ALPHA, BETA, ACTIVATION, VECTORS, ROWS_FOLLOW, LENGTH = range(_END, _END + 7)
TYPE = types.UniTuple(types.int64, LENGTH)


def place_of(builder: Any, e: Any, which: int, row: Any, col: Any, item: Any) -> Any:
    """The address of an operand's element."""
    at = builder.extract_value(e, which)
    for index, stride in ((row, ROW), (col, COL), (item, NEXT)):
        at = builder.add(at, builder.mul(index, builder.extract_value(e, which + stride)))
    return at


def is_there(builder: Any, e: Any, which: int) -> Any:
    return builder.icmp_signed("!=", builder.extract_value(e, which), I64(0))


def dtype_of(builder: Any, e: Any, which: int) -> Any:
    return builder.trunc(builder.extract_value(e, which + DTYPE), I32)


def place_model(thread: Any, e: Any, which: int, row: int, col: int, item: int) -> int:
    return int(e[which] + row * e[which + ROW] + col * e[which + COL] + item * e[which + NEXT])


@instruction(place_model)
def place(context: Any, e: Any, which: Any, row: Any, col: Any, item: Any) -> Any:
    """The address of an operand's element."""
    if not literals(which):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return place_of(builder, args[0], which.literal_value, *args[2:])

    return types.uint64(e, which, types.int64, types.int64, types.int64), generate


@instruction(lambda thread, e, which: e[which + DTYPE])
def stored_as(context: Any, e: Any, which: Any) -> Any:
    """An operand's dtype."""
    if not literals(which):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return dtype_of(builder, args[0], which.literal_value)

    return types.int32(e, which), generate
