"""Fused multiply-adds of the C library, for the emulator."""

import ctypes
import ctypes.util
import functools
import os
import pathlib
import shlex
import subprocess
import tempfile

import numpy as np

FMA = """
#include <math.h>
#define MULTIPLY_ADD(name, real, fused)                                                            \\
  void name(real *sums, const real *left, const real *right, int rows, int cols) {                 \\
    for (int i = 0; i < rows; ++i)                                                                 \\
      for (int j = 0; j < cols; ++j)                                                               \\
        sums[i * cols + j] = fused(left[i], right[j], sums[i * cols + j]);                         \\
  }
MULTIPLY_ADD(of_4, float, fmaf)
MULTIPLY_ADD(of_8, double, fma)
"""


@functools.cache
def multiply_add():
    """Of matrices of registers, by the size of an element."""
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "fma.c").write_text(FMA)
    library = folder / "fma.so"
    compiler = shlex.split(os.environ.get("CC", "cc"))
    flags = ("-O2", "-ffp-contract=off", "-shared", "-fPIC")
    subprocess.run([*compiler, *flags, "-o", library, folder / "fma.c", "-lm"], check=True)
    loaded = ctypes.CDLL(library)
    for function in (loaded.of_4, loaded.of_8):
        function.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int] * 2
    return {4: loaded.of_4, 8: loaded.of_8}


@functools.cache
def fma():
    """Of single numbers, by their type."""
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    for function, real in ((library.fmaf, ctypes.c_float), (library.fma, ctypes.c_double)):
        function.restype, function.argtypes = real, [real] * 3
    return {np.float32: library.fmaf, np.float64: library.fma}
