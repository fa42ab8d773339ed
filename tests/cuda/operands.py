"""Epilogues of arrays that an emulator's memory has."""

import numpy as np

from fastla.cuda.epilogue import Epilogue, Operand

OF_ROWS = ("row_scale", "row_bias")
OF_COLS = ("col_scale", "bias")
MATRICES = ("c", "gate", "residual")


def operand(machine, x, out, known):
    """x as it meets each element of out; arrays of the same memory (or the same one) are added once."""
    where = (x.__array_interface__["data"][0], x.strides, x.shape)
    if where not in known:
        known[where] = machine.add(x)
    row, col = np.broadcast_to(x, out.shape).strides[-2:]
    following = np.broadcast_to(x, out.shape).strides[0] if out.ndim == 3 else 0
    return Operand(known[where], row, col, following, x.dtype.name)


def epilogue(machine, out, sums, workspace=False, **steps):
    """What fastla.gemm's arguments mean for a kernel whose sums have that dtype; out may be a stack."""
    known = {}
    matrices = {}
    for name, x in steps.items():
        if isinstance(x, np.ndarray):
            x = x[..., :, None] if name in OF_ROWS else x[..., None, :] if name in OF_COLS else x
            x = operand(machine, x, out, known)
        matrices[name] = x
    made = Epilogue(operand(machine, out, out, known), sums=sums, **matrices)
    if not made.needs_workspace() and not workspace:
        return made
    totals = np.full(out.shape, np.nan, sums)
    return Epilogue(**{**vars(made), "partial": operand(machine, totals, out, known)})
