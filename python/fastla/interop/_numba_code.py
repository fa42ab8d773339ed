"""Instructions of compiled code for a product: what `fastla.interop.numba` cannot say in Python.

Each intrinsic takes types while a function is compiled, and writes LLVM's instructions for their values.
"""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.numpy_support import as_dtype

from fastla import cython_api

# Functions that users cache outlive this version of fastla; another signature gets another name.
SYMBOL = "fastla_numba_gemm_nd_1"

INT, WORD = ir.IntType(32), ir.IntType(64)
NONE, ONE = WORD(0), WORD(1)
CODES = {
    types.float32: cython_api.FASTLA_F32,
    types.float64: cython_api.FASTLA_F64,
    types.complex64: cython_api.FASTLA_C64,
    types.complex128: cython_api.FASTLA_C128,
    types.int8: cython_api.FASTLA_I8,
    types.int16: cython_api.FASTLA_I16,
    types.int32: cython_api.FASTLA_I32,
    types.int64: cython_api.FASTLA_I64,
    types.uint8: cython_api.FASTLA_I8,
    types.uint16: cython_api.FASTLA_I16,
    types.uint32: cython_api.FASTLA_I32,
    types.uint64: cython_api.FASTLA_I64,
}


def product_ndim(x1: Any, x2: Any) -> int:
    """Number of axes of the product of two array types."""
    return max(x1.ndim - 2, x2.ndim - 2, 0) + (x1.ndim > 1) + (x2.ndim > 1)


class _View:
    """What an array consists of, as values of the code that is made."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any) -> None:
        array = context.make_array(kind)(context, builder, value)
        self.data = builder.bitcast(array.data, cgutils.voidptr_t)
        self.shape = cgutils.unpack_tuple(builder, array.shape, kind.ndim)
        self.strides = cgutils.unpack_tuple(builder, array.strides, kind.ndim)
        self.dtype = kind.dtype
        self.stack = max(kind.ndim - 2, 0)  # axes along which products are repeated

    def extent(self, builder: Any) -> tuple[Any, Any]:
        """The first address of its memory and the one after the last."""
        low = builder.ptrtoint(self.data, WORD)
        high = builder.add(low, WORD(as_dtype(self.dtype).itemsize))
        for size, stride in zip(self.shape, self.strides, strict=True):
            span = builder.mul(builder.sub(size, ONE), stride)
            down = builder.icmp_signed("<", stride, NONE)
            low = builder.add(low, builder.select(down, span, NONE))
            high = builder.add(high, builder.select(down, NONE, span))
        return low, high

    def is_aligned(self, builder: Any) -> Any:
        """Whether every element is; Numba's types do not say."""
        together = functools.reduce(builder.or_, self.strides, builder.ptrtoint(self.data, WORD))
        return _equal(builder, builder.and_(together, WORD(as_dtype(self.dtype).alignment - 1)), NONE)

    def stack_strides(self, builder: Any, ndim: int) -> list[Any]:
        """Strides of its stack, broadcast to so many axes."""
        strides = [NONE] * (ndim - self.stack)
        for size, stride in zip(self.shape[: self.stack], self.strides, strict=False):
            strides.append(builder.select(_equal(builder, size, ONE), NONE, stride))
        return strides


class _Operands:
    """A (m x k) and B (k x n); m and n are the sizes that the product has an axis for."""

    def __init__(self, context: Any, builder: Any, kinds: Any, values: Any) -> None:
        self.a, self.b = a, b = [_View(context, builder, *pair) for pair in zip(kinds, values, strict=True)]
        self.m, self.n = a.shape[:-1][-1:], b.shape[1:][-1:]
        self.k, self.kb = a.shape[-1], b.shape[-2:][0]


def _equal(builder: Any, x: Any, y: Any) -> Any:
    return builder.icmp_signed("==", x, y)


@intrinsic
def inner_agree(typingctx: Any, x1: Any, x2: Any) -> Any:
    """Whether rows of x1 are as long as columns of x2."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        operands = _Operands(context, builder, signature.args, arguments)
        return _equal(builder, operands.k, operands.kb)

    return types.boolean(x1, x2), generate


@intrinsic
def product_shape(typingctx: Any, x1: Any, x2: Any) -> Any:
    """The shape of a product, if there is one."""
    shape = types.BaseTuple.from_types([types.intp] * product_ndim(x1, x2))

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        operands = _Operands(context, builder, signature.args, arguments)
        views = operands.a, operands.b
        ndim = max(view.stack for view in views)
        sizes = [[ONE] * (ndim - view.stack) + view.shape[: view.stack] for view in views]
        stack = [builder.select(_equal(builder, x, ONE), y, x) for x, y in zip(*sizes, strict=True)]
        return context.make_tuple(builder, shape, [*stack, *operands.m, *operands.n])

    return shape(x1, x2), generate


@intrinsic
def fits(typingctx: Any, x1: Any, x2: Any, shape: Any) -> Any:
    """Whether a product has a shape, or has it with its stack broadcast."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        operands = _Operands(context, builder, signature.args[:2], arguments[:2])
        wanted = cgutils.unpack_tuple(builder, arguments[2], len(shape))
        core = [*operands.m, *operands.n]
        stack = wanted[: len(wanted) - len(core)]
        answers = [_equal(builder, x, y) for x, y in zip(reversed(wanted), reversed(core), strict=False)]
        for view in (operands.a, operands.b):
            leading = view.shape[: view.stack]
            for x, y in zip(reversed(leading), reversed(stack), strict=False):
                answers.append(builder.or_(_equal(builder, x, y), _equal(builder, x, ONE)))
        return functools.reduce(builder.and_, answers, cgutils.true_bit)

    return types.boolean(x1, x2, shape), generate


@intrinsic
def is_direct(typingctx: Any, x1: Any, x2: Any, out: Any) -> Any:
    """Whether out is aligned and shares no memory with an operand (by extent)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pairs = zip(signature.args, arguments, strict=True)
        a, b, c = (_View(context, builder, *pair) for pair in pairs)
        answer, (start, end) = c.is_aligned(builder), c.extent(builder)
        for low, high in (a.extent(builder), b.extent(builder)):
            before, after = builder.icmp_unsigned("<=", high, start), builder.icmp_unsigned("<=", end, low)
            answer = builder.and_(answer, builder.or_(before, after))
        return answer

    return types.boolean(x1, x2, out), generate


@intrinsic
def run(typingctx: Any, x1: Any, x2: Any, c: Any, threads: Any) -> Any:
    """The status of c = x1 x2, of arrays of one dtype, where `fits` holds."""
    return types.int32(x1, x2, c, types.int32), _call


def _call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    def stored(values: list[Any]) -> Any:
        if not values:
            return cgutils.voidptr_t(None)
        place = cgutils.alloca_once_value(builder, cgutils.pack_array(builder, values, WORD))
        return builder.bitcast(place, cgutils.voidptr_t)

    operands = _Operands(context, builder, signature.args[:2], arguments[:2])
    a, b = operands.a, operands.b
    c = _View(context, builder, signature.args[2], arguments[2])
    stack = len(c.shape) - len(operands.m) - len(operands.n)
    values = [
        INT(CODES[c.dtype]),
        *(*(operands.m or [ONE]), *(operands.n or [ONE]), operands.k),
        *(a.data, *(a.strides[-2:-1] or [NONE]), a.strides[-1]),
        *(b.data, *(b.strides[-2:] if operands.n else [b.strides[0], NONE])),
        *(c.data, c.strides[stack] if operands.m else NONE, c.strides[-1] if operands.n else NONE),
        INT(stack),
        stored(c.shape[:stack]),
        stored(a.stack_strides(builder, stack)),
        stored(b.stack_strides(builder, stack)),
        stored(c.strides[:stack]),
        arguments[3],
    ]
    kind = ir.FunctionType(INT, [value.type for value in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, SYMBOL), values)
