"""Finished sums: from registers to global memory, or to shared memory, where an epilogue finds them.

A warp has a slice of shared memory, which takes a part of its sums at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from llvmlite import ir
from numba.cuda import types

from .ptx import F64, I32, I64, PTX, VOID, asm, instruction, literals, nothing, registers_of


def _add_block_model(
    thread: Any, sums: Any, rows: int, cols: int, apart: int, address: int, row: int, col: int,
    rows_left: int, cols_left: int, first: int,
) -> None:
    lanes = 16 // sums.itemsize
    for i in range(rows):
        for j in range(cols):
            r, c = i % lanes + i // lanes * apart, j % lanes + j // lanes * apart
            if r < rows_left and c < cols_left:
                at = address + r * row + c * col
                total = sums.dtype.type(0) if first else thread.read_global(at, sums.dtype)
                thread.write_global(at, total + sums[i * cols + j])
            sums[i * cols + j] = 0


@instruction(_add_block_model)
def add_block(
    context: Any, sums: Any, rows: Any, cols: Any, apart: Any, address: Any, row: Any, col: Any,
    rows_left: Any, cols_left: Any, first: Any,
) -> Any:
    """The sums of a block of K, added to what is in global memory, or to 0 (first); they are 0 afterwards.

    Rows and columns are vectors of 16 bytes, `apart` rows or columns from each other. `row` and `col` are the
    strides in bytes; what is not below `rows_left` and `cols_left` does not exist.
    """
    if not literals(rows, cols, apart):
        return None
    m, n, gap = rows.literal_value, cols.literal_value, apart.literal_value

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = context.get_data_type(signature.args[0].dtype)
        suffix, letter, lanes, zero = PTX[element]
        register = registers_of(context, builder, signature.args[0], args[0])
        address, row, col, rows_left, cols_left, first = args[4:]
        load = f"{{ .reg .pred p; setp.ne.s32 p, $2, 0; mov.{suffix} $0, {zero}; "
        load += f"@p ld.global.{suffix} $0, [$1]; }}"
        store = f"{{ .reg .pred p; setp.ne.s32 p, $2, 0; @p st.global.{suffix} [$0], $1; }}"
        later = builder.icmp_signed("==", first, I32(0))

        def place(i: int) -> int:
            return i % lanes + i // lanes * int(gap)

        for i in range(m):
            in_row = builder.icmp_signed("<", I32(place(i)), rows_left)
            line = builder.add(address, builder.mul(row, I64(place(i))))
            for j in range(n):
                there = builder.and_(in_row, builder.icmp_signed("<", I32(place(j)), cols_left))
                at = builder.add(line, builder.mul(col, I64(place(j))))
                read = builder.zext(builder.and_(there, later), I32)
                total = asm(builder, element, load, f"={letter},l,r,~{{memory}}", [at, read])
                value = builder.fadd(total, builder.load(register(i * n + j)))
                flag = builder.zext(there, I32)
                asm(builder, VOID, store, f"l,{letter},r,~{{memory}}", [at, value, flag])
                builder.store(ir.Constant(element, 0.0), register(i * n + j))
        return nothing(context)

    given = (types.uint64, types.int64, types.int64, types.int32, types.int32, types.int32)
    return types.void(sums, rows, cols, apart, *given), generate


def cases(builder: Any, number: Any, kinds: Iterable[int]) -> Iterator[int]:
    """What is generated in turn is executed where the number, known at run time, is the one yielded; the last
    where it is none of them."""
    *others, last = kinds
    default, end = builder.append_basic_block(), builder.append_basic_block()
    switch = builder.switch(number, default)
    for i in (*others, last):
        block = default if i == last else builder.append_basic_block()
        if i != last:
            switch.add_case(I32(i), block)
        builder.position_at_end(block)
        yield i
        builder.branch(end)
    builder.position_at_end(end)


@instruction(lambda thread: thread.warp(lambda lanes: None))
def sync_warp(context: Any) -> Any:
    """What the warp's threads have written is there for all of them."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        asm(builder, VOID, "bar.warp.sync 0xffffffff;", "~{memory}")
        return nothing(context)

    return types.void(), generate


def _put_vectors_model(
    thread: Any, sums: Any, rows: int, cols: int, apart: int, pitch: int, part: int, address: int
) -> None:
    lanes = 16 // sums.itemsize
    thread.let_others()
    for i in range(lanes):
        for v in range(cols // lanes):
            first = (part * lanes + i) * cols + v * lanes
            thread.write_shared(address + i * pitch + v * apart, sums[first : first + lanes] + 0)


@instruction(_put_vectors_model)
def put_vectors(
    context: Any, sums: Any, rows: Any, cols: Any, apart: Any, pitch: Any, part: Any, address: Any
) -> Any:
    """Of rows x cols sums the `part`th rows, as many as a vector of 16 bytes has numbers, to shared memory.

    Columns are in vectors `apart` bytes from each other, rows are `pitch` apart. -0 becomes +0.
    """
    if not literals(rows, cols, apart, pitch):
        return None
    m, n = rows.literal_value, cols.literal_value

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = context.get_data_type(signature.args[0].dtype)
        suffix, letter, lanes, _ = PTX[element]
        register = registers_of(context, builder, signature.args[0], args[0])
        names = ", ".join(f"${i + 1}" for i in range(lanes))
        constraints = ",".join(["r", *[letter] * lanes, "~{memory}"])
        for p in cases(builder, args[5], range(m // lanes)):
            for i in range(lanes):
                for v in range(n // lanes):
                    places = [register((p * lanes + i) * n + v * lanes + j) for j in range(lanes)]
                    values = [builder.fadd(builder.load(x), ir.Constant(element, 0.0)) for x in places]
                    at = i * pitch.literal_value + v * apart.literal_value
                    text = f"st.shared.v{lanes}.{suffix} [$0+{at}], {{{names}}};"
                    asm(builder, VOID, text, constraints, [args[6], *values])
        return nothing(context)

    return types.void(sums, rows, cols, apart, pitch, types.int32, types.uint32), generate


def _put_fragments_model(
    thread: Any, sums: Any, tiles: int, parts: int, pitch: int, part: int, address: int
) -> None:
    thread.let_others()
    for tile in range(tiles):
        for half in range(2):
            first = (part * tiles + tile) * 4 + half * 2
            at = address + tile * 8 * sums.itemsize + half * 8 * pitch
            thread.write_shared(at, sums[first : first + 2] + 0)


@instruction(_put_fragments_model)
def put_fragments(
    context: Any, sums: Any, tiles: Any, parts: Any, pitch: Any, part: Any, address: Any
) -> Any:
    """The `part`th of `parts` times `tiles` fragments of 16 x 8 sums to shared memory, side by side.

    A lane has two columns of rows l / 4 and l / 4 + 8; `address` is where its first one goes. Rows are
    `pitch` bytes apart. -0 becomes +0.
    """
    if not literals(tiles, parts, pitch):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = context.get_data_type(signature.args[0].dtype)
        suffix, letter = ("b32", "r") if element == I32 else PTX[element][:2]
        across = 8 * (8 if element == F64 else 4)
        register = registers_of(context, builder, signature.args[0], args[0])
        for p in cases(builder, args[4], range(parts.literal_value)):
            for tile in range(tiles.literal_value):
                for half in range(2):
                    first = (p * tiles.literal_value + tile) * 4 + half * 2
                    pair = [builder.load(register(first + i)) for i in range(2)]
                    if element != I32:
                        pair = [builder.fadd(x, ir.Constant(element, 0.0)) for x in pair]
                    at = tile * across + half * 8 * pitch.literal_value
                    text = f"st.shared.v2.{suffix} [$0+{at}], {{$1, $2}};"
                    asm(builder, VOID, text, f"r,{letter},{letter},~{{memory}}", [args[5], *pair])
        return nothing(context)

    return types.void(sums, tiles, parts, pitch, types.int32, types.uint32), generate
