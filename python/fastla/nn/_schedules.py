"""Learning rates as functions of the number of steps made."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Schedule = Callable[[int], float]


def constant_schedule(rate: float) -> Schedule:
    """The same rate at every step.

    Parameters
    ----------
    rate : float

    Returns
    -------
    callable
        The rate by the number of steps made.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.constant_schedule(0.1)(1000)
    0.1
    """
    return lambda step: rate


def step_schedule(rate: float, every: int, factor: float = 0.1) -> Schedule:
    """A rate that is multiplied by a factor after every so many steps.

    Parameters
    ----------
    rate : float
        Of the first step.
    every : int
        Steps with the same rate.
    factor : float, default 0.1

    Returns
    -------
    callable
        The rate by the number of steps made.

    Raises
    ------
    ValueError
        If `every` is not positive.

    Examples
    --------
    >>> from fastla import nn
    >>> schedule = nn.step_schedule(8.0, 10, 0.5)
    >>> schedule(9), schedule(10), schedule(35)
    (8.0, 4.0, 1.0)
    """
    if every < 1:
        raise ValueError(f"step_schedule: every is {every}; it must be positive")
    return lambda step: float(rate * factor ** (step // every))


def cosine_schedule(rate: float, steps: int, *, warmup: int = 0, final: float = 0.0) -> Schedule:
    """A rate that rises in a straight line, and falls along half a cosine.

    Parameters
    ----------
    rate : float
        The highest.
    steps : int
        When the rate has fallen to `final`, where it stays.
    warmup : int, default 0
        Steps of the rise; the first one has rate / warmup.
    final : float, default 0

    Returns
    -------
    callable
        The rate by the number of steps made.

    Raises
    ------
    ValueError
        If not 0 <= warmup < steps.

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.

    Examples
    --------
    >>> from fastla import nn
    >>> schedule = nn.cosine_schedule(1.0, 110, warmup=10)
    >>> [round(schedule(step), 3) for step in (0, 9, 10, 60, 110, 500)]
    [0.1, 1.0, 1.0, 0.5, 0.0, 0.0]
    """
    return _warmed("cosine_schedule", rate, steps, warmup, final, _half_cosine)


def linear_schedule(rate: float, steps: int, *, warmup: int = 0, final: float = 0.0) -> Schedule:
    """A rate that rises and falls in straight lines.

    Parameters
    ----------
    rate : float
        The highest.
    steps : int
        When the rate has fallen to `final`, where it stays.
    warmup : int, default 0
        Steps of the rise; the first one has rate / warmup.
    final : float, default 0

    Returns
    -------
    callable
        The rate by the number of steps made.

    Raises
    ------
    ValueError
        If not 0 <= warmup < steps.

    Examples
    --------
    >>> from fastla import nn
    >>> schedule = nn.linear_schedule(1.0, 100, final=0.5)
    >>> schedule(0), schedule(50), schedule(100)
    (1.0, 0.75, 0.5)
    """
    return _warmed("linear_schedule", rate, steps, warmup, final, lambda done: 1 - done)


def _half_cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * done))


def _warmed(
    name: str,
    rate: float,
    steps: int,
    warmup: int,
    final: float,
    curve: Callable[[float], float],
) -> Schedule:
    """`curve` goes from 1 to 0 while its argument goes from 0 to 1."""
    if not 0 <= warmup < steps:
        raise ValueError(f"{name}: warmup is {warmup}, steps are {steps}; it must be less, and not negative")

    def schedule(step: int) -> float:
        if step < warmup:
            return rate * (step + 1) / warmup
        done = min(1.0, (step - warmup) / (steps - warmup))
        return final + (rate - final) * curve(done)

    return schedule
