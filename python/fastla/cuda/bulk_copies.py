"""Hopper's copies of whole boxes (TMA), the barriers in shared memory that they report to, and registers that
warps give each other.

A barrier counts arrivals and bytes. Its phases have parities 0, 1, 0, ...: a phase ends when as many threads
have arrived as were said when it was made, and all bytes that they expected have come. A barrier of which
nothing has ended yet lets those pass who wait for parity 1.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.cuda import models, types
from numba.cuda.extending import register_model

from .ptx import I32, I64, VOID, asm, instruction, literals, nothing


class TensorMapType(types.Type):  # type: ignore[misc]
    """A tensor map (tensor_map.TensorMap): 128 bytes among the kernel's arguments, known by their address."""

    def __init__(self) -> None:
        super().__init__(name="TensorMap")


TENSOR_MAP = TensorMapType()
MAP_BYTES = ir.ArrayType(ir.IntType(64), 16)


@register_model(TensorMapType)
class _TensorMapModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, MAP_BYTES.as_pointer())


def _emitted(text: str, constraints: str, *kinds: Any) -> Any:
    """An instruction without a result, of numbers as they come."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        asm(builder, VOID, text, constraints, args)
        return nothing(context)

    return types.void(*kinds), generate


@instruction(lambda thread, barrier, count: thread.make_barrier(barrier, count))
def make_barrier(context: Any, barrier: Any, count: Any) -> Any:
    """A barrier of so many arrivals, 8 bytes of shared memory."""
    text = "mbarrier.init.shared::cta.b64 [$0], $1;"
    return _emitted(text, "r,r,~{memory}", types.uint32, types.int32)


@instruction(lambda thread: thread.show_barriers())
def show_barriers(context: Any) -> Any:
    """Barriers made before are seen by copies after it, of this thread, and of others after `syncthreads`."""
    return _emitted("fence.mbarrier_init.release.cluster;", "~{memory}")


@instruction(lambda thread, barrier, count: thread.expect_bytes(barrier, count))
def expect_bytes(context: Any, barrier: Any, count: Any) -> Any:
    """Arrives; the phase lasts until so many bytes have come."""
    text = "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], $1;"
    return _emitted(text, "r,r,~{memory}", types.uint32, types.int32)


@instruction(lambda thread, barrier, rank, whether: thread.arrive(barrier, rank=rank) if whether else None)
def arrive_if(context: Any, barrier: Any, rank: Any, whether: Any) -> Any:
    """At the barrier of that block of the cluster; no branch, which tensor cores at work do not allow. The
    cluster hears of no writes by it, which would be a fence."""
    text = "{ .reg .pred p; .reg .b32 there; setp.ne.s32 p, $2, 0; "
    text += "@p mapa.shared::cluster.u32 there, $0, $1; "
    text += "@p mbarrier.arrive.shared::cluster.b64 _, [there]; }"
    return _emitted(text, "r,r,r,~{memory}", types.uint32, types.int32, types.int32)


@instruction(lambda thread, barrier, parity: thread.wait_for(barrier, parity))
def wait_for(context: Any, barrier: Any, parity: Any) -> Any:
    """Waits until the phase of that parity has ended."""
    text = "{ .reg .pred p; AGAIN: mbarrier.try_wait.parity.shared::cta.b64 p, [$0], $1; "
    text += "@p bra PASSED; bra AGAIN; PASSED: }"
    return _emitted(text, "r,r,~{memory}", types.uint32, types.int32)


def _copy_model(
    thread: Any, to: int, tensor: Any, barrier: int, x: int, y: int, z: int, blocks: int
) -> None:
    thread.copy_box(to, tensor, barrier, (x, y, z), 2**blocks - 1 if blocks > 1 else None)


@instruction(_copy_model)
def copy_box(
    context: Any, to: Any, tensor: Any, barrier: Any, x: Any, y: Any, z: Any, blocks: Any
) -> Any:
    """Starts a copy of a tensor map's box to shared memory; the first element's place in the tensor is given.

    What lies outside of the tensor comes as zeros. The barrier hears of its bytes when they are there. More
    than one block: to the first so many of the cluster, each of whose barriers hears of it.
    """
    if not literals(blocks):
        return None
    many = blocks.literal_value > 1
    text = "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
    text += ".multicast::cluster" if many else ""
    text += " [$0], [$1, {$3, $4, $5}], [$2]" + (", $6;" if many else ";")
    mask = [ir.Constant(ir.IntType(16), 2**blocks.literal_value - 1)] if many else []

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = builder.ptrtoint(args[1], I64)
        constraints = "r,l,r,r,r,r,h,~{memory}" if many else "r,l,r,r,r,r,~{memory}"
        asm(builder, VOID, text, constraints, [args[0], where, *args[2:6], *mask])
        return nothing(context)

    given = (types.uint32, types.int32, types.int32, types.int32)
    return types.void(types.uint32, tensor, *given, blocks), generate


# --- Clusters: blocks of threads that run at the same time -------------------------------------


@instruction(lambda thread: thread.block.rank)
def rank_in_cluster(context: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return asm(builder, I32, "mov.u32 $0, %cluster_ctarank;", "=r", effects=False)

    return types.int32(), generate


@instruction(lambda thread: thread.wait_for_cluster())
def wait_for_cluster(context: Any) -> Any:
    """A barrier of all threads of the cluster's blocks."""
    text = "barrier.cluster.arrive; barrier.cluster.wait;"
    return _emitted(text, "~{memory}")


# --- Registers, and who does what ------------------------------------------------------------------


@instruction(lambda thread: int(thread.index % 32 == 0))
def elected(context: Any) -> Any:
    """1 for one lane of a warp that is here as a whole, 0 for the others."""
    text = "{ .reg .pred p; elect.sync _|p, 0xffffffff; selp.b32 $0, 1, 0, p; }"

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return asm(builder, I32, text, "=r")

    return types.int32(), generate


def _set_registers(how: str) -> Any:
    @instruction(lambda thread, count: None)
    def set_registers(context: Any, count: Any) -> Any:
        """A warpgroup's threads have so many registers from now on."""
        if not literals(count):
            return None

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            asm(builder, VOID, f"setmaxnreg.{how}.sync.aligned.u32 {count.literal_value};", "~{memory}")
            return nothing(context)

        return types.void(count), generate

    return set_registers


give_registers, take_registers = _set_registers("dec"), _set_registers("inc")
