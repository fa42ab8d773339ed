"""The interleaving timer: contenders take turns, so that whatever disturbs the machine hits all alike.

One round times every contender once (a batch of calls) and the machine's roof once. Ratios and shares
are formed within a round and their median is taken over the rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Call = Callable[[], object]

BATCH_SECONDS = 0.004  # long against the clock (50 ns) and a wake-up (50 us), short against a slice
LONG_CALL = 0.02  # such a call times itself: no batch, no warm-up call before it
MAX_SETTLE = 0.06
MAX_ROUNDS = 100


@dataclass
class Rounds:
    """Seconds per call of each contender and the roof in operations per second; an entry per round."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    roof: list[float] = field(default_factory=list)
    batch: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return min((len(values) for values in self.seconds.values()), default=0)


def settle() -> None:
    """Waits until this process's idle threads have stopped spinning.

    A team of threads spins for its next job for a while after each call (OpenBLAS about 30 ms, libgomp
    about 5 ms) and would take the core from the next contender's threads. Sleeping for 1 ms and looking
    at the CPU time that the process used meanwhile tells when that has ended.
    """
    give_up = time.perf_counter() + MAX_SETTLE
    while time.perf_counter() < give_up:
        wall, cpu = time.perf_counter(), time.process_time()
        time.sleep(0.001)
        if time.process_time() - cpu < 0.25 * (time.perf_counter() - wall):
            return


def time_batch(call: Call, count: int) -> float:
    """Seconds per call over count calls."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def batch_size(call: Call, seconds: float) -> int:
    """Calls per sample, given a first guess of the seconds that one takes."""
    if seconds >= LONG_CALL:
        return 1
    count = 1
    while (taken := time_batch(call, count) * count) < BATCH_SECONDS / 2:
        count = min(2 * count, 1 << 20) if taken == 0 else count * 2
    return max(1, round(count * BATCH_SECONDS / taken))


def interleave(
    calls: Mapping[str, Call],
    *,
    seconds: float,
    threads: int,
    first: Mapping[str, float],
    roof: Callable[[], float] | None = None,
    min_rounds: int = 3,
) -> Rounds:
    """Rounds of all calls for about so many seconds, and at least min_rounds.

    first holds a timing of each call, made while its answer was checked. Everything has been called
    once by then, so caches of plans exist and teams have started.
    """
    deadline = time.perf_counter() + seconds
    rounds = Rounds({name: [] for name in calls})
    rounds.batch = {name: batch_size(call, first[name]) for name, call in calls.items()}
    names = list(calls)
    round_seconds = 0.0
    while rounds.count < MAX_ROUNDS:
        start = time.perf_counter()
        if rounds.count >= min_rounds and start + round_seconds / 2 > deadline:
            break
        if roof is not None:
            rounds.roof.append(roof())
        shift = rounds.count % len(names)  # nobody always runs after the same one
        for name in names[shift:] + names[:shift]:
            if threads > 1:
                settle()
            if first[name] < LONG_CALL:
                calls[name]()  # wakes the team and warms the caches
            rounds.seconds[name].append(time_batch(calls[name], rounds.batch[name]))
        round_seconds = time.perf_counter() - start
    return rounds
