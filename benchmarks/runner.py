"""Runs the cells within a time budget: check, time, and keep what there is when interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.check import Check
from benchmarks.results import Result, summarise
from benchmarks.rivals import Call, Contender, Fastla
from benchmarks.shapes import Cell, Problem, allocate, fill_normal
from benchmarks.timer import Rounds, interleave

MIN_ROUNDS = 3
MAX_CELL_SECONDS = 3.0  # beyond what MIN_ROUNDS take
ROOF_SECONDS = 0.005  # a sample of the roof in each round
FIXED_SECONDS = 0.3  # allocation, filling, checking
SEED = 20240501

Say = Callable[[str], None]


@dataclass
class Outcome:
    results: list[Result] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    roofs: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False
    seconds: float = 0.0


class Runner:
    def __init__(self, subject: Fastla, rivals: list[Contender], budget: float, say: Say) -> None:
        self.subject, self.rivals, self.say = subject, rivals, say
        self.budget = budget
        self.start = time.monotonic()
        self.rng = np.random.default_rng(SEED)
        self.roofs: dict[int, dict[str, float]] = {}
        self.outcome = Outcome()

    def left(self) -> float:
        return self.budget - (time.monotonic() - self.start)

    def measure_roofs(self, counts: list[int]) -> None:
        for count in counts:
            roof = self.subject.module.roof(num_threads=count, seconds=0.2)
            self.roofs[count] = {**roof.flops, "bandwidth": roof.bandwidth}
            self.outcome.roofs.append({"threads": count, **self.roofs[count]})
            f32, f64 = (roof.flops[name] / 1e9 for name in ("float32", "float64"))
            self.say(f"roof, {count} thread(s): float32 {f32:.1f} GFLOP/s, float64 {f64:.1f}, "
                     f"memory {roof.bandwidth / 1e9:.1f} GB/s")  # fmt: skip

    def run(self, cells: list[Cell]) -> Outcome:
        """Never raises KeyboardInterrupt: what was measured until then is the outcome."""
        try:
            self.measure_roofs(sorted({cell.threads for cell in cells}))
            for index, cell in enumerate(cells):
                self._step(cell, cells[index:], f"[{index + 1:3}/{len(cells)}]")
        except KeyboardInterrupt:
            self.outcome.interrupted = True
            self.say("interrupted: writing what there is")
        self.outcome.seconds = time.monotonic() - self.start
        return self.outcome

    def _step(self, cell: Cell, rest: list[Cell], position: str) -> None:
        least = self._least_seconds(cell)
        elapsed = time.monotonic() - self.start
        head = f"{position} {int(elapsed) // 60}:{int(elapsed) % 60:02} {cell.label:38}"
        if 0.8 * least > self.left():
            reason = f"needs about {least:.0f} s of the {max(0.0, self.left()):.0f} s left"
            self.outcome.skipped.append({"cell": cell.label, "reason": reason})
            self.say(f"{head} skipped: {reason}")
            return
        slack = (self.left() - sum(map(self._least_seconds, rest))) / len(rest)
        spare = min(max(slack, 0.0), MAX_CELL_SECONDS)
        seconds = spare + (least - FIXED_SECONDS) * MIN_ROUNDS / (MIN_ROUNDS + 1)
        result = self.measure(cell, seconds)
        self.outcome.results.append(result)
        self.say(f"{head} {progress(result)}")

    def _least_seconds(self, cell: Cell) -> float:
        """What the check and MIN_ROUNDS take, if all run at 80% of the roof."""
        rate = 0.8 * self.roofs[cell.threads][cell.dtype]
        calls = (1 + len(self.rivals)) * (MIN_ROUNDS + 1)
        return FIXED_SECONDS + calls * cell.flops / rate

    def measure(self, cell: Cell, seconds: float) -> Result:
        rounds, problem = self.rounds(cell, seconds)
        bandwidth = self.roofs.get(cell.threads, {}).get("bandwidth")
        return summarise(cell, rounds, self.subject.path(problem), bandwidth)

    def rounds(self, cell: Cell, seconds: float) -> tuple[Rounds, Problem]:
        contenders = [c for c in (self.subject, *self.rivals) if c.set_threads(cell.threads)]
        problem = allocate(cell)
        calls, first = self._checked(problem, contenders)
        rounds = interleave(
            calls, seconds=seconds, threads=cell.threads, first=first, min_rounds=MIN_ROUNDS,
            roof=lambda: self.subject.roof(cell.dtype, cell.threads, ROOF_SECONDS),
        )  # fmt: skip
        return rounds, problem

    def _checked(
        self, problem: Problem, contenders: list[Contender]
    ) -> tuple[dict[str, Call], dict[str, float]]:
        """The calls to time, on normal numbers, and a first timing of each."""
        check = Check(problem, self.rng)
        first = {}
        for contender in contenders:
            call = contender.prepare(problem)
            if call is None:
                continue
            check.poison()
            start = time.perf_counter()
            returned = call()
            first[contender.name] = time.perf_counter() - start
            result = problem.out if contender.writes_out else np.asarray(returned)
            check.verify(contender.name, result)
        fill_normal(problem, self.rng)
        prepared = {c.name: c.prepare(problem) for c in contenders if c.name in first}
        return {name: call for name, call in prepared.items() if call is not None}, first


def progress(result: Result) -> str:
    ours = result.ours
    share = f"{ours.share:4.0%} of roof" if ours.share is not None else ""
    parts = [f"{name} {timing.gflops:.4g}" for name, timing in result.timings.items()]
    text = f"{share}  {'  '.join(parts)} GFLOP/s"
    if (ratio := result.ratio) is not None:
        text += f"  ratio {ratio.median:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
        text += {"loss": "  LOSS", "win": "", "tie": "  tie"}[result.verdict]
    return text
