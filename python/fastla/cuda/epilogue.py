"""What happens to finished sums on their way to C: docs/contract.md, "The epilogue", for all kernels.

A kernel's last argument is an epilogue, a tuple of LENGTH integers, all of which are read at run time. The
sums of a warp go through a slice of shared memory that is its own, so that neighbouring threads have
neighbours in C.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass
from typing import Any, NamedTuple

from numba import cuda
from numba.cuda import float32, float64, int32, types, uint32, uint64

from .functions import ACTIVATIONS, NONE, activation
from .numbers import (
    DTYPES,
    FLOAT32,
    INT32,
    SIZES,
    add,
    bits_of,
    fma,
    load,
    load_one,
    multiply,
    rounded,
    store,
    store_vector,
)
from .ptx import anew, instruction, literals, load_shared

# Places in an epilogue. Of an operand: address (0: there is none); bytes from a row, a column and a product
# of a stack to the next; dtype.
ROW, COL, NEXT, DTYPE, _EACH = range(1, 6)
OUT, PARTIAL, ROW_SCALE, COL_SCALE, C, BIAS, ROW_BIAS, GATE, RESIDUAL, _END = range(0, 10 * _EACH, _EACH)
# Bytes from the first of several partial sums to the next; numbers as a float64's bits; whether all that is
# asked for is sums in vectors of 16 bytes; whether rows of C are nearer to each other than columns.
PARTIAL_APART, ALPHA, BETA, ACTIVATION, VECTORS, ROWS_FOLLOW, LENGTH = range(_END, _END + 7)
TYPE = types.UniTuple(types.int64, LENGTH)
_ONE = struct.unpack("q", struct.pack("d", 1.0))[0]


class Operand(NamedTuple):
    """A matrix, a vector or a number of an epilogue: strides in bytes, 0 where it is the same."""

    address: int = 0
    row: int = 0
    col: int = 0
    following: int = 0  # of a stack
    dtype: str = "float32"


_NOTHING = Operand()


@dataclass(frozen=True)
class Epilogue:
    """What becomes of the sums of a kernel, which are of type `sums`; and where they go.

    `partial`: where totals wait until the sum is complete, out itself if there is nothing else
    (`needs_workspace`), or several partial sums, `partial_apart` bytes from each other.
    """

    out: Operand
    sums: str = "float32"
    alpha: float = 1.0
    row_scale: Operand = _NOTHING
    col_scale: Operand = _NOTHING
    beta: float = 0.0
    c: Operand = _NOTHING
    bias: Operand = _NOTHING
    row_bias: Operand = _NOTHING
    activation: str = "none"
    gate: Operand = _NOTHING
    residual: Operand = _NOTHING
    partial: Operand = _NOTHING
    partial_apart: int = 0

    @property
    def operands(self) -> tuple[Operand, ...]:
        """What the sums meet, in that order. c is not read if beta is 0."""
        c = self.c if self.beta != 0 else _NOTHING
        return self.row_scale, self.col_scale, c, self.bias, self.row_bias, self.gate, self.residual

    def needs_workspace(self) -> bool:
        """Whether totals cannot wait in out: they are of another dtype, or what is there is an operand.

        Operands that overlap out otherwise are copied before.
        """
        there = any(x.address == self.out.address for x in self.operands)
        return there or self.out.dtype != self.sums

    def arguments(self) -> tuple[int, ...]:
        """What a kernel gets."""
        if self.sums == "float64" and self.out.dtype == "bfloat16":
            raise TypeError("float64 sums are not rounded to bfloat16")
        if self.out.dtype == "int32" and (self.sums != "int32" or self._steps()):
            raise TypeError(f"out is int32; {self.sums} sums, or more than sums, do not become that")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation is {self.activation!r}; there are {', '.join(ACTIVATIONS)}")
        partial = self.partial
        if not partial.address and not self.needs_workspace():
            partial = self.out
        places: list[int] = []
        for x in (self.out, partial, *self.operands):
            places += (*x[:-1], DTYPES[x.dtype])
        bits = struct.unpack("2q", struct.pack("2d", self.alpha, self.beta))
        which = ACTIVATIONS.index(self.activation)
        rows_follow = abs(self.out.row) < abs(self.out.col)
        return (*places, self.partial_apart, *bits, which, int(self._vectors()), int(rows_follow))

    def _steps(self) -> bool:
        """Whether more is asked for than sums."""
        return self.alpha != 1 or self.activation != "none" or any(x.address for x in self.operands)

    def _vectors(self) -> bool:
        size = SIZES[DTYPES[self.out.dtype]]
        vector = 16 // SIZES[DTYPES[self.sums]] * size
        narrower = self.out.dtype == self.sums or (self.sums == "float32" and size == 2)
        lines = self.out.address, self.out.row, self.out.following
        return not self._steps() and narrower and self.out.col == size and all(x % vector == 0 for x in lines)


def slice_pitch(cols: int, size: int) -> int:
    """Bytes from a row of a slice to the next: 32 more, so that a fragment's rows are in different banks."""
    return cols * size + 32


def _place_model(thread: Any, e: Any, which: int, row: int, col: int, item: int) -> int:
    return int(e[which] + row * e[which + ROW] + col * e[which + COL] + item * e[which + NEXT])


@instruction(_place_model)
def place(context: Any, e: Any, which: Any, row: Any, col: Any, item: Any) -> Any:
    """The address of an operand's element."""
    if not literals(which):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = builder.extract_value(args[0], which.literal_value)
        for i, stride in ((2, ROW), (3, COL), (4, NEXT)):
            bytes_apart = builder.extract_value(args[0], which.literal_value + stride)
            at = builder.add(at, builder.mul(args[i], bytes_apart))
        return at

    return types.uint64(e, which, types.int64, types.int64, types.int64), generate


@functools.cache
def finisher(dtype: str) -> Any:
    """The device function that carries out the epilogue of a slice, whose sums are of that dtype.

    int32: where out is int32 too they are stored, and nothing else is done; else they become float32.
    """
    whole = dtype == "int32"
    real = float64 if dtype == "float64" else float32
    size = SIZES[DTYPES[dtype]]
    lanes = 16 // size
    activate = activation("float64" if dtype == "float64" else "float32")

    @cuda.jit(device=True, inline="always")
    def value(e, which, row, col, item):  # type: ignore
        return load(place(e, which, row, col, item), int32(e[which + DTYPE]), real(0))

    @cuda.jit(device=True, inline="always")
    def finish(y, row, col, item, e):  # type: ignore
        if e[ALPHA] != _ONE:
            y = multiply(y, rounded(e[ALPHA], y))
        if e[ROW_SCALE] != 0:
            y = multiply(y, value(e, ROW_SCALE, row, col, item))
        if e[COL_SCALE] != 0:
            y = multiply(y, value(e, COL_SCALE, row, col, item))
        if e[C] != 0:
            y = fma(rounded(e[BETA], y), value(e, C, row, col, item), y)
        if e[BIAS] != 0:
            y = add(y, value(e, BIAS, row, col, item))
        if e[ROW_BIAS] != 0:
            y = add(y, value(e, ROW_BIAS, row, col, item))
        if e[ACTIVATION] != NONE:
            y = activate(y, e[ACTIVATION])
        if e[GATE] != 0:
            y = multiply(y, value(e, GATE, row, col, item))
        if e[RESIDUAL] != 0:
            y = add(y, value(e, RESIDUAL, row, col, item))
        return y

    @cuda.jit(device=True, forceinline=True)
    def finish_slice(  # type: ignore
        at, rows, cols, pitch, row, col, rows_left, cols_left, item, lane, parts, e
    ):
        """A warp's slice at that address of shared memory: rows x cols sums (powers of two; rows are `pitch`
        bytes apart), the first one at `row`, `col` of product `item`; of them exist `rows_left` and
        `cols_left`. To each are added the `parts` sums that wait in memory."""
        if e[VECTORS] != 0 and parts == 0 and cols_left >= cols:
            across = cols // lanes
            stored = int32(FLOAT32 if whole else e[OUT + DTYPE])
            values = cuda.local.array(lanes, real)
            for v in range((rows * across + 31) // 32):
                i = int32(anew(lane) + v * 32)
                r, c = i // across, i % across * lanes
                if r < rows_left:
                    item = anew(item)
                    load_shared(values, 1, 16, uint32(at + r * pitch + c * size))
                    store_vector(place(e, OUT, row + r, col + c, item), stored, values)
            return
        for v in range(rows * cols // 32):
            i = int32(anew(lane) + v * 32)
            r, c = i // cols, i % cols
            if e[ROWS_FOLLOW] != 0:
                r, c = i % rows, i // rows
            if r < rows_left and c < cols_left:
                item = anew(item)
                total = real(0)
                for part in range(parts):
                    begins = place(e, PARTIAL, row + r, col + c, item)
                    total = add(total, load(begins + uint64(part * e[PARTIAL_APART]),
                                            int32(e[PARTIAL + DTYPE]), total))
                y = load_one(uint32(at + r * pitch + c * size), total)
                stored = int32(e[OUT + DTYPE])
                if whole and stored == INT32:
                    stored = int32(FLOAT32)  # the same bits
                else:
                    y = add(total, float32(bits_of(y)) if whole else y)
                    y = finish(y, row + r, col + c, item, e)
                store(place(e, OUT, row + r, col + c, item), stored, y)

    return finish_slice
