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
from .ptx import F32, F64, I32, asm, instruction, literals, nothing, registers_of

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


# --- float64: a lane has one element of row (column) l / 4 and step l % 4, of every 8 and 4 -------


def _load_doubles_model(
    thread: Any, registers: Any, tiles: int, halves: int, step_bytes: int, address: int
) -> None:
    thread.let_others()
    for at, offset in enumerate(_places(tiles, halves, step_bytes)):
        registers[at] = thread.read_shared(address + offset, 8).view(np.float64)[0]


def _places(tiles: int, halves: int, step_bytes: int) -> list[int]:
    """Where the elements of `tiles` times 8 `halves` lines and 8 steps are, in the order of registers."""
    return [
        64 * (tile * halves + half) + 4 * part * step_bytes
        for tile in range(tiles)
        for part in range(2)
        for half in range(halves)
    ]


@instruction(_load_doubles_model)
def load_doubles(
    context: Any, registers: Any, tiles: Any, halves: Any, step_bytes: Any, address: Any
) -> Any:
    """Operands of `multiply_doubles`: 16 rows (two halves) or 8 columns (one) and 8 steps of each tile. Lines
    are contiguous in shared memory, steps so many bytes apart; `address` is that of the lane's first one."""
    if not literals(tiles, halves, step_bytes):
        return None
    places = _places(tiles.literal_value, halves.literal_value, step_bytes.literal_value)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        register = registers_of(context, builder, signature.args[0], args[0])
        for at, offset in enumerate(places):
            value = asm(builder, F64, f"ld.shared.f64 $0, [$1+{offset}];", "=d,r,~{memory}", [args[4]])
            builder.store(value, register(at))
        return nothing(context)

    return types.void(registers, tiles, halves, step_bytes, types.uint32), generate


def _multiply_doubles_model(
    lanes: Any, sums: Any, left: Any, right: Any, rows: int, cols: int
) -> None:
    """A chain of fused multiply-adds: whether hardware has it so is not documented."""
    a, b = np.zeros((16 * rows, 8)), np.zeros((8, 8 * cols))
    for lane in range(32):
        line, step = lane // 4, lane % 4
        for at, value in enumerate(left[lane]):
            a[at // 4 * 16 + at % 2 * 8 + line, at % 4 // 2 * 4 + step] = value
        for at, value in enumerate(right[lane]):
            b[at % 2 * 4 + step, at // 2 * 8 + line] = value
    product = lanes[0].product(a, b)
    for lane in range(32):
        for at in range(4 * rows * cols):
            tile, part = at // 4, at % 4
            row = tile // cols * 16 + part // 2 * 8 + lane // 4
            col = tile % cols * 8 + lane % 4 * 2 + part % 2
            sums[lane][at] += product[row, col]


@instruction(
    lambda thread, sums, left, right, rows, cols, wide: thread.warp(
        lambda lanes, totals, a, b: _multiply_doubles_model(lanes, totals, a, b, rows, cols),
        sums, left, right,
    )
)
def multiply_doubles(
    context: Any, sums: Any, left: Any, right: Any, rows: Any, cols: Any, wide: Any
) -> Any:
    """Adds the product of `rows` times 16 x 8 and 8 x `cols` times 8 float64, held as `load_doubles` says.

    A sum is held as of `multiply_matrices`. wide: by Hopper's instruction, else by four of sm_80's.
    """
    if not literals(rows, cols, wide):
        return None
    n = cols.literal_value

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        total, a, b = (registers_of(context, builder, signature.args[i], args[i]) for i in range(3))

        def multiply(shape: str, sums: list[Any], left: list[Any], right: list[Any]) -> None:
            groups = [len(sums), len(left), len(right), len(sums)]
            names, first = [], 0
            for count in groups:
                names.append(", ".join(f"${first + i}" for i in range(count)))
                first += count
            text = f"mma.sync.aligned.{shape}.row.col.f64.f64.f64.f64 "
            text += ", ".join(f"{{{group}}}" for group in names) + ";"
            constraints = ",".join(["=d"] * len(sums) + ["d"] * sum(groups[1:]))
            operands = [builder.load(x) for x in (*left, *right, *sums)]
            result = ir.LiteralStructType([F64] * len(sums))
            made = asm(builder, result, text, constraints, operands, effects=False)
            for i, x in enumerate(sums):
                builder.store(builder.extract_value(made, i), x)

        for tile in range(rows.literal_value * n):
            sums_of = [total(tile * 4 + part) for part in range(4)]
            left_of = [a(tile // n * 4 + part) for part in range(4)]
            right_of = [b(tile % n * 2 + part) for part in range(2)]
            if wide.literal_value:
                multiply("m16n8k8", sums_of, left_of, right_of)
                continue
            for step in range(2):
                for half in range(2):
                    multiply("m8n8k4", sums_of[2 * half : 2 * half + 2], [left_of[2 * step + half]],
                             [right_of[step]])
        return nothing(context)

    return types.void(sums, left, right, rows, cols, wide), generate
