"""Any library with a C BLAS interface and 32-bit integers: FASTLA_RIVAL_CBLAS=/path/to/libblis.so.

ctypes costs about 2 us a call here, which shows on the smallest shapes.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.rivals import FULL_COUNT, Call, Contender, then_gelu
from benchmarks.shapes import Problem

ROW_MAJOR, NO_TRANS, TRANS = 101, 111, 112  # the enums of cblas.h

SETTERS = {
    "openblas_set_num_threads": ctypes.c_int,
    "bli_thread_set_num_threads": ctypes.c_int64,  # dim_t
    "MKL_Set_Num_Threads": ctypes.c_int,
}
VERSIONS = ("openblas_get_config", "bli_info_get_version_str")


class Cblas(Contender):
    def __init__(self, path: str) -> None:
        self.handle = ctypes.CDLL(path, mode=os.RTLD_LOCAL)
        self.gemm = {
            "float32": self._gemm("cblas_sgemm", ctypes.c_float),
            "float64": self._gemm("cblas_dgemm", ctypes.c_double),
        }
        self.name = Path(path).name.partition(".")[0].removeprefix("lib") + " (CBLAS)"
        self.library = str(Path(path).resolve().name)
        self.setter = None
        for name, integer in SETTERS.items():
            if hasattr(self.handle, name):
                self.setter = getattr(self.handle, name)
                self.setter.argtypes, self.setter.restype = [integer], None
                break
        else:
            self.note = f"no thread control found: only with {FULL_COUNT} threads"
        self.version = self._version()

    def _gemm(self, name: str, scalar: type) -> Callable[..., object]:
        function: Any = getattr(self.handle, name)
        size, matrix = ctypes.c_int, (ctypes.c_void_p, ctypes.c_int)
        function.argtypes = [*[size] * 6, scalar, *matrix, *matrix, scalar, *matrix]
        function.restype = None
        return cast(Callable[..., object], function)

    def _version(self) -> str:
        for name in VERSIONS:
            if hasattr(self.handle, name):
                function = getattr(self.handle, name)
                function.restype = ctypes.c_char_p
                text: bytes | None = function()
                return text.decode().strip() if text else ""
        return ""

    def set_threads(self, count: int) -> bool:
        if self.setter is None:
            return count == FULL_COUNT
        self.setter(count)
        return True

    def prepare(self, problem: Problem) -> Call | None:
        cell, gemm = problem.cell, self.gemm[problem.cell.dtype]
        linear = cell.kind == "linear"
        a, b, c = (array.ctypes.data for array in (problem.a, problem.b, problem.out))
        sizes = (ROW_MAJOR, NO_TRANS, TRANS if linear else NO_TRANS, cell.m, cell.n, cell.k)
        ldb = cell.k if linear else cell.n
        arguments = (*sizes, 1.0, a, cell.k, b, ldb, 0.0, c, cell.n)

        def call(arrays: tuple[np.ndarray, ...] = (problem.a, problem.b, problem.out)) -> None:
            gemm(*arguments)  # arrays: what the addresses point to stays alive

        return then_gelu(call, problem) if linear else call
