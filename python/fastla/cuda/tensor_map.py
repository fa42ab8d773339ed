"""Tensor maps: where Hopper's copies find an operand, its extent, and the box that a copy takes of it."""

from __future__ import annotations

import ctypes
import functools
import importlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_BYTES, _ALIGNMENT = 128, 128
LARGEST_STRIDE = 1 << 40
LARGEST_EXTENT = 1 << 31  # coordinates have a sign
# Of a copied element, by its size: what the driver calls it. Bytes are moved as they are.
_TYPES = {1: "UINT8", 2: "UINT16", 4: "UINT32"}


@dataclass(frozen=True)
class TensorMap:
    """Of a tensor of three axes, the first contiguous, and a box of its first two.

    A box comes to shared memory as lines of 128 bytes, whose units of 16 bytes are exchanged (warpgroups.py).
    """

    address: int
    size: int  # bytes of an element
    extents: tuple[int, int, int]
    strides: tuple[int, int]  # bytes, of the second and third axis
    box: tuple[int, int]

    def __post_init__(self) -> None:
        if self.address % 16 or any(s % 16 or not 0 < s < LARGEST_STRIDE for s in self.strides):
            raise ValueError(f"{self} begins or steps at bytes that are no multiple of 16, or backwards")
        if not all(0 < n <= LARGEST_EXTENT for n in self.extents):
            raise ValueError(f"{self} has an extent outside of 1 to {LARGEST_EXTENT}")
        if self.box[0] * self.size != 128 or not 0 < self.box[1] <= 256:
            raise ValueError(f"{self} has a box that is not 128 bytes by 1 to 256 lines")

    def encoded(self) -> bytes:
        """What kernels are given: 128 bytes, made by the driver (which must be there)."""
        return self._encoded

    @cached_property
    def _encoded(self) -> bytes:
        """By the driver's library itself: what it writes to begins at a multiple of 64 bytes."""
        driver = importlib.import_module("cuda.bindings.driver")
        room = (ctypes.c_uint8 * (_BYTES + _ALIGNMENT))()
        begin = -(-ctypes.addressof(room) // _ALIGNMENT) * _ALIGNMENT
        numbers = (
            driver.CUtensorMapDataType[f"CU_TENSOR_MAP_DATA_TYPE_{_TYPES[self.size]}"],
            driver.CUtensorMapInterleave.CU_TENSOR_MAP_INTERLEAVE_NONE,
            driver.CUtensorMapSwizzle.CU_TENSOR_MAP_SWIZZLE_128B,
            driver.CUtensorMapL2promotion.CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
            driver.CUtensorMapFloatOOBfill.CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
        )
        kind, *rest = (ctypes.c_int(int(x)) for x in numbers)
        status = _library().cuTensorMapEncodeTiled(
            ctypes.c_void_p(begin),
            kind,
            ctypes.c_uint32(3),
            ctypes.c_void_p(self.address),
            (ctypes.c_uint64 * 3)(*self.extents),
            (ctypes.c_uint64 * 2)(*self.strides),
            (ctypes.c_uint32 * 3)(*self.box, 1),
            (ctypes.c_uint32 * 3)(1, 1, 1),
            *rest,
        )
        if status:
            raise RuntimeError(f"cuTensorMapEncodeTiled: {driver.CUresult(status).name} for {self}")
        return ctypes.string_at(begin, _BYTES)


@functools.cache
def _library() -> Any:
    return ctypes.CDLL("libcuda.so.1")
