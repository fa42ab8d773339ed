"""Machine code of kernels, with or without a GPU."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any
from unittest import mock

from llvmlite import ir
from llvmlite.ir.values import ArgumentAttributes
from numba.cuda import cgutils, types
from numba.cuda.compiler import _compile_pyfunc_with_fixup, kernel_fixup

from .bulk_copies import MAP_BYTES

_compiling = threading.Lock()


@dataclass(frozen=True)
class Code:
    """Of one kernel for one architecture: the cubin, and what the linker said."""

    cubin: bytes
    log: str


def architecture(compute_capability: tuple[int, int]) -> tuple[int, int] | tuple[int, int, str]:
    """That of a device: Hopper's instructions for tensor cores belong to sm_90a alone."""
    return (*compute_capability, "a") if compute_capability >= (9, 0) else compute_capability


class _ByValue(ArgumentAttributes):  # type: ignore[misc]
    """In the words of the LLVM that the toolkit's compiler has: without the type."""

    _known = MappingProxyType({"byval": False})


def _fix(kernel: Any, debug: bool, cluster: int) -> None:
    """After Numba's own last changes of a kernel: tensor maps are among its arguments; and the cluster."""
    kernel_fixup(kernel, debug)
    module = kernel.module
    notes = cgutils.get_or_insert_named_metadata(module, "nvvm.annotations")

    def number(n: int) -> Any:
        return ir.Constant(ir.IntType(32), n)

    maps = [arg for arg in kernel.args if arg.type == MAP_BYTES.as_pointer()]
    for arg in maps:
        arg.attributes = _ByValue(("byval",))
        arg.attributes.align = 64
    if maps:
        places = module.add_metadata([number(kernel.args.index(arg) + 1) for arg in maps])
        notes.add(module.add_metadata([kernel, "grid_constant", places]))
    if cluster > 1:
        for axis, count in zip("xyz", (cluster, 1, 1), strict=True):
            notes.add(module.add_metadata([kernel, f"cluster_dim_{axis}", number(count)]))


def _library(
    kernel: Callable[..., Any],
    arguments: Sequence[Any],
    target: tuple[int, int] | tuple[int, int, str],
    threads: int,
    cluster: int,
    lto: bool,
) -> Any:
    """Numba's, of a kernel for blocks of so many threads, and clusters of so many blocks."""
    # Functions that a kernel calls ask for the device in use, so that another thread's might be meant.
    device = SimpleNamespace(compute_capability=target)
    with (
        mock.patch("numba.cuda.dispatcher.get_current_device", lambda: device),
        mock.patch("numba.cuda.compiler.kernel_fixup", functools.partial(_fix, cluster=cluster)),
    ):
        library, _ = _compile_pyfunc_with_fixup(
            kernel,
            types.void(*arguments),
            device=False,
            abi="numba",
            cc=target,
            launch_bounds=(threads, 1),
            lto=lto,
        )
        return library


def compile_kernel(
    kernel: Callable[..., Any],
    arguments: Sequence[Any],
    compute_capability: tuple[int, int],
    threads: int,
    cluster: int = 1,
) -> Code:
    """Compiles and links a kernel for blocks of so many threads, and clusters of so many blocks.

    Linked from LTO-IR: without that the linker neither keeps to registers that warps give each other nor
    leaves tensor cores' instructions asynchronous.
    """
    target = architecture(compute_capability)
    with _compiling:
        library = _library(kernel, arguments, target, threads, cluster, lto=True)
        library._lto = True
        return Code(library.get_cubin(cc=target).code, library.get_linkerinfo(target))


def ptx_of(
    kernel: Callable[..., Any], arguments: Sequence[Any], compute_capability: tuple[int, int], threads: int
) -> str:
    """What becomes of a kernel before it is machine code, to be read or run elsewhere."""
    target = architecture(compute_capability)
    with _compiling:
        return str(_library(kernel, arguments, target, threads, 1, lto=False).get_asm_str(cc=target))
