"""Sums in groups: of each of ROWS rows a lane has a vector of 16 bytes in registers, and operands take the
same form. What a group has to know of an operand, such as where it begins and its dtype, it asks once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.cuda import cgutils, types

from .numbers import (
    BFLOAT16,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    SIZES,
    STORED,
    load_from,
    load_model,
    stored,
    widened,
)
from .places import COL, DTYPE, OUT, ROW, dtype_of, is_there, place_model, place_of
from .ptx import F32, F64, I32, I64, PTX, VOID, asm, instruction, literals, nothing, registers_of
from .sums import cases

ROWS = 4
ADD, MULTIPLY, MULTIPLY_ADD = range(3)
_OPERATIONS = ("add.rn", "mul.rn", "fma.rn")

_PAIRS = (
    "cvt.rn.TYPE.f32 u, {1}, {0}; cvt.rn.TYPE.f32 v, {3}, {2}; @p st.global.v2.b32 [{at}], {{u, v}};"
)
# What vectors are in memory, by the type of the sums: elements as large as these, or half as large. PTX: an
# element's type; from a register {1} of it to the number {0}; from numbers {0}, {1} ... to the address {at}.
_IN_MEMORY = {
    F32: {
        FLOAT16: ("b16", "cvt.f32.f16 {0}, {1};", _PAIRS.replace("TYPE", "f16x2")),
        BFLOAT16: ("b16", "mov.b32 {0}, {{z, {1}}};", _PAIRS.replace("TYPE", "bf16x2")),
        FLOAT32: ("f32", "mov.f32 {0}, {1};", "@p st.global.v4.f32 [{at}], {{{0}, {1}, {2}, {3}}};"),
    },
    F64: {
        FLOAT32: (
            "f32",
            "cvt.f64.f32 {0}, {1};",
            "cvt.rn.f32.f64 f, {0}; cvt.rn.f32.f64 g, {1}; @p st.global.v2.f32 [{at}], {{f, g}};",
        ),
        FLOAT64: ("f64", "mov.f64 {0}, {1};", "@p st.global.v2.f64 [{at}], {{{0}, {1}}};"),
    },
}
IN_MEMORY = {"float32": tuple(_IN_MEMORY[F32]), "float64": tuple(_IN_MEMORY[F64])}  # by that of the sums


# --- In global memory -------------------------------------------------------------------------


def _addresses(
    builder: Any, e: Any, which: int, rows: int, row: Any, col: Any, item: Any, apart: Any, there: Any
) -> list[Any]:
    """Of a group's rows in an operand; what is not there is the row before it.

    The stride is read anew each time: known early, it would take registers all the time."""
    stride = asm(builder, I64, "mov.b64 $0, $1;", "=l,l", [builder.extract_value(e, which + ROW)])
    found, jump = [place_of(builder, e, which, row, col, item)], builder.mul(apart, stride)
    for i in range(1, rows):
        following = builder.add(found[-1], jump)
        found.append(builder.select(builder.icmp_signed(">", there, I32(i)), following, found[-1]))
    return found


def _rows_at(builder: Any, element: Any, kind: int, lanes: int, addresses: list[Any]) -> list[Any]:
    """Vectors of numbers in memory, one number after the other."""
    as_stored, widen, _ = _IN_MEMORY[element][kind]
    count = lanes * len(addresses)
    names = [f"m{i}" for i in range(count)]
    vector = f".v{lanes}" if lanes > 1 else ""
    text = f"{{ .reg .b16 z; mov.b16 z, 0; .reg .{as_stored} {', '.join(names)}; "
    for i in range(len(addresses)):
        of_row = ", ".join(names[i * lanes : (i + 1) * lanes])
        text += f"ld.global{vector}.{as_stored} {{{of_row}}}, [${count + i}]; "
    text += " ".join(widen.format(f"${i}", name) for i, name in enumerate(names)) + " }"
    constraints = ",".join([f"={PTX[element][1]}"] * count + ["l"] * len(addresses) + ["~{memory}"])
    made = asm(builder, ir.LiteralStructType([element] * count), text, constraints, addresses)
    return [builder.extract_value(made, i) for i in range(count)]


def _met(builder: Any, operation: int, y: Any, x: Any, factor: Any) -> Any:
    given = [factor, x, y] if operation == MULTIPLY_ADD else [y, x]
    suffix, letter, *_ = PTX[y.type]
    names = ", ".join(f"${i}" for i in range(len(given) + 1))
    constraints = ",".join([f"={letter}"] + [letter] * len(given))
    text = f"{_OPERATIONS[operation]}.{suffix} {names};"
    return asm(builder, y.type, text, constraints, given, effects=False)


def _meet_one_model(
    thread: Any, operation: int, y: Any, e: Any, which: int, row: int, col: int, item: int, factor: Any
) -> Any:
    if e[which] == 0:
        return y
    x = load_model(thread, place_model(thread, e, which, row, col, item), e[which + DTYPE], y)
    if operation == MULTIPLY_ADD:
        return thread.fma(factor, x, y)
    return y + x if operation == ADD else y * x


@instruction(_meet_one_model)
def meet_one(
    context: Any, operation: Any, y: Any, e: Any, which: Any, row: Any, col: Any, item: Any, factor: Any
) -> Any:
    """The same for a single number, with operands of any dtype that lie anyhow."""
    if not literals(operation, which):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, y, e, _, *where, factor = args
        met = cgutils.alloca_once_value(builder, y)
        with builder.if_then(is_there(builder, e, which.literal_value)):
            at = place_of(builder, e, which.literal_value, *where)
            x = load_from(builder, y.type, at, dtype_of(builder, e, which.literal_value))
            builder.store(_met(builder, operation.literal_value, y, x, factor), met)
        return builder.load(met)

    return y(operation, y, e, which, types.int64, types.int64, types.int64, y), generate


def _meet_model(
    thread: Any, operation: int, y: Any, e: Any, which: int, rows: int, lanes: int, row: int, col: int,
    item: int, apart: int, there: int, factor: Any, more: int,
) -> None:
    if e[which] == 0:
        return
    dtype = e[which + DTYPE]
    size = lanes * SIZES[dtype]
    for i, values in enumerate(y.reshape(ROWS, -1)[: max(there, 0)]):
        at = place_model(thread, e, which, row + i * apart, col, item) + more
        if at % size or (rows == 1 and e[which + ROW]) or (lanes == 1 and e[which + COL]):
            raise ValueError(f"a vector of {size} bytes at {at}: not aligned, or not the same for all")
        data = np.frombuffer(thread.read_global(at, np.dtype((np.void, size))).tobytes(), STORED[dtype])
        x = widened(data, dtype) if dtype in (FLOAT16, BFLOAT16) else data.astype(y.dtype)
        x = np.broadcast_to(x, values.shape)
        if operation == MULTIPLY_ADD:
            values[:] = [thread.fma(factor, a, b) for a, b in zip(x, values, strict=True)]
        else:
            values[:] = values + x if operation == ADD else values * x


@instruction(_meet_model)
def meet(
    context: Any, operation: Any, y: Any, e: Any, which: Any, rows: Any, lanes: Any, row: Any, col: Any,
    item: Any, apart: Any, there: Any, factor: Any, more: Any,
) -> Any:
    """y + x, y x or factor x + y, if the operand x is in the epilogue e; where it has only one row (or lane),
    that is the one of all rows (lanes) of the group.

    The group begins at row, col, item; its rows are `apart` rows from each other, and of them exist as many
    as `there`. x begins `more` bytes further on. Dtypes are those of IN_MEMORY, rows of x are vectors.
    """
    if not literals(operation, which, rows, lanes):
        return None
    m, n, where = rows.literal_value, lanes.literal_value, which.literal_value

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        y, e, row, col, item, apart, there, factor, more = (args[i] for i in (1, 2, *range(6, 13)))
        element = context.get_data_type(signature.args[1].dtype)
        width = PTX[element][2]
        register = registers_of(context, builder, signature.args[1], y)
        others = [cgutils.alloca_once(builder, element) for _ in range(m * n)]
        with builder.if_then(is_there(builder, e, where)):
            at = _addresses(builder, e, where, m, row, col, item, apart, there)
            at = [builder.add(x, more) for x in at]
            for kind in cases(builder, dtype_of(builder, e, where), _IN_MEMORY[element]):
                for x, value in zip(others, _rows_at(builder, element, kind, n, at), strict=True):
                    builder.store(value, x)
            for i in range(ROWS * width):
                x = builder.load(others[i // width % m * n + i % width % n])
                value = builder.load(register(i))
                builder.store(_met(builder, operation.literal_value, value, x, factor), register(i))
        return nothing(context)

    given = [types.int64] * 4 + [types.int32, y.dtype, types.int64]
    return types.void(operation, y, e, which, rows, lanes, *given), generate


def _store_rows_model(
    thread: Any, y: Any, e: Any, row: int, col: int, item: int, apart: int, there: int, dtype: int
) -> None:
    for i, values in enumerate(y.reshape(ROWS, -1)[: max(there, 0)]):
        at = place_model(thread, e, OUT, row + i * apart, col, item)
        thread.write_vector(at, np.array([stored(value, dtype) for value in values]))


@instruction(_store_rows_model)
def store_rows(
    context: Any, y: Any, e: Any, row: Any, col: Any, item: Any, apart: Any, there: Any, dtype: Any
) -> Any:
    """A group, rounded to the dtype, to out, which lies as operands do."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        y, e, row, col, item, apart, there, dtype = args
        element = context.get_data_type(signature.args[0].dtype)
        _, letter, lanes, _ = PTX[element]
        count = ROWS * lanes
        register = registers_of(context, builder, signature.args[0], y)
        values = [builder.load(register(i)) for i in range(count)]
        constraints = ",".join([letter] * count + ["l"] * ROWS + ["r", "~{memory}"])
        at = _addresses(builder, e, OUT, ROWS, row, col, item, apart, there)
        for kind in cases(builder, dtype, _IN_MEMORY[element]):
            text = "{ .reg .pred p; .reg .b32 u, v; .reg .f32 f, g; "
            for i in range(ROWS):
                numbers = [f"${i * lanes + j}" for j in range(lanes)]
                write = _IN_MEMORY[element][kind][2].format(*numbers, at=f"${count + i}")
                text += f"setp.gt.s32 p, ${count + ROWS}, {i}; {write} "
            asm(builder, VOID, text + "}", constraints, [*values, *at, there])
        return nothing(context)

    return types.void(y, e, *[types.int64] * 4, types.int32, types.int32), generate


# --- In shared memory -------------------------------------------------------------------------


def _load_group_model(thread: Any, y: Any, rows: int, start: int, jump: int) -> None:
    lanes = 16 // y.itemsize
    thread.let_others()
    for i in range(rows):
        y[i * lanes : (i + 1) * lanes] = thread.read_shared(start + i * jump, 16).view(y.dtype)


@instruction(_load_group_model)
def load_group(context: Any, y: Any, rows: Any, start: Any, jump: Any) -> Any:
    """A vector of each of so many rows, `jump` bytes apart."""
    if not literals(rows):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = context.get_data_type(signature.args[0].dtype)
        suffix, letter, lanes, _ = PTX[element]
        register = registers_of(context, builder, signature.args[0], args[0])
        names = ", ".join(f"${i}" for i in range(lanes))
        text = f"ld.shared.v{lanes}.{suffix} {{{names}}}, [${lanes}];"
        kind = ir.LiteralStructType([element] * lanes)
        for i in range(rows.literal_value):
            at = builder.add(args[2], builder.mul(args[3], I32(i)))
            made = asm(builder, kind, text, f"={letter}," * lanes + "r,~{memory}", [at])
            for j in range(lanes):
                builder.store(builder.extract_value(made, j), register(i * lanes + j))
        return nothing(context)

    return types.void(y, rows, types.uint32, types.int32), generate


def _put_group_model(thread: Any, y: Any, rows: int, start: int, jump: int) -> None:
    lanes = 16 // y.itemsize
    thread.let_others()
    for i in range(rows):
        thread.write_shared(start + i * jump, y[i * lanes : (i + 1) * lanes])


@instruction(_put_group_model)
def put_group(context: Any, y: Any, rows: Any, start: Any, jump: Any) -> Any:
    """The other way."""
    if not literals(rows):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        suffix, letter, lanes, _ = PTX[context.get_data_type(signature.args[0].dtype)]
        register = registers_of(context, builder, signature.args[0], args[0])
        names = ", ".join(f"${i + 1}" for i in range(lanes))
        constraints = ",".join(["r", *[letter] * lanes, "~{memory}"])
        for i in range(rows.literal_value):
            at = builder.add(args[2], builder.mul(args[3], I32(i)))
            values = [builder.load(register(i * lanes + j)) for j in range(lanes)]
            asm(builder, VOID, f"st.shared.v{lanes}.{suffix} [$0], {{{names}}};", constraints, [at, *values])
        return nothing(context)

    return types.void(y, rows, types.uint32, types.int32), generate


# --- Indices ----------------------------------------------------------------------------------


@instruction(lambda thread, i, n: divmod(i, n))
def divided(context: Any, i: Any, n: Any) -> Any:
    """i // n and i % n of numbers that are not negative: cheap where n turns out to be a power of 2."""
    pair = types.UniTuple(types.int32, 2)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.make_tuple(builder, pair, [builder.udiv(*args), builder.urem(*args)])

    return pair(types.int32, types.int32), generate
