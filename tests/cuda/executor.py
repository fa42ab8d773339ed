"""Runs kernels on the CPU as fast as it can: Numba's PTX of them, translated to C (translated.py, threads.c).

What the emulator (emulator.py) sees of instructions' models is seen here of the instructions: registers of 32
bits, and what Numba and NVVM made of the source. Threads take turns at barriers alone.
"""

import ctypes
import functools
import os
import pathlib
import shlex
import subprocess
import tempfile

import device
import numpy as np
from blocks import Misuse
from translated import translated

from fastla.cuda import code

RUNTIME = pathlib.Path(__file__).with_name("threads.c")
FLAGS = ("-O1", "-march=native", "-ffp-contract=off", "-fwrapv", "-fno-strict-aliasing", "-w", "-shared",
         "-fPIC")


@functools.cache
def launcher(variant):
    """The C function that launches a kernel."""
    ptx = code.ptx_of(variant.make(), variant.signature, device.A100.compute_capability, variant.threads)
    folder = pathlib.Path(tempfile.mkdtemp())
    source, library = folder / "kernel.c", folder / "kernel.so"
    source.write_text(RUNTIME.read_text() + translated(ptx))
    compiler = shlex.split(os.environ.get("CC", "cc"))
    subprocess.run([*compiler, *FLAGS, "-o", library, source, "-lm"], check=True)
    launch = ctypes.CDLL(library).launch
    launch.restype = ctypes.c_char_p
    whole = np.ctypeslib.ndpointer(np.uint64, 1)
    launch.argtypes = [ctypes.c_uint32 * 3, ctypes.c_uint32, ctypes.c_uint32, whole, whole, ctypes.c_uint32]
    return launch


class Compiled(device.Emulated):
    """The backend."""

    def execute(self, variant, grid, arguments):
        memory = np.array([x[:2] for x in device.Array.memory.arrays], np.uint64).reshape(-1)
        words = np.array([x % (1 << 64) for x in arguments], np.uint64)
        wrong = launcher(variant)((ctypes.c_uint32 * 3)(*grid), variant.threads, variant.shared_bytes, words,
                                  memory, len(memory) // 2)
        if wrong:
            raise Misuse(wrong.decode())
