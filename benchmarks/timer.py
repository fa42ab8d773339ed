"""The interleaving timer: contenders take turns, so whatever disturbs the machine hits all alike.

One round times every contender once (a batch of calls) and the machine's roof twice: before, on a
rested core (for as long as a long call takes), and right after the subject, at the clock that its
work has left (CPUs lower it under wide multiply-adds with loads, and take about a millisecond to
raise it again). Ratios and shares are formed within a round, and their median is taken over the rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Call = Callable[[], object]

BATCH_SECONDS = 0.005  # long against the clock (50 ns) and a wake-up (50 us)
LONG_CALL = 0.05  # such a call times itself: no batch, and no warm-up call before it
WARM_SECONDS = 0.005  # untimed calls before a batch
WARM_TEAM_SECONDS = 0.02  # the scheduler, at ticks of 4 ms, must give each thread its core again
MAX_ROUNDS = 60


@dataclass(frozen=True)
class Sample:
    """Seconds per call over one batch; the subject adds the roofs, in operations per second."""

    seconds: float
    roof: float | None = None
    roof_after: float | None = None


@dataclass
class Rounds:
    """Seconds per call of each contender, and the roofs: an entry per round."""

    seconds: dict[str, list[float]]
    roof: list[float] = field(default_factory=list)
    roof_after: list[float] = field(default_factory=list)
    batch: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return min((len(values) for values in self.seconds.values()), default=0)


def time_batch(call: Call, count: int) -> float:
    """Seconds per call over count calls."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def batch_size(call: Call, first: float) -> int:
    """Calls per sample; first is the time of one, teams starting and all."""
    seconds = first
    if first < 10 * LONG_CALL:
        seconds = min(first, time_batch(call, 1), time_batch(call, 1))
    count = 1
    while count * seconds < BATCH_SECONDS and count < 1 << 20:
        count *= 2
        seconds = min(seconds, time_batch(call, count))
    return max(1, round(BATCH_SECONDS / seconds))


def warm_up(call: Call, threads: int) -> None:
    """Others have used the caches and the cores since the last call; their threads may still be spinning."""
    end = time.perf_counter() + (WARM_SECONDS if threads == 1 else WARM_TEAM_SECONDS)
    while time.perf_counter() < end:
        call()


def interleave(
    samplers: Mapping[str, Callable[[], Sample]],
    *,
    seconds: float,
    min_rounds: int,
) -> Rounds:
    """Rounds of all for about so many seconds, and at least min_rounds."""
    deadline = time.perf_counter() + seconds
    rounds = Rounds({name: [] for name in samplers})
    names = list(samplers)
    longest = 0.0
    while rounds.count < MAX_ROUNDS:
        start = time.perf_counter()
        if rounds.count >= min_rounds and start + longest / 2 > deadline:
            break
        shift = rounds.count % len(names)  # nobody always runs after the same one
        for name in names[shift:] + names[:shift]:
            sample = samplers[name]()
            rounds.seconds[name].append(sample.seconds)
            if sample.roof is not None:
                rounds.roof.append(sample.roof)
            if sample.roof_after is not None:
                rounds.roof_after.append(sample.roof_after)
        longest = max(longest, time.perf_counter() - start)
    return rounds
