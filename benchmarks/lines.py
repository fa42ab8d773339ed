"""Lines of a report: what was asked for, what was seen, in one process and in turns."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import fastla
from benchmarks.stats import speed_ratio
from benchmarks.timer import LONG_CALL, Sample, batch_size, interleave, time_batch, warm_up
from fastla import _core

Call = Callable[[], Any]


@dataclass(frozen=True)
class Line:
    """One thing to measure.

    `target` is the least ratio to the fastest rival, or share of a roof. `roof` is the dtype of independent
    multiply-adds, or "read", memory's; `amount` is how many operations, or bytes. `subject` is the name of
    `ours`.
    """

    name: str
    ours: Call
    rivals: dict[str, Call]
    target: float
    roof: str = ""
    amount: float = 0.0
    subject: str = "fastla"


def _roof(name: str, threads: int) -> float:
    if name == "read":
        return _core.roof_read(threads, 0.05)
    return _core.roof_fma(name, threads, 0.05, 3)


def measure(line: Line, seconds: float) -> tuple[float, str]:
    """The ratio or share, and the times behind it: medians over rounds."""

    def sampler(name: str, call: Call) -> Callable[[], Sample]:
        start = time.perf_counter()
        call()
        first = time.perf_counter() - start
        count = batch_size(call, first)

        def sample() -> Sample:
            roof = None
            if name == line.subject and line.roof:
                roof = _roof(line.roof, fastla.get_num_threads())
            if first < LONG_CALL:
                warm_up(call, fastla.get_num_threads())
            return Sample(time_batch(call, count), roof)

        return sample

    calls = {line.subject: line.ours, **line.rivals}
    samplers = {name: sampler(name, call) for name, call in calls.items()}
    rounds = interleave(samplers, seconds=seconds, min_rounds=3)
    medians = {name: statistics.median(seen) for name, seen in rounds.seconds.items()}
    told = ", ".join(f"{name} {1e3 * value:.4g} ms" for name, value in medians.items())
    ours = rounds.seconds[line.subject]
    if line.roof:
        shares = [line.amount / t / roof for t, roof in zip(ours, rounds.roof, strict=True)]
        return statistics.median(shares), told
    return min(speed_ratio(ours, rounds.seconds[name]).median for name in line.rivals), told


def options_of(prog: str, description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument(
        "--only", default="", metavar="SUBSTR", help='e.g. "gram", "int64", "of 4x4"'
    )
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="for each line; 3 rounds at least"
    )
    return parser


def report(groups: Iterable[Callable[[], Iterator[Line]]], only: str, seconds: float) -> None:
    """Measures the lines whose name has `only` in it, and prints each as it comes."""
    print(f"{'what':<44}{'asked':>7}{'seen':>8}")
    for group in groups:
        for line in group():
            if only in line.name:
                seen, told = measure(line, seconds)
                mark = " " if seen >= line.target else "*"
                print(f"{line.name:<44}{line.target:>7.3g}{seen:>8.3g}{mark} {told}", flush=True)
