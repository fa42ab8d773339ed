"""Plans of products with one row or one column (vectors.py)."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from . import vectors
from .calls import arguments_of
from .checks import FLOATS
from .copies import Layout
from .launch import Device, Variant
from .numbers import DTYPES, NAMES
from .problem import SIZES, Desc, Operand, Plan, copied, finished

_ORDERS = {vectors.STEPS: "steps", vectors.LINES_FOLLOW: "lines", vectors.ELEMENTS: "elements"}
_BYTES = 20.0  # of a multiprocessor in a cycle
_COPY = 3000.0  # cycles that a copy costs beside its bytes


@functools.cache
def _variant(dtype: str, order: int) -> Variant:
    make = functools.partial(vectors.vector_kernel, DTYPES[dtype], order)
    signature, threads = tuple(vectors.SIGNATURE), vectors.THREADS
    return Variant(f"vectors {dtype} {_ORDERS[order]}", make, signature, threads, vectors.SHARED_BYTES)


def variants() -> Iterator[Variant]:
    """All of them."""
    for kind, order in vectors.VARIANTS:
        yield _variant(NAMES[kind], order)


def _way(desc: Desc, layout: Layout, lines_at: int) -> tuple[Operand, int]:
    given = Operand(layout, lines_at)
    if layout.dtype == desc.kind:
        if given.steps_follow:
            return given, vectors.STEPS
        if given.lines_follow:
            return given, vectors.LINES_FOLLOW
        if SIZES[desc.kind] >= 4:
            return given, vectors.ELEMENTS
    return copied(desc, layout, lines_at, lines_follow=False), vectors.STEPS


def _vector(desc: Desc, layout: Layout, lines_at: int) -> Operand:
    size = SIZES[desc.kind]
    given = Operand(layout, lines_at)
    reached = all(x % 4 == 0 for x in (layout.alignment, given.following)) and given.step == size
    if layout.dtype == desc.kind and (size >= 4 or reached):
        return given
    return copied(desc, layout, lines_at, lines_follow=False)


def by_vectors(desc: Desc, device: Device) -> Iterator[Plan]:
    """The bits of docs/contract.md, but for subnormal sums of bfloat16: not those of tensor cores, which a
    row must have in common with the same row among others."""
    if 1 not in (desc.m, desc.n) or desc.kind not in FLOATS or desc.precision == "highest":
        return
    # The matrix is A if C is a column, else B.
    column = desc.n == 1 and desc.m > 1
    lines = desc.m if column else desc.n
    if column:
        (matrix, order), vector = _way(desc, desc.a, 0), _vector(desc, desc.b, 1)
    else:
        (matrix, order), vector = _way(desc, desc.b, 1), _vector(desc, desc.a, 0)
    launch = vectors.launch_of(lines, desc.k, desc.count)
    constants = (lines, desc.k, matrix.line, matrix.step, matrix.following, vector.step, vector.following,
                 launch.parts)
    a, b = (matrix, vector) if column else (vector, matrix)
    read = max(desc.k * lines * desc.count, 1) * SIZES[desc.kind] * (1 if order != vectors.ELEMENTS else 4)
    busy = min(launch.blocks, device.multiprocessors)
    copied_bytes = a.bytes + b.bytes
    cycles = read / _BYTES / busy + 2 * copied_bytes / _BYTES / device.multiprocessors
    yield finished(
        desc,
        _variant(desc.kind, order),
        (launch.blocks, 1, 1),
        a,
        b,
        arguments_of(
            desc,
            constants,
            transposed=column,
            operands=lambda left, right: (left, right) if column else (right, left),
        ),
        0,
        cycles + (_COPY if copied_bytes else 0),
    )
