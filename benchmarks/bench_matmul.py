"""Stores interleaved timings with pytest-benchmark: ``pytest benchmarks/bench_matmul.py``.

pytest-benchmark times one function after the other, which a noisy machine turns into noise between
contenders. So the cells are timed by benchmarks.timer, and each contender's samples are replayed to
pytest-benchmark as its clock; its tables, --benchmark-save and --benchmark-compare then work on them.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from benchmarks.results import SUBJECT
from benchmarks.rivals import Fastla, find
from benchmarks.runner import Runner
from benchmarks.shapes import Cell
from benchmarks.timer import Rounds

SHAPES = [(64, 64, 64), (37, 41, 43), (256, 256, 256), (512, 512, 512), (197, 768, 768),
          (16, 4096, 4096), (4096, 64, 4096)]  # fmt: skip
CELL_SECONDS = 1.0


class Replay:
    """A clock that shows the recorded seconds: read before and after each round."""

    __name__ = "interleaved"

    def __init__(self) -> None:
        self.readings = iter((0.0,))

    def load(self, seconds: list[float]) -> None:
        ends = np.cumsum(seconds)
        pairs = zip(ends - seconds, ends, strict=True)
        self.readings = iter([float(time) for pair in pairs for time in pair])

    def __call__(self) -> float:
        return next(self.readings)


REPLAY = Replay()


@functools.cache
def runner() -> Runner:
    return Runner(Fastla(), find("default")[0], budget=0.0, say=print)


@functools.cache
def measured(cell: Cell) -> Rounds:
    return runner().rounds(cell, CELL_SECONDS)[0]


def contenders() -> list[str]:
    return [SUBJECT, *(rival.name for rival in find("default")[0])]


@pytest.mark.benchmark(timer=REPLAY)
@pytest.mark.parametrize("name", contenders())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def test_matmul(benchmark: Any, shape: tuple[int, int, int], dtype: str, name: str) -> None:
    cell = Cell("matmul", *shape, dtype, threads=1)
    seconds = measured(cell).seconds[name]
    REPLAY.load(seconds)
    benchmark.group = cell.label
    benchmark.extra_info["gflops"] = cell.flops / float(np.median(seconds)) / 1e9
    benchmark.pedantic(lambda: None, rounds=len(seconds), iterations=1)
