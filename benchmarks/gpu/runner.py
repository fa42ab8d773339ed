"""Spends the minutes: steps in their order, each phase up to its share, until Ctrl-C or the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.gpu.cells import Cell, checked, table, tuned
from benchmarks.gpu.measure import CALL_CELLS, PROCESSORS_CELL
from benchmarks.gpu.store import Store

# What share of the time has passed when a phase ends at the latest, and seconds that one stage may take.
PHASES = {"check": (0.34, 40.0), "tune": (0.55, 40.0), "table": (0.84, 25.0), "calls": (0.88, 25.0),
          "processors": (0.92, 40.0)}  # fmt: skip
RETRIES = 3
LEAST_SECONDS = 2.0


@dataclass(frozen=True)
class Step:
    kind: str
    cell: Cell

    @property
    def key(self) -> str:
        return f"{self.kind} {self.cell.label}"


def steps() -> list[Step]:
    return [
        *(Step("check", cell) for cell in checked()),
        *(Step("tune", cell) for cell in tuned()),
        *(Step("table", cell) for cell in table()),
        *(Step("calls", cell) for cell in CALL_CELLS),
        Step("processors", PROCESSORS_CELL),
    ]


@dataclass
class Runner:
    """`worker` has do(kind, cell, avoid, limit, left), as Worker has."""

    store: Store
    worker: Any
    seconds: float
    say: Callable[[str], None]
    brief: Callable[[Step, dict[str, Any]], str]
    begun: float = field(default_factory=time.monotonic)
    interrupted: bool = False

    def passed(self) -> float:
        return time.monotonic() - self.begun

    def run(self, chosen: list[Step]) -> None:
        """Never raises KeyboardInterrupt: what was stored until then is the outcome."""
        missing = [step for step in chosen if step.key not in self.store.records]
        if len(missing) < len(chosen):
            self.say(f"{len(chosen) - len(missing)} of {len(chosen)} steps are known; --fresh starts anew")
        try:
            for number, step in enumerate(missing):
                if number and step.kind != missing[number - 1].kind:
                    self.worker.close()  # the next process reads the table of tuned plans anew
                self._step(step, f"[{number + 1:3}/{len(missing)}]")
        except KeyboardInterrupt:
            self.interrupted = True
            self.say("interrupted: writing what there is; the same command goes on from here")
        finally:
            self.worker.close()

    def _step(self, step: Step, position: str) -> None:
        share, limit = PHASES[step.kind]
        left = share * self.seconds - self.passed()
        if left < LEAST_SECONDS:
            return
        begin, passed = time.monotonic(), int(self.passed())
        head = f"{position} {passed // 60}:{passed % 60:02} of {self.seconds / 60:.0f} min  {step.key}"
        avoid: list[str] = []
        lost: list[dict[str, str]] = []
        while True:
            left = share * self.seconds - self.passed()
            outcome = self.worker.do(step.kind, step.cell, avoid, limit, max(left, LEAST_SECONDS))
            if outcome.status == "late":
                self.say(f"{head}: cut off, no time left for it")
                return
            if outcome.status == "ok":
                break
            lost.append({"at": outcome.at, "status": outcome.status, "said": outcome.said})
            self.say(f"{head}: {outcome.status} at {outcome.at!r}: {outcome.said}")
            if outcome.at in ("", "start", *avoid) or len(lost) > RETRIES:
                break
            avoid.append(outcome.at)
        taken = round(time.monotonic() - begin, 2)
        self.store.add(step.key, outcome.status, outcome.data, kind=step.kind, cell=step.cell.to_json(),
                       lost=lost, seconds=taken)  # fmt: skip
        if outcome.status == "ok":
            self.say(f"{head}  {self.brief(step, self.store.records[step.key])}")
