"""Instructions for tensor cores, of whole warps: as ptx.py has those of single threads.

A warp's 32 threads (lanes) hold a matrix together. Their models are called for all lanes at once, when the
last one has come: `thread.warp(model, *args)` gathers the lanes' arguments.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.cuda import types

from .numbers import BFLOAT16, FLOAT16, widened
from .ptx import F32, I32, asm, instruction, literals, nothing, registers_of

_NAMES = {FLOAT16: "f16", BFLOAT16: "bf16"}


# --- Fragments: 8 x 8 elements of 16 bits, lane l having two of row l / 4 ----------------------


def _ldmatrix_model(
    lanes: Any, registers: Any, count: int, apart: int, addresses: Any, transposed: int
) -> None:
    for i in range(count):
        for matrix in range(4):
            who = range(8 * matrix, 8 * matrix + 8)
            rows = [lanes[lane].read_shared(addresses[lane] + i * apart, 16) for lane in who]
            held = np.array(rows).view(np.uint16)
            pairs = np.ascontiguousarray(held.T if transposed else held).view(np.uint32)
            for lane in range(32):
                registers[lane][4 * i + matrix] = pairs[lane // 4, lane % 4]


@instruction(
    lambda thread, registers, count, apart, address, transposed: thread.warp(
        lambda lanes, all_registers, addresses: _ldmatrix_model(
            lanes, all_registers, count, apart, addresses, transposed
        ),
        registers,
        address,
    )
)
def load_matrices(
    context: Any, registers: Any, count: Any, apart: Any, address: Any, transposed: Any
) -> Any:
    """So many times four matrices, `apart` bytes from each other, into registers: lane l says where row l % 8
    of matrix l / 8 is. Transposed, a lane has two of a column."""
    if not literals(count, apart, transposed):
        return None
    how = ".trans" if transposed.literal_value else ""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        register = registers_of(context, builder, signature.args[0], args[0])
        for i in range(count.literal_value):
            at = i * apart.literal_value
            text = f"ldmatrix.sync.aligned.m8n8.x4{how}.shared.b16 {{$0, $1, $2, $3}}, [$4+{at}];"
            kind = ir.LiteralStructType([I32] * 4)
            loaded = asm(builder, kind, text, "=r,=r,=r,=r,r,~{memory}", [args[3]])
            for j in range(4):
                builder.store(builder.extract_value(loaded, j), register(4 * i + j))
        return nothing(context)

    return types.void(registers, count, apart, types.uint32, transposed), generate


def _fragment(registers: Any, places: Any, shape: tuple[int, int], kind: int) -> Any:
    """The matrix that lanes hold: places(register, lane) is where two elements begin, and their direction."""
    whole = np.zeros(shape, np.float32)
    for lane in range(32):
        values = widened(np.ascontiguousarray(registers[lane]).view(np.uint16), kind).reshape(-1, 2)
        for register, pair in enumerate(values):
            row, col, down = places(register, lane)
            if row < shape[0] and col < shape[1]:
                whole[row, col] = pair[0]
                whole[row + down, col + 1 - down] = pair[1]
    return whole


def _of_left(register: int, lane: int) -> tuple[int, int, int]:
    quarter = register % 4
    return register // 4 * 16 + quarter % 2 * 8 + lane // 4, quarter // 2 * 8 + lane % 4 * 2, 0


def _of_right(register: int, lane: int) -> tuple[int, int, int]:
    return register % 2 * 8 + lane % 4 * 2, register // 2 * 8 + lane // 4, 1


def _mma_model(
    lanes: Any, sums: Any, left: Any, right: Any, rows: int, cols: int, kind: int
) -> None:
    """In double precision, rounded once. Hardware has an order of its own, and cuts off what it aligns."""
    a = _fragment(left, _of_left, (16 * rows, 16), kind)
    b = _fragment(right, _of_right, (16, 8 * cols), kind)
    with np.errstate(invalid="ignore", over="ignore"):
        product = lanes[0].product(a.astype(float), b.astype(float))
        for lane in range(32):
            at = 0
            for i in range(rows):
                for j in range(cols):
                    for part in range(4):
                        row = i * 16 + part // 2 * 8 + lane // 4
                        col = j * 8 + lane % 4 * 2 + part % 2
                        sums[lane][at] = np.float32(float(sums[lane][at]) + product[row, col])
                        at += 1


@instruction(
    lambda thread, sums, left, right, rows, cols, kind: thread.warp(
        lambda lanes, totals, a, b: _mma_model(lanes, totals, a, b, rows, cols, kind), sums, left, right
    )
)
def multiply_matrices(
    context: Any, sums: Any, left: Any, right: Any, rows: Any, cols: Any, kind: Any
) -> Any:
    """Adds the product of `rows` times 16 x 16 and 16 x `cols` times 8 elements to float32 sums."""
    if not literals(rows, cols, kind):
        return None
    name = _NAMES[kind.literal_value]
    text = f"mma.sync.aligned.m16n8k16.row.col.f32.{name}.{name}.f32 "
    text += "{$0, $1, $2, $3}, {$4, $5, $6, $7}, {$8, $9}, {$10, $11, $12, $13};"

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        total, a, b = (registers_of(context, builder, signature.args[i], args[i]) for i in range(3))
        result = ir.LiteralStructType([F32] * 4)
        constraints = "=f,=f,=f,=f,r,r,r,r,r,r,f,f,f,f"
        n = cols.literal_value
        for i in range(rows.literal_value):
            for j in range(n):
                at = [total((i * n + j) * 4 + part) for part in range(4)]
                operands = [builder.load(a(4 * i + part)) for part in range(4)]
                operands += [builder.load(b(2 * j + part)) for part in range(2)]
                operands += [builder.load(x) for x in at]
                made = asm(builder, result, text, constraints, operands, effects=False)
                for part in range(4):
                    builder.store(builder.extract_value(made, part), at[part])
        return nothing(context)

    return types.void(sums, left, right, rows, cols, kind), generate
