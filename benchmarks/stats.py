"""Medians, quartiles and intervals that hold for any distribution of timings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A median with an interval; coverage is the probability that the interval holds the median."""

    median: float
    low: float
    high: float
    coverage: float


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


def median_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """The order-statistic interval of a median.

    Of n values, the number below the true median is binomial(n, 1/2), whatever their distribution,
    so [j-th smallest, j-th largest] misses it with probability 2 P(binomial < j). j is the largest
    that keeps that below 1 - confidence. Fewer than 6 values cannot reach 95%: then j is 1 and
    coverage says what smallest..largest is worth (75% for 3 values).
    """
    ordered = sorted(values)
    n = len(ordered)
    below, j, miss = 0.5**n, 1, 2 * 0.5**n
    while j < n // 2:
        below += math.comb(n, j) * 0.5**n
        if 2 * below > 1 - confidence:
            break
        j, miss = j + 1, 2 * below
    return Interval(float(np.median(ordered)), ordered[j - 1], ordered[n - j], max(0.0, 1 - miss))


def speed_ratio(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """How many times faster ours is, from the rounds in which both ran."""
    return median_interval([t / o for o, t in zip(ours, theirs, strict=True)])


def verdict(ratio: Interval) -> str:
    """A "win" or a "loss" when the whole interval says so, else "tie"."""
    if ratio.low > 1:
        return "win"
    return "loss" if ratio.high < 1 else "tie"


def geometric_mean(values: Iterable[float]) -> float:
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan
