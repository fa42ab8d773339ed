"""Hopper's instructions for tensor cores: products by a warpgroup (128 threads) of what is in shared memory.

They run beside the threads that start them: sums belong to the hardware from the first `multiply_boxes` on
until `wait_for_products`, and so does the shared memory that is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numba.cuda import types

from . import float8
from .numbers import BFLOAT16, FLOAT16, widened
from .ptx import F32, I32, I64, VOID, asm, instruction, literals, nothing, registers_of

# A box is so wide in its contiguous direction; hardware then exchanges units of 16 bytes (SWIZZLE): unit u of
# line l is at u ^ (l % 8), which spreads a column over all banks. Eight lines are 1024 bytes.
WIDTH = 128
ALIGNMENT = 8 * WIDTH


@dataclass(frozen=True)
class Kind:
    """What is multiplied: its name in PTX, bytes of an element, and whether sums are float32 or int32.

    short: the hardware's own sums have fewer bits than float32, about 14; threads add those of a stage.
    """

    ptx: str
    size: int
    whole: bool = False  # int32
    short: bool = False

    @property
    def box(self) -> int:
        """Elements of a box's line."""
        return WIDTH // self.size

    @property
    def steps(self) -> int:
        """Of K, of one instruction."""
        return 32 // self.size

    @property
    def any_direction(self) -> bool:
        """Whether lines as well as steps of K may be contiguous."""
        return self.size == 2


KINDS = (
    Kind("f16", 2),
    Kind("bf16", 2),
    Kind("tf32", 4),
    Kind("e4m3", 1, short=True),
    Kind("e5m2", 1, short=True),
    Kind("s8", 1, whole=True),
    Kind("u8", 1, whole=True),
)
assert KINDS[FLOAT16].ptx == "f16" and KINDS[BFLOAT16].ptx == "bf16"
TFLOAT32, FLOAT8_E4M3, FLOAT8_E5M2, INT8, UINT8 = range(2, 7)


def decoded(data: Any, kind: int) -> Any:
    """Bytes as the numbers that are multiplied, in double precision; integers as they are."""
    if kind in (FLOAT16, BFLOAT16):
        return widened(data.view(np.uint16), kind).astype(float)
    if kind == TFLOAT32:
        return (data.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32).astype(float)
    if kind in (INT8, UINT8):
        return data.view(np.int8 if kind == INT8 else np.uint8).astype(np.int64)
    return float8.decoded(data, float8.FLOAT8[kind - FLOAT8_E4M3])


# --- Descriptors of operands ---------------------------------------------------------------------


def descriptor_bits(follow: bool) -> int:
    """All of a descriptor but the address. Boxes follow each other; their lines, or (follow) their steps, are
    128 bytes apart.

    Bits 16 to 29 say how far 64 lines are from the next if lines follow each other (a box), 32 to 45 how far
    eight lines (steps) are from the next eight, both in units of 16 bytes; 62: units are exchanged as above.
    """
    box = 64 * WIDTH if follow else 16
    return 1 << 62 | ALIGNMENT >> 4 << 32 | box >> 4 << 16


def _operand(thread: Any, descriptor: int, lines: int, follow: int, kind: int) -> Any:
    """Lines by steps, as the hardware finds them; the addresses' bits 4 to 6 are exchanged by bits 7 to 9."""
    size, steps = KINDS[kind].size, KINDS[kind].steps
    start = (descriptor & 0x3FFF) << 4
    box, eight = (descriptor >> 16 & 0x3FFF) << 4, (descriptor >> 32 & 0x3FFF) << 4
    if descriptor >> 62 != 1 or descriptor >> 49 & 7:
        raise ValueError("a descriptor of another layout")
    line, step = np.arange(lines)[:, None], np.arange(steps)[None, :]
    if follow:
        at = line // 64 * box + line % 64 * size + step // 8 * eight + step % 8 * WIDTH
    else:
        at = line // 8 * eight + line % 8 * WIDTH + step * size
    at = start + at
    at ^= (at >> 7 & 7) << 4
    data = thread.shared_elements(at, size)
    return decoded(np.ascontiguousarray(data), kind).reshape(lines, steps)


# --- Products --------------------------------------------------------------------------------------


@instruction(lambda thread: thread.warpgroup(lambda lanes: lanes[0].fence_products()))
def begin_products(context: Any) -> Any:
    """Sums and shared memory written by threads are seen by products after it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        asm(builder, VOID, "wgmma.fence.sync.aligned;", "~{memory}")
        return nothing(context)

    return types.void(), generate


def _short(x: Any) -> Any:
    """Cut to 14 bits."""
    fraction, exponent = np.frexp(x)
    return np.ldexp(np.trunc(fraction * 2**14), exponent - 14)


def _multiply_model(
    lanes: Any, sums: Any, cols: int, a: int, b: int, a_follow: int, b_follow: int, kind: int
) -> None:
    def product() -> Any:
        left = _operand(lanes[0], a, 64, a_follow, kind)
        right = _operand(lanes[0], b, cols, b_follow, kind)
        with np.errstate(invalid="ignore", over="ignore"):
            return lanes[0].product(left, right.T)

    def add(totals: Any, made: Any) -> None:
        """Lane l of a warp has the rows l / 4 and that plus 8 of its 16, two columns of every eight."""
        for lane in range(128):
            row, col = lane // 32 * 16 + lane % 32 // 4, lane % 4 * 2
            own = made[row : row + 9 : 8].reshape(2, cols // 8, 8)[:, :, col : col + 2]
            own = own.transpose(1, 0, 2).reshape(-1)
            with np.errstate(over="ignore", invalid="ignore"):
                total = totals[lane] + own
                totals[lane][:] = (_short(total) if KINDS[kind].short else total).astype(totals[lane].dtype)

    lanes[0].start_product(product, add, sums)


def _multiply_boxes_model(
    thread: Any, sums: Any, cols: int, a: int, b: int, a_follow: int, b_follow: int, kind: int
) -> None:
    def model(lanes: Any, all_sums: Any) -> None:
        for part in range(4):
            left, right = a + part * a_step(a_follow, kind), b + part * a_step(b_follow, kind)
            _multiply_model(lanes, all_sums, cols, left, right, a_follow, b_follow, kind)

    thread.warpgroup(model, sums)


@instruction(_multiply_boxes_model)
def multiply_boxes(
    context: Any, sums: Any, cols: Any, a: Any, b: Any, a_follow: Any, b_follow: Any, kind: Any
) -> Any:
    """Starts sums += A B of 64 rows, so many columns, as many steps of K as a box has: four instructions.

    `a`, `b`: descriptors; `a_follow`, `b_follow`: rows of A, columns of B are contiguous, not the steps.
    """
    if not literals(cols, a_follow, b_follow, kind):
        return None
    what, n = KINDS[kind.literal_value], cols.literal_value
    count = n // 2
    letter, sum_kind = ("r", I32) if what.whole else ("f", F32)
    name = f"m64n{n}k{what.steps}.{'s32' if what.whole else 'f32'}.{what.ptx}.{what.ptx}"
    end = "" if what.whole else ", 1, 1"
    if what.any_direction:
        end += f", {a_follow.literal_value}, {b_follow.literal_value}"
    held = ", ".join(f"${i}" for i in range(count))
    text = f"wgmma.mma_async.sync.aligned.{name} {{{held}}}, ${2 * count}, ${2 * count + 1}, p{end};"
    text = f"{{ .reg .pred p; setp.eq.s32 p, 0, 0; {text} }}"
    constraints = ",".join([f"={letter}"] * count + [str(i) for i in range(count)] + ["l", "l"])

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        register = registers_of(context, builder, signature.args[0], args[0])
        result = ir.LiteralStructType([sum_kind] * count)
        for part in range(4):
            given = [builder.load(register(i)) for i in range(count)]
            for of, follow in ((args[2], a_follow), (args[3], b_follow)):
                far = a_step(follow.literal_value, kind.literal_value)
                given.append(builder.add(of, I64(part * far)))
            made = asm(builder, result, text, constraints, given)
            for i in range(count):
                builder.store(builder.extract_value(made, i), register(i))
        return nothing(context)

    return types.void(sums, cols, types.uint64, types.uint64, a_follow, b_follow, kind), generate


def a_step(follow: int, kind: int) -> int:
    """From an instruction's steps of K to the next one's, in a descriptor's units."""
    return (KINDS[kind].steps * WIDTH if follow else 32) >> 4


@instruction(lambda thread: thread.warpgroup(lambda lanes: lanes[0].commit_products()))
def commit_products(context: Any) -> Any:
    """The products started since the last one are a group."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        asm(builder, VOID, "wgmma.commit_group.sync.aligned;", "~{memory}")
        return nothing(context)

    return types.void(), generate


@instruction(lambda thread, groups: thread.warpgroup(lambda lanes: lanes[0].wait_for_products(groups)))
def wait_for_products(context: Any, groups: Any) -> Any:
    """Waits until no more than so many groups are unfinished: what older ones read may be written again."""
    if not literals(groups):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        text = f"wgmma.wait_group.sync.aligned {groups.literal_value};"
        asm(builder, VOID, text, "~{memory}")
        return nothing(context)

    return types.void(groups), generate


@instruction(
    lambda thread, sums, cols: thread.warpgroup(lambda lanes, _: lanes[0].wait_for_products(0), sums)
)
def take_sums(context: Any, sums: Any, cols: Any) -> Any:
    """Waits for all products; the sums are the threads' again."""
    if not literals(cols):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        count = cols.literal_value // 2
        register = registers_of(context, builder, signature.args[0], args[0])
        kind = context.get_data_type(signature.args[0].dtype)
        letter = "f" if kind == F32 else "r"
        constraints = ",".join([f"={letter}"] * count + [str(i) for i in range(count)]) + ",~{memory}"
        given = [builder.load(register(i)) for i in range(count)]
        text = "wgmma.wait_group.sync.aligned 0;"
        made = asm(builder, ir.LiteralStructType([kind] * count), text, constraints, given)
        for i in range(count):
            builder.store(builder.extract_value(made, i), register(i))
        return nothing(context)

    return types.void(sums, cols), generate
