"""A family of plans that the CPU's products carry out: for tests of host code, fast and with all steps."""

import contextlib
from unittest import mock

import device
import numpy as np

import fastla
from fastla.cuda import arrays, families, launch, problem

GEMM = fastla.gemm  # the CPU's, whatever a test puts in its place
VARIANT = launch.Variant("reference", lambda: None, (), 1, 0)


class _Where:
    def __init__(self, address, shape, strides, dtype):
        self.__array_interface__ = {"version": 3, "data": (address, False), "shape": shape,
                                    "strides": strides, "typestr": arrays._numpy_dtype(dtype).str}


def view(address, shape, strides, dtype):
    """What is in memory there; all of it must be some array's."""
    x = np.asarray(_Where(address, shape, strides, dtype))
    if x.size:
        low, high = np.lib.array_utils.byte_bounds(x)
        device.Array.memory.bytes_at(low, high - low)
    return x


def plans(desc, gpu):
    """One for any product of float32 and float64."""
    if desc.kind in ("float32", "float64"):
        yield problem.Plan("reference", VARIANT, (1, 1, 1), lambda *addresses: (desc, addresses),
                           (None, None), (0, 0), 0, 0.0)


class Reference(device.Emulated):
    """Carries out the family's plans; copies are emulated."""

    def launch(self, variant, grid, arguments, number, stream):
        if variant is not VARIANT:
            super().launch(variant, grid, arguments, number, stream)
            return
        self.launched.append((variant.name, grid, arguments, number, stream))
        desc, (a, b, c, _, *extras) = arguments
        for i in range(desc.count):
            def part(address, layout, shape, i=i):
                row, col, following = layout.strides
                found = view(address + i * following, shape, (row, col), layout.dtype)
                return found if layout is desc.c else found.astype(desc.kind, copy=False)

            steps = {"alpha": desc.steps.alpha, "beta": desc.steps.beta, "activation": desc.steps.activation}
            for (name, layout), address in zip(desc.steps.operands, extras, strict=True):
                whole = part(address, layout, (desc.m, desc.n))
                row, column = whole[0], whole[:, 0]
                by = {"bias": row, "col_scale": row, "row_bias": column, "row_scale": column}
                steps[name] = by.get(name, whole)
            GEMM(part(a, desc.a, (desc.m, desc.k)), part(b, desc.b, (desc.k, desc.n)),
                 out=part(c, desc.c, (desc.m, desc.n)), **steps)


@contextlib.contextmanager
def referred():
    """Products of Arrays, within a block, by the CPU's."""
    with (mock.patch.dict(families.FAMILIES, {"reference": plans}, clear=True),
          device.emulated(Reference()) as backend):
        yield backend
