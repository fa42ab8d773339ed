"""What kernels are made of beside Numba's own vocabulary: each instruction once, as PTX and as a model of it.

A kernel is an ordinary Python function. Numba compiles it with the instructions that are here; with their
models in their place Python runs it (tests/cuda/emulator.py), a thread at a time. A model gets the thread
that executes it, which has memory: addresses are numbers there as they are on the device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.cuda import types
from numba.cuda.extending import intrinsic

F32, F64, I32, I64, VOID = ir.FloatType(), ir.DoubleType(), ir.IntType(32), ir.IntType(64), ir.VoidType()
# Of a floating-point type in PTX: suffix, constraint, how many are a vector of 16 bytes, 0.
PTX: dict[Any, tuple[str, str, int, str]] = {
    F32: ("f32", "f", 4, f"0f{0:08}"),
    F64: ("f64", "d", 2, f"0d{0:016}"),
}

MODELS: dict[Any, Callable[..., Any]] = {}  # by what kernels call


def instruction(model: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """The typing function, made an intrinsic of the same name."""

    def register(typing: Callable[..., Any]) -> Any:
        made = intrinsic(typing)
        MODELS[made] = model
        return made

    return register


def asm(builder: Any, result: Any, text: str, constraints: str, args: Any = (), effects: bool = True) -> Any:
    kind = ir.FunctionType(result, [x.type for x in args])
    return builder.call(ir.InlineAsm(kind, text, constraints, side_effect=effects), list(args))


def nothing(context: Any) -> Any:
    return context.get_dummy_value()


def literals(*kinds: Any) -> bool:
    """Numba asks for types twice: with literal numbers, and without, which will not do."""
    return all(isinstance(kind, types.IntegerLiteral) for kind in kinds)


def registers_of(context: Any, builder: Any, kind: Any, array: Any) -> Callable[[int], Any]:
    """Addresses of a local array's elements, which become registers if all are constants."""
    data = context.make_array(kind)(context, builder, array).data
    return lambda i: builder.gep(data, [I32(i)])


# --- Addresses --------------------------------------------------------------------------------


@instruction(lambda thread, array: thread.shared_address(array))
def shared_address(context: Any, array: Any) -> Any:
    """Where an array in shared memory begins: 32 bits, as instructions for shared memory want it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        text = "{ .reg .u64 t; cvta.to.shared.u64 t, $1; cvt.u32.u64 $0, t; }"
        return asm(builder, I32, text, "=r,l", [builder.ptrtoint(data, I64)], effects=False)

    return types.uint32(array), generate


# --- Copies from global to shared memory, which go on while the thread does --------------------


@instruction(lambda thread, to, start, size, count: thread.copy_later(to, start, size, count))
def cp_async(context: Any, to: Any, start: Any, size: Any, count: Any) -> Any:
    """Copies `count` bytes of `size` (4, 8, 16); the rest becomes 0. Both addresses are multiples of size."""
    if not literals(size):
        return None
    cached = "cg" if size.literal_value == 16 else "ca"
    text = f"cp.async.{cached}.shared.global [$0], [$1], {size.literal_value}, $2;"

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        asm(builder, VOID, text, "r,l,r,~{memory}", [args[0], args[1], args[3]])
        return nothing(context)

    return types.void(types.uint32, types.uint64, size, types.int32), generate


@instruction(lambda thread: thread.commit())
def cp_async_commit(context: Any) -> Any:
    """The thread's copies since the last time are a group."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        asm(builder, VOID, "cp.async.commit_group;", "~{memory}")
        return nothing(context)

    return types.void(), generate


@instruction(lambda thread, groups: thread.wait(groups))
def cp_async_wait(context: Any, groups: Any) -> Any:
    """Until all groups of the thread's but the last `groups` have arrived."""
    if not literals(groups):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        asm(builder, VOID, f"cp.async.wait_group {groups.literal_value};", "~{memory}")
        return nothing(context)

    return types.void(groups), generate


# --- Registers --------------------------------------------------------------------------------


@instruction(lambda thread, x: x)
def anew(context: Any, x: Any) -> Any:
    """x: what is computed from it is computed here, every time, and takes no register in between."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return asm(builder, I32, "mov.b32 $0, $1;", "=r,r", args)

    return types.int32(types.int32), generate


def _load_model(thread: Any, registers: Any, vectors: int, apart: int, address: int) -> None:
    lanes = 16 // registers.itemsize
    thread.let_others()
    for v in range(vectors):
        values = thread.read_shared(address + v * apart, 16).view(registers.dtype)
        registers[v * lanes : (v + 1) * lanes] = values


@instruction(_load_model)
def load_shared(context: Any, registers: Any, vectors: Any, apart: Any, address: Any) -> Any:
    """So many vectors of 16 bytes of shared memory, `apart` bytes from each other, into registers."""
    if not literals(vectors, apart):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = context.get_data_type(signature.args[0].dtype)
        suffix, letter, lanes, _ = PTX[element]
        register = registers_of(context, builder, signature.args[0], args[0])
        names = ", ".join(f"${i}" for i in range(lanes))
        kind = ir.LiteralStructType([element] * lanes)
        for v in range(vectors.literal_value):
            text = f"ld.shared.v{lanes}.{suffix} {{{names}}}, [${lanes}+{v * apart.literal_value}];"
            loaded = asm(builder, kind, text, f"={letter}," * lanes + "r,~{memory}", [args[3]])
            for i in range(lanes):
                builder.store(builder.extract_value(loaded, i), register(v * lanes + i))
        return nothing(context)

    return types.void(registers, vectors, apart, types.uint32), generate


def _multiply_add_model(thread: Any, sums: Any, left: Any, right: Any, rows: int, cols: int) -> None:
    thread.multiply_add(sums, left, right, rows, cols)


@instruction(_multiply_add_model)
def multiply_add(context: Any, sums: Any, left: Any, right: Any, rows: Any, cols: Any) -> Any:
    """sums[i * cols + j] = fma(left[i], right[j], sums[i * cols + j])."""
    if not literals(rows, cols):
        return None
    m, n = rows.literal_value, cols.literal_value

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        total, x, y = (registers_of(context, builder, signature.args[i], args[i]) for i in range(3))
        right_values = [builder.load(y(j)) for j in range(n)]
        for i in range(m):
            value = builder.load(x(i))
            for j in range(n):
                at = total(i * n + j)
                builder.store(builder.fma(value, right_values[j], builder.load(at)), at)
        return nothing(context)

    return types.void(sums, left, right, rows, cols), generate
