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

import numpy as np
from numba import cuda
from numba.cuda import float32, float64, int32, uint32, uint64

from .functions import ACTIVATIONS, NONE, activation
from .groups import (
    ADD,
    IN_MEMORY,
    MULTIPLY,
    MULTIPLY_ADD,
    ROWS,
    divided,
    load_group,
    meet,
    meet_one,
    put_group,
    store_rows,
)
from .numbers import (
    DTYPES,
    FLOAT32,
    INT32,
    SIZES,
    add,
    bits_of,
    load,
    load_one,
    multiply,
    rounded,
    store,
)
from .places import (
    ACTIVATION,
    ALPHA,
    BETA,
    BIAS,
    COL,
    COL_SCALE,
    DTYPE,
    GATE,
    LENGTH,
    OUT,
    PARTIAL,
    PARTIAL_APART,
    RESIDUAL,
    ROW,
    ROW_BIAS,
    ROW_SCALE,
    ROWS_FOLLOW,
    TYPE,
    VECTORS,
    C,
    place,
    stored_as,
)
from .ptx import anew

__all__ = [
    "BIAS", "COL", "COL_SCALE", "DTYPE", "GATE", "LENGTH", "OUT", "PARTIAL", "RESIDUAL", "ROW", "ROW_BIAS",
    "ROW_SCALE", "TYPE", "VECTORS", "C", "Epilogue", "Operand", "finisher", "place", "slice_pitch",
]

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
        steps = self.alpha != 1 or self.activation != "none" or any(x.address for x in self.operands)
        if self.out.dtype == "int32" and (self.sums != "int32" or steps):
            raise TypeError(f"out is int32; {self.sums} sums, or more than sums, do not become that")
        if any(x.dtype == "int32" for x in self.operands):
            raise TypeError("an operand of an epilogue is int32; floating-point dtypes can be read")
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
        return (*places, self.partial_apart, *bits, which, int(self._vectors(partial)), int(rows_follow))

    def _vectors(self, partial: Operand) -> bool:
        """Whether groups of sums find vectors in out and in all that they meet."""
        row_scale, col_scale, c, bias, row_bias, gate, residual = self.operands
        across = col_scale, bias
        matrices = self.out, partial, c, gate, residual
        lie = [self._lies(x, self._lanes) for x in (*matrices, *across) if x.address]
        lie += [self._lies(x, 1) for x in (row_scale, row_bias) if x.address]
        return all(lie) and all(x.row == 0 for x in across) and self.partial_apart % 16 == 0

    @property
    def _lanes(self) -> int:
        return 16 // SIZES[DTYPES[self.sums]]

    def _lies(self, x: Operand, count: int) -> bool:
        """Whether so many neighbours in a row are a vector; or they are all one number."""
        size = SIZES[DTYPES[x.dtype]]
        known = self.sums == "int32" or DTYPES[x.dtype] in IN_MEMORY[self.sums]
        aligned = all(place % (count * size) == 0 for place in (x.address, x.row, x.following))
        return known and aligned and x.col == (size if count > 1 else 0)


def slice_pitch(cols: int, size: int) -> int:
    """Bytes from a row of a slice to the next: 32 more, so that a fragment's rows are in different banks."""
    return cols * size + 32


@functools.cache
def finisher(dtype: str) -> Any:
    """The device function that carries out the epilogue of a slice, whose sums are of that dtype.

    int32: where out is int32 too they are stored, and nothing else is done; else they become float32.
    """
    whole = dtype == "int32"
    real = float64 if dtype == "float64" else float32
    size = SIZES[DTYPES[dtype]]
    lanes = 16 // size
    group = ROWS * lanes
    zero = np.float64(0) if dtype == "float64" else np.float32(0)
    activate, activate_vector = activation("float64" if dtype == "float64" else "float32")

    @cuda.jit(device=True, inline="always")
    def finish(y, row, col, item, e):  # type: ignore
        if e[ALPHA] != _ONE:
            y = multiply(y, rounded(e[ALPHA], y))
        y = meet_one(MULTIPLY, y, e, ROW_SCALE, row, col, item, zero)
        y = meet_one(MULTIPLY, y, e, COL_SCALE, row, col, item, zero)
        y = meet_one(MULTIPLY_ADD, y, e, C, row, col, item, rounded(e[BETA], y))
        y = meet_one(ADD, y, e, BIAS, row, col, item, zero)
        y = meet_one(ADD, y, e, ROW_BIAS, row, col, item, zero)
        if e[ACTIVATION] != NONE:
            y = activate(y, int32(e[ACTIVATION]))
        y = meet_one(MULTIPLY, y, e, GATE, row, col, item, zero)
        return meet_one(ADD, y, e, RESIDUAL, row, col, item, zero)

    @cuda.jit(device=True, forceinline=True)
    def add_partial(y, at, jump, row, col, item, apart, there, parts, e):  # type: ignore
        """A group of sums, which are in shared memory too, added to what waits in memory."""
        for i in range(group):
            y[i] = zero
        for part in range(parts):
            more = part * e[PARTIAL_APART]
            meet(ADD, y, e, PARTIAL, ROWS, lanes, row, col, item, apart, there, zero, more)
        sums = cuda.local.array(group, real)
        load_group(sums, ROWS, at, jump)
        for i in range(group):
            y[i] = add(y[i], float32(bits_of(sums[i])) if whole else sums[i])

    @cuda.jit(device=True, forceinline=True)
    def finish_group(y, at, jump, row, col, item, apart, there, parts, e):  # type: ignore
        """The same for a group, rows `jump` bytes apart in shared memory."""
        if parts > 0 or whole:
            add_partial(y, at, jump, row, col, item, apart, there, parts, e)
        if e[ALPHA] != _ONE:
            for i in range(group):
                y[i] = multiply(y[i], rounded(e[ALPHA], zero))
        meet(MULTIPLY, y, e, ROW_SCALE, ROWS, 1, row, col, item, apart, there, zero, 0)
        meet(MULTIPLY, y, e, COL_SCALE, 1, lanes, row, col, item, apart, there, zero, 0)
        meet(MULTIPLY_ADD, y, e, C, ROWS, lanes, row, col, item, apart, there, rounded(e[BETA], zero), 0)
        meet(ADD, y, e, BIAS, 1, lanes, row, col, item, apart, there, zero, 0)
        meet(ADD, y, e, ROW_BIAS, ROWS, 1, row, col, item, apart, there, zero, 0)
        if e[ACTIVATION] != NONE:
            put_group(y, ROWS, at, jump)
            here, end = at, uint32(at + ROWS * jump)
            while here != end:
                load_group(y, 1, here, jump)
                activate_vector(y, int32(e[ACTIVATION]))
                put_group(y, 1, here, jump)
                here = uint32(here + jump)
            load_group(y, ROWS, at, jump)
        meet(MULTIPLY, y, e, GATE, ROWS, lanes, row, col, item, apart, there, zero, 0)
        meet(ADD, y, e, RESIDUAL, ROWS, lanes, row, col, item, apart, there, zero, 0)

    @cuda.jit(device=True, forceinline=True)
    def finish_slice(  # type: ignore
        at, rows, cols, pitch, row, col, rows_left, cols_left, item, lane, parts, e
    ):
        """A warp's slice at that address of shared memory: rows x cols sums (powers of two; rows are `pitch`
        bytes apart), the first one at `row`, `col` of product `item`; of them exist `rows_left` and
        `cols_left`. To each are added the `parts` sums that wait in memory."""
        cols_left, across = int32(cols_left), int32(cols // lanes)  # vectors of a row
        turns = max(across // 32, 1)
        apart = max(32 // across, 1)  # rows of a group
        if e[VECTORS] != 0 and rows >= ROWS * apart and min(cols_left, cols) & (lanes - 1) == 0:
            y = cuda.local.array(group, real)
            for g in range(rows // (ROWS * apart) * turns):
                item = anew(item)
                r, c = divided(int32(anew(lane) + g % turns * 32), across)
                r, c = int32(r + g // turns * ROWS * apart), int32(c * lanes)
                there, _ = divided(int32(max(int32(rows_left - r), 0) + apart - 1), int32(apart))
                there = there if c < cols_left else int32(0)
                here, jump = uint32(at + r * pitch + c * size), int32(apart * pitch)
                if there > 0:
                    load_group(y, ROWS, here, jump)
                    stored = stored_as(e, OUT)
                    if whole and stored == INT32:
                        stored = int32(FLOAT32)  # the same bits
                    else:
                        finish_group(y, here, jump, row + r, col + c, item, apart, there, parts, e)
                    store_rows(y, e, row + r, col + c, item, apart, there, stored)
            return
        for v in range(rows * cols // 32):
            i = int32(anew(lane) + v * 32)
            r, c = divided(i, int32(cols))
            if e[ROWS_FOLLOW] != 0:
                c, r = divided(i, int32(rows))
            if r < rows_left and c < cols_left:
                item = anew(item)
                total = real(0)
                for part in range(parts):
                    begins = place(e, PARTIAL, row + r, col + c, item)
                    total = add(total, load(begins + uint64(part * e[PARTIAL_APART]),
                                            stored_as(e, PARTIAL), total))
                y = load_one(uint32(at + r * pitch + c * size), total)
                stored = stored_as(e, OUT)
                if whole and stored == INT32:
                    stored = int32(FLOAT32)  # the same bits
                else:
                    y = add(total, float32(bits_of(y)) if whole else y)
                    y = finish(y, row + r, col + c, item, e)
                store(place(e, OUT, row + r, col + c, item), stored, y)

    return finish_slice
