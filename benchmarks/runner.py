"""Runs the cells within a time budget, and keeps what there is when interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.results import SUBJECT, Result, summarise
from benchmarks.rivals import candidates
from benchmarks.shapes import Cell
from benchmarks.timer import Rounds, interleave
from benchmarks.worker import Missing, Worker, roof_seconds

MIN_ROUNDS, MIN_LONG_ROUNDS = 6, 3  # 6: the fewest that give a 95% interval of a median
LONG_ROUND = 2.0
MAX_CELL_SECONDS = 3.0  # beyond what the fewest rounds take
FIXED_SECONDS = 0.1  # per contender: allocation, filling, checking, finding the batch size
SAMPLE_SECONDS, TEAM_SAMPLE_SECONDS = 0.015, 0.03  # warm-up, batch and roof
SEED = 20240501

Say = Callable[[str], None]


@dataclass
class Outcome:
    results: list[Result] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    roofs: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False
    seconds: float = 0.0


class Contest:
    """The workers that take part, by the names of their contenders; closes them at the end."""

    def __init__(self, which: str) -> None:
        self.workers: dict[str, Worker] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        self.missing: list[str] = []
        started = [Worker(name) for name in (SUBJECT, *candidates(which))]
        try:
            for worker in started:
                self._admit(worker)
        except BaseException:  # Ctrl-C, too: a stopped process left behind would hang the exit
            self._close(started)
            raise

    def _admit(self, worker: Worker) -> None:
        try:
            facts = worker.ask("describe")
        except Missing as error:
            if worker.name == SUBJECT:
                raise
            worker.close()
            self.missing.append(f"{worker.name} does not take part: {error}")
            return
        self.workers[facts["name"]] = worker
        self.facts[facts["name"]] = facts

    @staticmethod
    def _close(workers: Iterable[Worker]) -> None:
        for worker in workers:
            worker.close()

    def __enter__(self) -> Contest:
        return self

    def __exit__(self, *_: object) -> None:
        self._close(self.workers.values())

    def rounds(self, cell: Cell, seconds: float, min_rounds: int) -> tuple[Rounds, str]:
        """Timings of those who can take part in the cell, and the subject's plan."""
        batches, plan = {}, ""
        for name, worker in self.workers.items():
            if (answer := worker.ask("prepare", cell, SEED)) is not None:
                batches[name] = answer[0]
                plan = answer[1] if name == SUBJECT else plan
        samplers = {name: self.workers[name].sample for name in batches}
        rounds = interleave(samplers, seconds=seconds, min_rounds=min_rounds)
        rounds.batch = batches
        return rounds, plan


class Runner:
    def __init__(self, contest: Contest, budget: float, say: Say) -> None:
        self.contest, self.budget, self.say = contest, budget, say
        self.start = time.monotonic()
        self.roofs: dict[int, dict[str, float]] = {}
        self.outcome = Outcome()

    def left(self) -> float:
        return self.budget - (time.monotonic() - self.start)

    def measure_roofs(self, counts: list[int]) -> None:
        for count in counts:
            roof = self.contest.workers[SUBJECT].ask("roofs", count)
            self.roofs[count] = roof
            self.outcome.roofs.append({"threads": count, **roof})
            self.say(f"roof, {count} thread(s): float32 {roof['float32'] / 1e9:.1f} GFLOP/s, "
                     f"float64 {roof['float64'] / 1e9:.1f}, "
                     f"memory {roof['bandwidth'] / 1e9:.1f} GB/s")  # fmt: skip

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
        elapsed = int(time.monotonic() - self.start)
        head = f"{position} {elapsed // 60}:{elapsed % 60:02} {cell.label:38}"
        if 0.8 * least > self.left():
            reason = f"needs about {least:.0f} s of the {max(0.0, self.left()):.0f} s left"
            self.outcome.skipped.append({"cell": cell.label, "reason": reason})
            self.say(f"{head} skipped: {reason}")
            return
        slack = (self.left() - sum(map(self._least_seconds, rest))) / len(rest)
        spare = min(max(slack, 0.0), MAX_CELL_SECONDS)
        seconds = spare + self._min_rounds(cell) * self._round_seconds(cell)
        rounds, plan = self.contest.rounds(cell, seconds, self._min_rounds(cell))
        result = summarise(cell, rounds, plan, self.roofs[cell.threads]["bandwidth"])
        self.outcome.results.append(result)
        self.say(f"{head} {progress(result)}")

    def _round_seconds(self, cell: Cell) -> float:
        """At 80% of the roof for all."""
        call = cell.flops / (0.8 * self.roofs[cell.threads][cell.dtype])
        around = SAMPLE_SECONDS if cell.threads == 1 else TEAM_SAMPLE_SECONDS
        return len(self.contest.workers) * (call + around) + roof_seconds(call)

    def _min_rounds(self, cell: Cell) -> int:
        return MIN_ROUNDS if self._round_seconds(cell) < LONG_ROUND else MIN_LONG_ROUNDS

    def _least_seconds(self, cell: Cell) -> float:
        """What the check and the fewest rounds take."""
        fixed = FIXED_SECONDS * len(self.contest.workers)
        return fixed + (1 + self._min_rounds(cell)) * self._round_seconds(cell)


def progress(result: Result) -> str:
    ours = result.ours
    share = f"{ours.share:4.0%} of roof" if ours.share is not None else ""
    parts = [f"{name} {timing.gflops:.3g}" for name, timing in result.timings.items()]
    text = f"{share}  {'  '.join(parts)} GFLOP/s"
    if (ratio := result.ratio) is not None:
        text += f"  ratio {ratio.median:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
        text += {"loss": "  LOSS", "win": "", "tie": "  tie"}[result.verdict]
    return text
