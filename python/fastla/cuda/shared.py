"""Numbers in shared memory: read from elements of any dtype, and written."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.cuda import types

from .numbers import FLOAT32, SIZES, widened
from .ptx import PTX, VOID, asm, instruction, literals, nothing, registers_of

# PTX that makes float32 $0 of 16 bits h.
_WIDEN = ("cvt.f32.f16 $0, h;", "mov.b32 $0, {z, h};")
# Two of a register's 16-bit elements.
_WIDEN_PAIR = (
    "mov.b32 {{h, i}}, w; cvt.f32.f16 ${0}, h; cvt.f32.f16 ${1}, i;",
    "mov.b32 {{h, i}}, w; mov.b32 ${0}, {{z, h}}; mov.b32 ${1}, {{z, i}};",
)


def _numbers(data: Any, dtype: int) -> Any:
    if dtype < FLOAT32:
        return widened(data.view(np.uint16), dtype)
    return data.view(np.float32 if dtype == FLOAT32 else np.float64)


def _number_model(thread: Any, address: int, dtype: int, like: Any) -> Any:
    thread.let_others()
    return _numbers(thread.read_shared(address, SIZES[dtype]), dtype)[0]


@instruction(_number_model)
def load_number(context: Any, address: Any, dtype: Any, like: Any) -> Any:
    """An element of a dtype that is a literal; those of 16 bits as float32. `like`: a number of that type."""
    if not literals(dtype):
        return None
    kind = dtype.literal_value

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        suffix, letter, *_ = PTX[args[2].type]
        text = f"ld.shared.{suffix} $0, [$1];"
        if kind < FLOAT32:
            text = f"{{ .reg .b16 h, z; mov.b16 z, 0; ld.shared.b16 h, [$1]; {_WIDEN[kind]} }}"
        return asm(builder, args[2].type, text, f"={letter},r,~{{memory}}", args[:1])

    return like(types.uint32, dtype, like), generate


def _numbers_model(thread: Any, numbers: Any, dtype: int, address: int) -> None:
    thread.let_others()
    numbers[:] = _numbers(thread.read_shared(address, 16), dtype)


@instruction(_numbers_model)
def load_numbers(context: Any, numbers: Any, dtype: Any, address: Any) -> Any:
    """16 bytes of elements of a dtype that is a literal into an array of as many numbers."""
    if not literals(dtype):
        return None
    kind = dtype.literal_value
    count = 16 // SIZES[kind]

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = context.get_data_type(signature.args[0].dtype)
        suffix, letter, *_ = PTX[element]
        names = [f"${i}" for i in range(count)]
        text = f"ld.shared.v{count}.{suffix} {{{', '.join(names)}}}, [${count}];"
        if kind < FLOAT32:
            words = "".join(
                f"mov.b32 w, w{i}; {_WIDEN_PAIR[kind].format(2 * i, 2 * i + 1)} " for i in range(4)
            )
            text = "{ .reg .b16 h, i, z; .reg .b32 w, w0, w1, w2, w3; mov.b16 z, 0; "
            text += f"ld.shared.v4.b32 {{w0, w1, w2, w3}}, [${count}]; {words}}}"
        constraints = ",".join([f"={letter}"] * count + ["r", "~{memory}"])
        made = asm(builder, ir.LiteralStructType([element] * count), text, constraints, [args[2]])
        register = registers_of(context, builder, signature.args[0], args[0])
        for i in range(count):
            builder.store(builder.extract_value(made, i), register(i))
        return nothing(context)

    return types.void(numbers, dtype, types.uint32), generate


def _store_model(thread: Any, address: int, value: Any) -> None:
    thread.let_others()
    thread.write_shared(address, value.reshape(1))


@instruction(_store_model)
def store_one(context: Any, address: Any, value: Any) -> Any:
    """A number, as it is."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        suffix, letter, *_ = PTX[args[1].type]
        asm(builder, VOID, f"st.shared.{suffix} [$0], $1;", f"r,{letter},~{{memory}}", args)
        return nothing(context)

    return types.void(types.uint32, value), generate
