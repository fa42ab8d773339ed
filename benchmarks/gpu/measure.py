"""Times on the device: a cell's contenders in turns, and the candidates of its plan."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fastla
from benchmarks.gpu.backend import Bench
from benchmarks.gpu.cells import CUBLAS, LAYERS, SUBJECT, Cell, product
from benchmarks.gpu.check import Tell
from benchmarks.gpu.problems import (
    Absent,
    Answer,
    Call,
    Problem,
    Wrong,
    in_turn,
    problems,
    rotating,
)
from benchmarks.timer import Sample, interleave

BATCH_SECONDS, MOST_CALLS = 0.01, 200
ROUNDS, TUNING_ROUNDS = 12, 6
MOST_CANDIDATES = 12
CALLS, CALL_BATCHES = 300, 9

Prepare = Callable[[Problem], Call]


class Contest:
    """Those whose answer was right, each with calls on rotating operands."""

    def __init__(self, bench: Bench, cell: Cell, tell: Tell) -> None:
        self.bench, self.cell, self.tell = bench, cell, tell
        self.answer = Answer(bench.device, cell)
        self.sets = rotating(bench.device, cell, MOST_CALLS)
        self.calls: dict[str, Call] = {}
        self.batch: dict[str, int] = {}
        self.absent: dict[str, str] = {}
        self.wrong: dict[str, str] = {}

    def admit(self, name: str, prepare: Prepare, rival: bool = False) -> None:
        self.tell(name)
        try:
            self.answer.ask(name, prepare, rival)
            self.calls[name] = in_turn([prepare(problem) for problem in self.sets])
        except Absent as error:
            self.absent[name] = str(error)
        except Wrong as error:
            self.wrong[name] = str(error)
        except Exception as error:
            self.bench.device.synchronize()  # raises if the context is gone
            self.absent[name] = f"{type(error).__name__}: {error}"
        else:
            once = min(self.bench.device.seconds(self.calls[name], 1) for _ in range(2))
            self.batch[name] = max(1, min(round(BATCH_SECONDS / once), MOST_CALLS))

    def rounds(self, count: int, seconds: float) -> dict[str, list[float]]:
        """Seconds of a call, round by round."""

        def sampler(name: str) -> Callable[[], Sample]:
            def sample() -> Sample:
                self.tell(name)
                return Sample(self.bench.device.seconds(self.calls[name], self.batch[name]))

            return sample

        samplers = {name: sampler(name) for name in self.calls}
        return interleave(samplers, seconds=seconds, min_rounds=count).seconds if samplers else {}

    def outcome(self, count: int, seconds: float) -> dict[str, Any]:
        return {"seconds": self.rounds(count, seconds), "batch": self.batch, "sets": len(self.sets),
                "absent": self.absent, "wrong": self.wrong}  # fmt: skip


def measure(bench: Bench, cell: Cell, avoid: list[str], tell: Tell) -> dict[str, Any]:
    """fastla and its rivals."""
    contest = Contest(bench, cell, tell)
    for contender in (bench.fastla, *bench.rivals):
        if contender.name not in avoid:
            contest.admit(contender.name, contender.prepare, rival=contender is not bench.fastla)
    plan = bench.fastla.plan(contest.sets[0]) if SUBJECT in contest.calls else ""
    return {"plan": plan, **contest.outcome(ROUNDS, 0.4)}


def tune(bench: Bench, cell: Cell, avoid: list[str], tell: Tell) -> dict[str, Any]:
    """The candidates beside cuBLAS. The fastest of those whose answer was right is kept."""
    contest = Contest(bench, cell, tell)
    candidates: list[tuple[str, Prepare]] = []
    try:
        candidates = bench.fastla.candidates(contest.sets[0])[:MOST_CANDIDATES]
    except Absent as error:
        contest.absent[SUBJECT] = str(error)
    for name, prepare in candidates:
        if name not in avoid:
            contest.admit(name, prepare)
    names = list(contest.calls)
    for rival in bench.rivals:
        if rival.name == CUBLAS and CUBLAS not in avoid:
            contest.admit(CUBLAS, rival.prepare, rival=True)
    found = contest.outcome(TUNING_ROUNDS, 0.0)
    choice = min(names, key=lambda name: statistics.median(found["seconds"][name]), default="")
    kept = bench.fastla.keep(contest.sets[0], choice) if choice else ""
    return {"choice": choice, "model": candidates[0][0] if candidates else "", "kept": kept, **found}


def python_seconds(call: Call, synchronize: Call) -> list[float]:
    """What a call takes in Python, of batches; the device is waited for outside."""
    found = []
    for _ in range(CALL_BATCHES):
        synchronize()
        start = time.perf_counter()
        for _ in range(CALLS):
            call()
        found.append((time.perf_counter() - start) / CALLS)
    synchronize()
    return found


def call_cost(bench: Bench, cell: Cell, avoid: list[str], tell: Tell) -> dict[str, Any]:
    """A small product from Python, with arrays of each library, by fastla and by the library itself."""
    found: dict[str, list[float]] = {}
    absent: dict[str, str] = dict(bench.absent)
    ours = bench.fastla.prepare
    theirs = lambda problem: library.product(problem.a, problem.b, problem.out)  # noqa: E731
    for library in bench.libraries:
        for name, prepare in ((f"{SUBJECT}, {library.name} arrays", ours), (library.name, theirs)):
            if name in avoid:
                continue
            tell(name)
            try:
                (problem,) = problems(library, cell, library.normal)
                call = prepare(problem)
                call()
            except Exception as error:  # a dtype that the library has not, or fastla
                library.synchronize()
                absent[name] = f"{type(error).__name__}: {error}"
            else:
                found[name] = python_seconds(call, library.synchronize)
    return {"seconds": found, "absent": absent}


def wall(call: Call, least: int = 3) -> list[float]:
    found = []
    for _ in range(least + 1):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return found[1:]


def processors(bench: Bench, cell: Cell, avoid: list[str], tell: Tell) -> dict[str, Any]:
    """A product on the CPU, and on the GPU with both copies; the table has the GPU alone."""
    device, rng = bench.device, np.random.default_rng(1)
    a = rng.standard_normal((cell.m, cell.k), dtype=np.float32)
    b = rng.standard_normal((cell.k, cell.n), dtype=np.float32)
    out = np.empty((cell.m, cell.n), np.float32)

    def there_and_back() -> None:
        there = [device.put(x, "float32") for x in (a, b)]
        result = device.empty(out.shape, "float32")
        device.product(*there, result)()
        device.get(result)

    calls: dict[str, Call] = {
        "NumPy, CPU": lambda: np.matmul(a, b, out=out),
        "fastla, CPU": lambda: fastla.matmul(a, b, out=out),
        f"{device.name}, GPU and both copies": there_and_back,
    }
    found = {}
    for name, call in calls.items():
        if name not in avoid:
            tell(name)
            found[name] = wall(call)
    return {"seconds": found, "threads": fastla.get_num_threads()}


WORK: dict[str, Callable[[Bench, Cell, list[str], Tell], dict[str, Any]]] = {
    "tune": tune, "table": measure, "calls": call_cost, "processors": processors,
}  # fmt: skip
CALL_CELLS: Sequence[Cell] = [product((64, 64, 64), dtype) for dtype in ("bfloat16", "float32")]
PROCESSORS_CELL = product(LAYERS, "float32")
