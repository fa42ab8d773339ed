"""What was measured, as plain data that goes to JSON and back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.machine import largest_cache_bytes
from benchmarks.shapes import Cell
from benchmarks.stats import Interval, quartiles, speed_ratio, verdict
from benchmarks.timer import Rounds

SUBJECT = "fastla"


@dataclass(frozen=True)
class Timing:
    """One contender in one cell; ratio is how much faster fastla was.

    share is of the FMA roof measured before, share_at_clock (fastla's) of the roof measured right
    after, at the clock that the product ran at.
    """

    seconds: float
    quartile_low: float
    quartile_high: float
    gflops: float
    batch: int
    share: float | None
    share_best_quartile: float | None
    ratio: Interval | None
    share_at_clock: float | None = None


@dataclass(frozen=True)
class Result:
    cell: Cell
    rounds: int
    roof_gflops: float | None
    dram_share: float | None  # of the memory bandwidth, where that is what limits
    path: str
    best_rival: str
    verdict: str
    timings: dict[str, Timing]

    @property
    def ours(self) -> Timing:
        return self.timings[SUBJECT]

    @property
    def ratio(self) -> Interval | None:
        """fastla against the best rival."""
        return self.timings[self.best_rival].ratio if self.best_rival else None

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "shape": self.cell.shape}


def from_json(data: dict[str, Any]) -> Result:
    timings = {}
    for name, timing in data["timings"].items():
        ratio = Interval(**timing["ratio"]) if timing["ratio"] else None
        timings[name] = Timing(**{**timing, "ratio": ratio})
    fields = {field.name: data[field.name] for field in dataclasses.fields(Result)}
    return Result(**{**fields, "cell": Cell(**data["cell"]), "timings": timings})


def timing(cell: Cell, rounds: Rounds, name: str) -> Timing:
    seconds = rounds.seconds[name]
    low, middle, high = quartiles(seconds)
    share = best = None
    if rounds.roof:
        shares = [cell.flops / s / r for s, r in zip(seconds, rounds.roof, strict=True)]
        _, share, best = quartiles(shares)
    at_clock = None
    if name == SUBJECT and rounds.roof_after:
        pairs = zip(seconds, rounds.roof_after, strict=True)
        at_clock = float(np.median([cell.flops / s / r for s, r in pairs]))
    ratio = None if name == SUBJECT else speed_ratio(rounds.seconds[SUBJECT], seconds)
    return Timing(
        seconds=middle, quartile_low=low, quartile_high=high, gflops=cell.flops / middle / 1e9,
        batch=rounds.batch[name], share=share, share_best_quartile=best, ratio=ratio,
        share_at_clock=at_clock,
    )  # fmt: skip


def memory_bound(cell: Cell, bandwidth: float, roof: float) -> bool:
    """The operands exceed the caches, and moving them takes half as long as computing, or more."""
    fits = cell.bytes <= 1.5 * largest_cache_bytes()
    return not fits and cell.bytes / bandwidth > 0.5 * cell.flops / roof


def summarise(cell: Cell, rounds: Rounds, path: str, bandwidth: float | None) -> Result:
    timings = {name: timing(cell, rounds, name) for name in rounds.seconds}
    rivals = [name for name in timings if name != SUBJECT]
    best = min(rivals, key=lambda name: timings[name].seconds, default="")
    ratio = timings[best].ratio if best else None
    roof = float(np.median(rounds.roof)) if rounds.roof else None
    dram = None
    if bandwidth and roof and memory_bound(cell, bandwidth, roof):
        dram = cell.bytes / timings[SUBJECT].seconds / bandwidth
    return Result(
        cell=cell,
        rounds=rounds.count,
        roof_gflops=roof / 1e9 if roof else None,
        dram_share=dram,
        path=path,
        best_rival=best,
        verdict=verdict(ratio) if ratio else "",
        timings=timings,
    )
