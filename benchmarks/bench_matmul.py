"""Stores interleaved timings with pytest-benchmark: ``pytest benchmarks/bench_matmul.py``.

pytest-benchmark times one function after the other, which a noisy machine turns into noise between
contenders. So the cells are timed by benchmarks.timer, and each contender's samples are replayed to
pytest-benchmark as its clock: its tables, --benchmark-save and --benchmark-compare work on them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from benchmarks.results import SUBJECT
from benchmarks.rivals import DEFAULT
from benchmarks.runner import Contest
from benchmarks.shapes import Cell
from benchmarks.timer import Rounds

SHAPES = [(64, 64, 64), (37, 41, 43), (256, 256, 256), (512, 512, 512), (197, 768, 768),
          (16, 4096, 4096), (4096, 64, 4096)]  # fmt: skip
CELL_SECONDS = 1.0

Measured = Callable[[Cell], Rounds]


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


@pytest.fixture(scope="session")
def contest() -> Iterator[Contest]:
    with Contest("default") as contest:
        yield contest


@pytest.fixture(scope="session")
def measured(contest: Contest) -> Measured:
    return functools.cache(lambda cell: contest.rounds(cell, CELL_SECONDS, 6)[0])


@pytest.mark.benchmark(timer=REPLAY)
@pytest.mark.parametrize("name", [SUBJECT, *DEFAULT])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def test_matmul(
    benchmark: Any, measured: Measured, shape: tuple[int, int, int], dtype: str, name: str
) -> None:
    cell = Cell("matmul", *shape, dtype, threads=1)
    seconds = measured(cell).seconds.get(name)
    if seconds is None:
        pytest.skip(f"needs {name}")
    REPLAY.load(seconds)
    benchmark.group = cell.label
    benchmark.extra_info["gflops"] = cell.flops / float(np.median(seconds)) / 1e9
    benchmark.pedantic(lambda: None, rounds=len(seconds), iterations=1)
