"""Numbers of a single thread: instructions of arithmetic, and elements of any dtype read and written.

float32 or float64, whichever the arguments are. Each operation is rounded once, to nearest, and no compiler
makes two of them one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.cuda import cgutils, types

from . import coefficients
from .ptx import F32, F64, I32, I64, PTX, VOID, asm, instruction, literals, nothing
from .sums import cases

# How elements are stored.
FLOAT16, BFLOAT16, FLOAT32, FLOAT64, INT32 = range(5)
NAMES = ("float16", "bfloat16", "float32", "float64", "int32")
DTYPES = {name: number for number, name in enumerate(NAMES)}
SIZES = (2, 2, 4, 8, 4)
STORED = [np.dtype(name) for name in ("uint16", "uint16", "float32", "float64", "int32")]


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
    return _sequence(f"{name}.TYPE {', '.join(f'${i}' for i in range(len(numbers) + 1))};", *numbers)


def _sequence(text: str, *numbers: Any, single: str = "") -> Any:
    """PTX with TYPE in the place of the numbers' type; of float32 it may be another."""
    if any(x != numbers[0] for x in numbers):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        suffix, letter, *_ = PTX[args[0].type]
        chosen = single if single and suffix == "f32" else text.replace("TYPE", suffix)
        constraints = ",".join([f"={letter}"] + [letter] * len(args))
        return asm(builder, args[0].type, chosen, constraints, args, effects=False)

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


@instruction(lambda thread, x: -x)
def negative(context: Any, x: Any) -> Any:
    """-x, for which an instruction that reads it needs none before it."""
    return _operation("neg", x)


@instruction(lambda thread, x, low, high: min(max(abs(x), low), high))
def clamped(context: Any, x: Any, low: Any, high: Any) -> Any:
    """|x|, or the nearest from low to high; of NaN any number."""
    text = "{ .reg .TYPE a; abs.TYPE a, $1; max.TYPE a, a, $2; min.TYPE $0, a, $3; }"
    return _sequence(text, x, low, high)


@instruction(lambda thread, x, y: x if np.isnan(x) else y)
def unless_nan(context: Any, x: Any, y: Any) -> Any:
    """y; x if that is NaN."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_unordered("uno", args[0], args[0]), *args)

    return x(x, x), generate


# What rcp.rn and div.rn do with a float32 (Newton's step from the hardware's approximation; Markstein's from
# the reciprocal), but for the branch to what they do with numbers that are very large or small.
_RECIPROCAL = (
    "{ .reg .f32 r, e, d; rcp.approx.ftz.f32 r, DIVISOR; neg.f32 d, DIVISOR; "
    "fma.rn.f32 e, d, r, 0f3F800000; fma.rn.f32 r, r, e, r; "
)


@instruction(lambda thread, x, y: x / y)
def quotient(context: Any, x: Any, y: Any) -> Any:
    """x / y, rounded once, for y from 1 to 2^20 and x from 2^-100 to 2^100."""
    single = _RECIPROCAL.replace("DIVISOR", "$2")
    single += "mul.rn.f32 e, $1, r; fma.rn.f32 d, d, e, $1; fma.rn.f32 $0, d, r, e; }"
    return _sequence("div.rn.TYPE $0, $1, $2;", x, y, single=single)


# Coefficients of docs/functions.md: all, all but the first, those of odd and of even powers.
POLYNOMIALS = (
    ("exp", slice(None)),
    ("exp", slice(1, None)),
    *((name, slice(first, None, 2)) for name in ("mills_over", "mills_under") for first in (1, 0)),
)


def _table(which: int, double: bool) -> list[float]:
    name, part = POLYNOMIALS[which]
    return [float.fromhex(c) for c in (coefficients.FLOAT64 if double else coefficients.FLOAT32)[name][part]]


def _polynomial_model(thread: Any, which: int, x: Any) -> Any:
    *rest, value = map(type(x), _table(which, isinstance(x, np.float64)))
    for c in reversed(rest):
        value = thread.fma(value, x, c)
    return value


@instruction(_polynomial_model)
def polynomial(context: Any, which: Any, x: Any) -> Any:
    """One of POLYNOMIALS (docs/functions.md), by Horner's rule: a fused multiply-add for each degree."""
    if not literals(which):
        return None
    number = which.literal_value

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = args[1].type
        *rest, value = (ir.Constant(element, c) for c in _table(number, element == F64))
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
    F32: {
        FLOAT16: "ld.global.b16 h, [$1]; cvt.f32.f16 $0, h;",
        BFLOAT16: "ld.global.b16 h, [$1]; mov.b32 $0, {z, h};",
        FLOAT32: "ld.global.f32 $0, [$1];",
        FLOAT64: "ld.global.f64 d, [$1]; cvt.rn.f32.f64 $0, d;",
    },
    F64: {
        FLOAT16: "ld.global.b16 h, [$1]; cvt.f64.f16 $0, h;",
        BFLOAT16: "ld.global.b16 h, [$1]; mov.b32 f, {z, h}; cvt.f64.f32 $0, f;",
        FLOAT32: "ld.global.f32 f, [$1]; cvt.f64.f32 $0, f;",
        FLOAT64: "ld.global.f64 $0, [$1];",
    },
}
_STORES = {
    F32: {
        FLOAT16: "cvt.rn.f16.f32 h, $1; st.global.b16 [$0], h;",
        BFLOAT16: "cvt.rn.bf16.f32 h, $1; st.global.b16 [$0], h;",
        FLOAT32: "st.global.f32 [$0], $1;",
        FLOAT64: "cvt.f64.f32 d, $1; st.global.f64 [$0], d;",
    },
    F64: {
        FLOAT16: "cvt.rn.f16.f64 h, $1; st.global.b16 [$0], h;",
        FLOAT32: "cvt.rn.f32.f64 f, $1; st.global.f32 [$0], f;",
        FLOAT64: "st.global.f64 [$0], $1;",
    },
}
_SCOPE = "{ .reg .b16 h, z; .reg .f32 f; .reg .f64 d; mov.b16 z, 0; TEXT }"


def load_model(thread: Any, address: int, dtype: int, like: Any) -> Any:
    stored = thread.read_global(address, STORED[dtype])
    return type(like)(widened(stored, dtype) if dtype in (FLOAT16, BFLOAT16) else stored)


def load_from(builder: Any, element: Any, address: Any, dtype: Any) -> Any:
    """What `load` is."""
    value = cgutils.alloca_once(builder, element)
    for kind in cases(builder, dtype, _LOADS[element]):
        text = _SCOPE.replace("TEXT", _LOADS[element][kind])
        builder.store(asm(builder, element, text, f"={PTX[element][1]},l,~{{memory}}", [address]), value)
    return builder.load(value)


@instruction(load_model)
def load(context: Any, address: Any, dtype: Any, like: Any) -> Any:
    """An element in global memory, of whichever dtype, as a number of `like`'s type."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return load_from(builder, args[2].type, *args[:2])

    return like(types.uint64, types.int32, like), generate


def stored(value: Any, dtype: int) -> Any:
    """As the dtype has it in memory."""
    if dtype in (FLOAT16, BFLOAT16):
        return narrowed(np.asarray(value), dtype)[()]
    return STORED[dtype].type(value)


@instruction(lambda thread, address, dtype, value: thread.write_global(address, stored(value, dtype)))
def store(context: Any, address: Any, dtype: Any, value: Any) -> Any:
    """A number to global memory, rounded to whichever dtype (float64 not to bfloat16)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address, dtype, value = args
        for kind in cases(builder, dtype, _STORES[value.type]):
            text = _SCOPE.replace("TEXT", _STORES[value.type][kind])
            asm(builder, VOID, text, f"l,{PTX[value.type][1]},~{{memory}}", [address, value])
        return nothing(context)

    return types.void(types.uint64, types.int32, value), generate


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
