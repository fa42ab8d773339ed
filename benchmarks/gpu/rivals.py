"""Who takes part beside fastla: cuBLAS called with explicit types, and PyTorch's products and fused layer."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.gpu.cells import CUBLAS, Cell
from benchmarks.gpu.problems import Absent, Call, Problem

# cudaDataType_t (library_types.h), cublasComputeType_t and cublasGemmAlgo_t (cublas_api.h)
TYPES = {"float32": 0, "float64": 1, "float16": 2, "int8": 3, "int32": 10, "bfloat16": 14}
COMPUTE = {"float32": 68, "float64": 70, "int32": 72}
COMPUTE_TF32, DEFAULT_ALGO = 77, -1


def compute_type(cell: Cell) -> tuple[int, str]:
    """cublasComputeType_t, and the dtype of alpha and beta."""
    if cell.dtype == "float32" and cell.precision == "tf32":
        return COMPUTE_TF32, "float32"
    scale = {"float64": "float64", "int8": "int32"}.get(cell.dtype, "float32")
    return COMPUTE[scale], scale


class CuBlas:
    """cublasGemmEx by CuPy, of arrays of any library."""

    name = CUBLAS

    def __init__(self, device: Any) -> None:
        self.device = device
        self.library = importlib.import_module("cupy_backends.cuda.libs.cublas")
        self.handle = importlib.import_module("cupy.cuda.device").get_cublas_handle()

    def prepare(self, problem: Problem) -> Call:
        cell, address = problem.cell, self.device.address
        if cell.kind != "matmul" or cell.dtype not in TYPES:
            raise Absent(f"gemmEx has no {cell.kind} of {cell.dtype}")
        compute, scale = compute_type(cell)
        factors = np.array([1, 0], scale)
        alpha, beta = factors.ctypes.data, factors.ctypes.data + factors.itemsize
        # Column by column the operands are their transposes, and so is the result: B^T A^T.
        m, n, k, handle = cell.m, cell.n, cell.k, self.handle
        a, b, out = address(problem.a), address(problem.b), address(problem.out)
        a_op, b_op = (int(letter == "t") for letter in cell.layout)
        a_line, b_line = (m if a_op else k), (k if b_op else n)
        kind, out_kind = TYPES[cell.dtype], TYPES[cell.out_dtype]
        if cell.count == 1:
            gemm = self.library.gemmEx

            def call(keep: Any = (factors, problem)) -> None:
                gemm(handle, b_op, a_op, n, m, k, alpha, b, kind, b_line, a, kind, a_line,
                     beta, out, out_kind, n, compute, DEFAULT_ALGO)  # fmt: skip

            return call
        stacked = self.library.gemmStridedBatchedEx

        def call_stacked(keep: Any = (factors, problem)) -> None:
            stacked(handle, b_op, a_op, n, m, k, alpha, b, kind, b_line, k * n, a, kind, a_line, m * k,
                    beta, out, out_kind, n, m * n, cell.count, compute, DEFAULT_ALGO)  # fmt: skip

        return call_stacked


class LibraryProduct:
    """matmul of PyTorch or CuPy. PyTorch's stands for cuBLAS where CuPy is missing: that is what it calls."""

    def __init__(self, device: Any, name: str) -> None:
        self.device, self.name = device, name

    def prepare(self, problem: Problem) -> Call:
        cell = problem.cell
        if cell.kind != "matmul":
            raise Absent(f"{self.name} is a product")
        if cell.precision == "tf32":
            raise Absent(f"{self.name}: TF32 is for the whole process")
        if cell.dtype in ("int8", "float8_e4m3fn"):
            return self.narrow(problem)
        return self.device.product(problem.a, problem.b, problem.out)

    def narrow(self, problem: Problem) -> Call:
        if self.device.name != "PyTorch":
            raise Absent(f"{self.device.name} has no product of {problem.cell.dtype}")
        torch, a, b, out = self.device.xp, problem.a, problem.b, problem.out
        if problem.cell.dtype == "int8":
            return lambda: torch._int_mm(a, b, out=out)
        one = torch.ones((), device=self.device.place)
        return lambda: torch._scaled_mm(a, b, one, one, out_dtype=out.dtype, out=out)


class TorchLayer:
    """gelu_tanh(x w^T + bias): fused by cublasLt, or gelu after addmm."""

    def __init__(self, device: Any, name: str, fused: bool) -> None:
        self.device, self.name, self.fused = device, name, fused

    def prepare(self, problem: Problem) -> Call:
        if problem.cell.kind != "linear":
            raise Absent(f"{self.name} is a layer")
        aten = self.device.xp.ops.aten
        x, w, bias, out = problem.a, problem.b, problem.bias, problem.out
        if self.fused:
            return lambda: aten._addmm_activation.out(bias, x, w, use_gelu=True, out=out)
        addmm, gelu = self.device.xp.addmm, aten.gelu_
        return lambda: gelu(addmm(bias, x, w, out=out), approximate="tanh")


def contenders(device: Any, libraries: Sequence[Any], absent: dict[str, str]) -> list[Any]:
    """cuBLAS comes first, whoever calls it. What is not there goes to `absent`."""
    found: list[Any] = []
    if any(library.name == "CuPy" for library in libraries):
        try:
            found.append(CuBlas(device))
        except (ImportError, OSError, RuntimeError) as error:
            absent["cublasGemmEx by CuPy"] = str(error)
    found.append(LibraryProduct(device, f"{device.name}.matmul" if found else CUBLAS))
    if device.name == "PyTorch":
        found += [TorchLayer(device, "torch fused", True), TorchLayer(device, "torch addmm, gelu", False)]
    return found
