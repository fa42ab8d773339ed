"""Operands on a device, and what their product must be: within a bound, or exactly.

A device (backend.py, or a stand-in of the tests) has arrays that take @, abs, comparisons and swapaxes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.gpu.cells import HALVES, Cell

Call = Callable[[], object]
MOST_SETS = 256
UNIT = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
LEAST = {"float16": 2.0**-25}  # half of the smallest number; elsewhere no result is so small
TENSOR_CORE = 1.25 * 2.0**-23


class Absent(Exception):
    """A contender has nothing to offer for a problem."""


class Wrong(AssertionError):
    """A contender computed something else than what was asked for."""


@dataclass(frozen=True)
class Problem:
    cell: Cell
    a: Any
    b: Any
    out: Any
    bias: Any = None


Make = Callable[[tuple[int, ...], str, int], Any]


def problems(device: Any, cell: Cell, make: Make, sets: int = 1) -> list[Problem]:
    """Problems of one cell with operands made by make(shape, dtype, seed); results are poisoned."""
    stack = (cell.count,) if cell.count > 1 else ()

    def matrices(rows: int, cols: int, letter: str, seed: int) -> Any:
        shape = (rows, cols) if letter == "n" else (cols, rows)
        made = make((sets, *stack, *shape), cell.dtype, seed)
        return made if letter == "n" else made.swapaxes(-1, -2)

    a = matrices(cell.m, cell.k, cell.layout[0], 1)
    b = matrices(cell.k, cell.n, cell.layout[1], 2)
    out = device.poisoned((sets, *stack, cell.m, cell.n), cell.out_dtype)
    bias = make((cell.n,), cell.dtype, 3) if cell.kind == "linear" else None
    return [Problem(cell, a[i], b[i], out[i], bias) for i in range(sets)]


def rotating(device: Any, cell: Cell, calls: int) -> list[Problem]:
    """As many problems as exceed the L2 cache two times, but no more than calls."""
    sets = math.ceil(2 * device.l2_bytes / max(cell.bytes, 1)) + 1
    return problems(device, cell, device.normal, max(2, min(sets, calls, MOST_SETS)))


def in_turn(calls: list[Call]) -> Call:
    cycle = itertools.cycle(calls)
    return lambda: next(cycle)()


def sum_bound(cell: Cell) -> float:
    """The error of the sum of k products, in units of |A| |B|.

    float32 and float64: k roundings. Tensor cores add d products of 16 bits, exact in float32, to a sum of
    float32: each of the d + 1 is cut to the place of the largest, an error below 2^-23 of that, and none is
    larger than |A| |B|. So k (1 + 1/d) 2^-23, and d is 4 at least. 3xTF32 takes three such sums, and leaves
    out the product of the low parts, and of each operand what is beyond two TF32.
    """
    k, reference = cell.k + 2, (cell.k + 2) * UNIT["float64"]
    if cell.dtype in ("float32", "float64") and cell.precision not in ("high", "tf32"):
        return k * UNIT[cell.dtype] + reference
    if cell.dtype == "float32":
        left_out = 3 * 2.0**-20 if cell.precision == "high" else 2.0**-9
        return 3 * k * TENSOR_CORE + left_out + reference
    if cell.dtype == "float8_e4m3fn":
        return k * 2.0**-13 + reference  # sums of 14 bits between those of float32
    return k * TENSOR_CORE + reference


def expected(device: Any, problem: Problem, partly: bool = False) -> tuple[Any, Any]:
    """The result in float64, and the bound of an element's error.

    gelu's slope is below 1.13; a tanh by the hardware's approximation adds 2^-10 of y's size. `partly`: sums
    of parts of K may be rounded to the result's dtype, as cuBLAS does unless it is told not to.
    """
    cell = problem.cell
    a, b = device.double(problem.a), device.double(problem.b)
    y, size = a @ b, abs(a) @ abs(b)
    unit = UNIT.get(cell.out_dtype, 0.0)
    bound = (sum_bound(cell) + (unit if partly else 0.0)) * size
    if cell.kind == "linear":
        bias = device.double(problem.bias)
        y, bound = y + bias, 1.13 * (bound + 2 * UNIT["float32"] * (size + abs(bias)))
        bound = bound + max(2.0**-10 if cell.dtype in HALVES else 0.0, 16 * unit) * abs(y)
        y = 0.5 * y * (1 + device.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y * y * y)))
    return y, bound + unit * (abs(y) + bound) + LEAST.get(cell.out_dtype, 2.0**-150)


def outside(device: Any, problem: Problem, y: Any, bound: Any) -> float:
    """How far the worst element is from what is expected, in bounds: at most 1; a NaN: infinity."""
    if not problem.cell.m * problem.cell.n:
        return 0.0
    error = abs(device.double(problem.out) - y)
    worst = float((error / bound).max())
    return worst if worst > 1 or bool((error <= bound).all()) else math.inf


def run_poisoned(device: Any, problem: Problem, call: Call) -> None:
    """Nothing stale passes for an answer."""
    device.poison(problem.out)
    call()
    device.synchronize()


def assert_right(
    device: Any, problem: Problem, call: Call, name: str, known: tuple[Any, Any] | None = None
) -> float:
    """Every element must be within its bound; the worst error, in bounds. known: what is expected."""
    run_poisoned(device, problem, call)
    worst = outside(device, problem, *(known or expected(device, problem)))
    if not worst <= 1:
        raise Wrong(f"{name}, {problem.cell.label}: an element is {worst:.3g} bounds off")
    return worst


class Answer:
    """What is asked of contenders before they are timed.

    Of small integers every sum is exact in every order, and only the result is rounded: one wrong term of
    thousands is seen. Rivals, who may round more often, are kept to a bound, and so are layers and sums
    shorter than float32's, of normal numbers.
    """

    def __init__(self, device: Any, cell: Cell) -> None:
        self.device, self.exact, self.bounds = device, None, None
        whole = cell.kind == "matmul" and cell.dtype != "float8_e4m3fn"
        (self.problem,) = problems(device, cell, device.integers if whole else device.normal)
        if whole:
            y = device.double(self.problem.a) @ device.double(self.problem.b)
            self.exact = device.cast(y, cell.out_dtype)

    def ask(self, name: str, prepare: Callable[[Problem], Call], rival: bool = False) -> None:
        problem, call = self.problem, prepare(self.problem)
        if self.exact is None or (rival and problem.cell.out_dtype in HALVES):
            if self.bounds is None:
                self.bounds = expected(self.device, problem, partly=self.exact is not None)
            assert_right(self.device, problem, call, name, self.bounds)
            return
        run_poisoned(self.device, problem, call)
        if not self.device.same(self.exact, problem.out):
            raise Wrong(f"{name}, {problem.cell.label}: a product of small integers is wrong")
