"""Floats of 8 bits: with four bits of exponent (e4m3, no infinity: "fn") or with five (e5m2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.cuda import cgutils, types

from .numbers import NAMES
from .ptx import F64, asm, instruction
from .sums import cases

E4M3, E5M2 = FLOAT8 = ("float8_e4m3fn", "float8_e5m2")
FIRST = len(NAMES)  # their numbers follow those of other dtypes
DTYPES = {name: FIRST + i for i, name in enumerate(FLOAT8)}

# The bits are those of a float16 with zeros behind them; of e4m3 that is 2^8 times too small, and what would
# be 480 is NaN.
_LOADS = (
    "{ .reg .pred p; .reg .b16 b, s; ld.global.u8 b, [$1]; shl.b16 s, b, 8; and.b16 s, s, 0x8000; "
    "and.b16 b, b, 127; setp.eq.u16 p, b, 127; shl.b16 b, b, 7; or.b16 b, b, s; cvt.f64.f16 $0, b; "
    "mul.rn.f64 $0, $0, 0d4070000000000000; @p mov.f64 $0, 0d7FF8000000000000; }",
    "{ .reg .b16 b; ld.global.u8 b, [$1]; shl.b16 b, b, 8; cvt.f64.f16 $0, b; }",
)


def decoded(data: Any, name: str) -> Any:
    """Bytes as numbers in double precision."""
    exponent_bits = 4 if name == E4M3 else 5
    bits = np.arange(256)
    mantissa_bits, bias = 7 - exponent_bits, 2 ** (exponent_bits - 1) - 1
    exponent, mantissa = bits >> mantissa_bits & 2**exponent_bits - 1, bits & 2**mantissa_bits - 1
    fraction = mantissa / 2**mantissa_bits + (exponent > 0)
    values = np.ldexp(fraction, np.maximum(exponent, 1) - bias)
    if exponent_bits == 4:
        values[(bits & 127) == 127] = np.nan
    else:
        values[exponent == 31] = np.nan
        values[(bits & 127) == 124] = np.inf
    return np.where(bits & 128, -values, values)[data]


@instruction(
    lambda thread, at, kind: decoded(thread.read_global(at, np.dtype(np.uint8)), FLOAT8[kind - FIRST])
)
def load_float8(context: Any, address: Any, dtype: Any) -> Any:
    """An element in global memory, of whichever of DTYPES."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = cgutils.alloca_once(builder, F64)
        for kind in cases(builder, args[1], DTYPES.values()):
            text = _LOADS[kind - FIRST]
            builder.store(asm(builder, F64, text, "=d,l,~{memory}", args[:1]), value)
        return builder.load(value)

    return types.float64(types.uint64, types.int32), generate
