"""Correctness of one cell in all its layouts: against float64, exactly for small integers, and bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fastla
from benchmarks.gpu.backend import Bench
from benchmarks.gpu.cells import Cell, in_layouts
from benchmarks.gpu.problems import Absent, Answer, Problem, Wrong, assert_right, problems

Tell = Callable[[str], None]
CPU_ROWS = 48  # of large products: a row depends on nothing else


def twice(bench: Bench, problem: Problem) -> None:
    """A second launch, into other memory, has the same bits."""
    other = bench.device.poisoned(tuple(problem.out.shape), problem.cell.out_dtype)
    bench.fastla.prepare(Problem(problem.cell, problem.a, problem.b, other, problem.bias))()
    bench.device.synchronize()
    if not bench.device.same(problem.out, other):
        raise Wrong(f"{problem.cell.label}: a second launch has other bits")


def alone(bench: Bench, problem: Problem) -> None:
    """An element of a stack has the bits that it has as a stack of one, or as no stack."""
    i, cell, device = problem.cell.count // 2, problem.cell, bench.device
    for part in (slice(i, i + 1), i):
        out = device.poisoned(tuple(problem.out[part].shape), cell.out_dtype)
        bench.fastla.prepare(Problem(cell, problem.a[part], problem.b[part], out))()
        device.synchronize()
        if not device.same(problem.out[part], out):
            raise Wrong(f"{cell.label}: product {i} alone, as [{part}], has other bits")


def as_on_the_cpu(bench: Bench, problem: Problem) -> None:
    """Bits of some rows; docs/contract.md says that the others change none of them."""
    cell = problem.cell

    def get(x: Any) -> Any:
        found = bench.device.get(x)
        return found.astype(np.float16) if cell.dtype == "float16" else found

    rows = sorted({0, cell.m - 1, *range(0, cell.m, max(1, cell.m // CPU_ROWS))})
    a, b, out = get(problem.a[..., rows, :]), get(problem.b), get(problem.out[..., rows, :])
    if cell.kind == "linear":
        bias = get(problem.bias)
        made = fastla.linear(a, b.T, bias, activation="gelu_tanh")
    else:
        made = fastla.matmul(a, b)
    if made.tobytes() != out.tobytes():
        differ = int((made != out).sum())
        raise Wrong(f"{cell.label}: {differ} of {made.size} elements are not the CPU's")


def check_one(bench: Bench, cell: Cell) -> float:
    """The worst error, in bounds."""
    prepare, device = bench.fastla.prepare, bench.device
    (problem,) = problems(device, cell, device.normal)
    worst = assert_right(device, problem, prepare(problem), "fastla")
    twice(bench, problem)
    if cell.count > 1:
        alone(bench, problem)
    if cell.precision == "exact":
        as_on_the_cpu(bench, problem)
    if cell.kind == "matmul":
        Answer(device, cell).ask("fastla", prepare)
    return worst


def check(bench: Bench, cell: Cell, avoid: list[str], tell: Tell) -> dict[str, Any]:
    """Every layout that is not to be avoided, each told of before it begins."""
    worst, wrong, absent = {}, {}, {}
    for one in in_layouts(cell):
        if one.layout in avoid:
            continue
        tell(one.layout)
        try:
            worst[one.layout] = check_one(bench, one)
        except Wrong as error:
            wrong[one.layout] = str(error)
        except Absent as error:
            absent[one.layout] = str(error)
        except Exception as error:
            bench.device.synchronize()  # raises if the context is gone
            wrong[one.layout] = f"{one.label}: {type(error).__name__}: {error}"
    return {"worst": worst, "wrong": wrong, "absent": absent}
