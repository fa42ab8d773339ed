"""Numbers of a single thread: instructions of arithmetic, and elements of any dtype read and written.

float32 or float64, whichever the arguments are. Each operation is rounded once, to nearest, and no compiler
makes two of them one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.cuda import types

from . import coefficients
from .ptx import F32, F64, I32, I64, PTX, VOID, asm, instruction, literals, nothing, registers_of

# How elements are stored.
FLOAT16, BFLOAT16, FLOAT32, FLOAT64 = range(4)
DTYPES = {"float16": FLOAT16, "bfloat16": BFLOAT16, "float32": FLOAT32, "float64": FLOAT64}
SIZES = (2, 2, 4, 8)
_STORED = [np.dtype(name) for name in ("uint16", "uint16", "float32", "float64")]


def widened(bits: Any, kind: int) -> Any:
    """Elements of 16 bits as float32."""
    if kind == FLOAT16:
        return bits.view(np.float16).astype(np.float32)
    return (bits.astype(np.uint32) << 16).view(np.float32)


def narrowed(values: Any, kind: int) -> Any:
    """Numbers to the nearest of 16 bits, ties to even; NaN stays one. bfloat16: of float32 alone."""
    if kind == FLOAT16:
        with np.errstate(over="ignore"):
            return values.astype(np.float16).view(np.uint16)
    bits = values.view(np.uint32)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    return np.where(np.isnan(values), bits >> 16 | 0x40, rounded).astype(np.uint16)


# --- Arithmetic -------------------------------------------------------------------------------


def _operation(name: str, *numbers: Any) -> Any:
    if any(x != numbers[0] for x in numbers):
        return None
    names = ", ".join(f"${i}" for i in range(len(numbers) + 1))

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        suffix, letter, *_ = PTX[args[0].type]
        constraints = ",".join([f"={letter}"] + [letter] * len(args))
        return asm(builder, args[0].type, f"{name}.{suffix} {names};", constraints, args, effects=False)

    return numbers[0](*numbers), generate


@instruction(lambda thread, x, y: x + y)
def add(context: Any, x: Any, y: Any) -> Any:
    return _operation("add.rn", x, y)


@instruction(lambda thread, x, y: x - y)
def subtract(context: Any, x: Any, y: Any) -> Any:
    return _operation("sub.rn", x, y)


@instruction(lambda thread, x, y: x * y)
def multiply(context: Any, x: Any, y: Any) -> Any:
    return _operation("mul.rn", x, y)


@instruction(lambda thread, x, y: x / y)
def divide(context: Any, x: Any, y: Any) -> Any:
    return _operation("div.rn", x, y)


@instruction(lambda thread, x, y, z: thread.fma(x, y, z))
def fma(context: Any, x: Any, y: Any, z: Any) -> Any:
    """x y + z."""
    return _operation("fma.rn", x, y, z)


POLYNOMIALS = ("exp", "erf", "mills")


def _table(name: str, double: bool) -> list[float]:
    return [float.fromhex(c) for c in (coefficients.FLOAT64 if double else coefficients.FLOAT32)[name]]


def _polynomial_model(thread: Any, which: int, x: Any) -> Any:
    *rest, value = map(type(x), _table(POLYNOMIALS[which], isinstance(x, np.float64)))
    for c in reversed(rest):
        value = thread.fma(value, x, c)
    return value


@instruction(_polynomial_model)
def polynomial(context: Any, which: Any, x: Any) -> Any:
    """One of POLYNOMIALS (docs/functions.md), by Horner's rule: a fused multiply-add for each degree."""
    if not literals(which):
        return None
    name = POLYNOMIALS[which.literal_value]

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = args[1].type
        *rest, value = (ir.Constant(element, c) for c in _table(name, element == F64))
        for c in reversed(rest):
            value = builder.fma(value, args[1], c)
        return value

    return x(which, x), generate


# --- Bits -------------------------------------------------------------------------------------


def _whole(kind: Any) -> Any:
    return types.int32 if kind == types.float32 else types.int64


@instruction(lambda thread, x: int(x.view(f"int{8 * x.itemsize}")))
def bits_of(context: Any, x: Any) -> Any:
    """A number's bits, an integer of its size."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], I32 if args[0].type == F32 else I64)

    return _whole(x)(x), generate


@instruction(lambda thread, bits, like: np.array(bits, f"int{8 * like.itemsize}").view(type(like))[()])
def from_bits(context: Any, bits: Any, like: Any) -> Any:
    """The number of those bits and of `like`'s type."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], args[1].type)

    return like(_whole(like), like), generate


@instruction(lambda thread, bits, like: type(like)(np.int64(bits).view(np.float64)))
def rounded(context: Any, bits: Any, like: Any) -> Any:
    """The float64 of those bits, as a number of `like`'s type."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        double = builder.bitcast(args[0], F64)
        return double if args[1].type == F64 else builder.fptrunc(double, F32)

    return like(types.int64, like), generate


# --- Memory -----------------------------------------------------------------------------------

# PTX that takes an element of each dtype from $1 to the number $0, and back from $1 to $0.
_LOADS = {
    F32: (
        "ld.global.b16 h, [$1]; cvt.f32.f16 $0, h;",
        "ld.global.b16 h, [$1]; mov.b32 $0, {z, h};",
        "ld.global.f32 $0, [$1];",
        "ld.global.f64 d, [$1]; cvt.rn.f32.f64 $0, d;",
    ),
    F64: (
        "ld.global.b16 h, [$1]; cvt.f64.f16 $0, h;",
        "ld.global.b16 h, [$1]; mov.b32 f, {z, h}; cvt.f64.f32 $0, f;",
        "ld.global.f32 f, [$1]; cvt.f64.f32 $0, f;",
        "ld.global.f64 $0, [$1];",
    ),
}
_STORES = {
    F32: (
        "cvt.rn.f16.f32 h, $1; st.global.b16 [$0], h;",
        "cvt.rn.bf16.f32 h, $1; st.global.b16 [$0], h;",
        "st.global.f32 [$0], $1;",
        "cvt.f64.f32 d, $1; st.global.f64 [$0], d;",
    ),
    F64: (
        "cvt.rn.f16.f64 h, $1; st.global.b16 [$0], h;",
        "",
        "cvt.rn.f32.f64 f, $1; st.global.f32 [$0], f;",
        "st.global.f64 [$0], $1;",
    ),
}
_VECTORS = {
    F32: (
        "cvt.rn.f16x2.f32 u, $2, $1; cvt.rn.f16x2.f32 v, $4, $3; st.global.v2.b32 [$0], {u, v};",
        "cvt.rn.bf16x2.f32 u, $2, $1; cvt.rn.bf16x2.f32 v, $4, $3; st.global.v2.b32 [$0], {u, v};",
        "st.global.v4.f32 [$0], {$1, $2, $3, $4};",
    ),
    F64: ("", "", "", "st.global.v2.f64 [$0], {$1, $2};"),
}


def _chosen(texts: tuple[str, ...], dtype: str) -> str:
    """PTX that executes the text of that dtype's number."""
    lines = [".reg .pred p; .reg .b16 h, z; .reg .b32 u, v; .reg .f32 f; .reg .f64 d; mov.b16 z, 0;"]
    for kind, text in enumerate(texts):
        lines.append(f"setp.eq.s32 p, {dtype}, {kind};" if text else "")
        lines += [f"@p {line.strip()};" for line in text.split(";") if line.strip()]
    return "{ " + " ".join(lines) + " }"


def _load_model(thread: Any, address: int, dtype: int, like: Any) -> Any:
    stored = thread.read_global(address, _STORED[dtype])
    return type(like)(widened(stored, dtype) if dtype in (FLOAT16, BFLOAT16) else stored)


@instruction(_load_model)
def load(context: Any, address: Any, dtype: Any, like: Any) -> Any:
    """An element in global memory, of whichever dtype, as a number of `like`'s type."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = args[2].type
        text = f"mov.{PTX[element][0]} $0, {PTX[element][3]}; {_chosen(_LOADS[element], '$2')}"
        return asm(builder, element, text, f"={PTX[element][1]},l,r,~{{memory}}", args[:2])

    return like(types.uint64, types.int32, like), generate


def _stored(value: Any, dtype: int) -> Any:
    if dtype in (FLOAT16, BFLOAT16):
        return narrowed(np.asarray(value), dtype)[()]
    return _STORED[dtype].type(value)


@instruction(lambda thread, address, dtype, value: thread.write_global(address, _stored(value, dtype)))
def store(context: Any, address: Any, dtype: Any, value: Any) -> Any:
    """A number to global memory, rounded to whichever dtype (float64 not to bfloat16)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        text = _chosen(_STORES[args[2].type], "$2")
        at, kind, value = args
        asm(builder, VOID, text, f"l,{PTX[value.type][1]},r,~{{memory}}", [at, value, kind])
        return nothing(context)

    return types.void(types.uint64, types.int32, value), generate


def _store_vector_model(thread: Any, address: int, dtype: int, values: Any) -> None:
    thread.write_vector(address, np.array([_stored(value, dtype) for value in values]))


@instruction(_store_vector_model)
def store_vector(context: Any, address: Any, dtype: Any, values: Any) -> Any:
    """16 bytes of numbers in registers to neighbours in global memory, rounded to the dtype: float64 as it
    is, float32 to any but float64. The address is a multiple of what they are together."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = context.get_data_type(signature.args[2].dtype)
        _, letter, count, _ = PTX[element]
        register = registers_of(context, builder, signature.args[2], args[2])
        numbers = [builder.load(register(i)) for i in range(count)]
        text = _chosen(_VECTORS[element], f"${count + 1}")
        constraints = ",".join(["l", *[letter] * count, "r", "~{memory}"])
        asm(builder, VOID, text, constraints, [args[0], *numbers, args[1]])
        return nothing(context)

    return types.void(types.uint64, types.int32, values), generate


def _load_shared_model(thread: Any, address: int, like: Any) -> Any:
    thread.let_others()
    return thread.read_shared(address, like.itemsize).view(like.dtype)[0]


@instruction(_load_shared_model)
def load_one(context: Any, address: Any, like: Any) -> Any:
    """A number of `like`'s type in shared memory."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        suffix, letter, *_ = PTX[args[1].type]
        return asm(builder, args[1].type, f"ld.shared.{suffix} $0, [$1];", f"={letter},r,~{{memory}}",
                   args[:1])

    return like(types.uint32, like), generate
