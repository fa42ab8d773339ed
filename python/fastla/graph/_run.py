"""Steps until ranks are proven: which kind comes next, and which columns are done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._checkpoint import Checkpoint
from ._steps import Problem, State

if TYPE_CHECKING:
    from numpy.typing import NDArray

# In place so many times between two steps that may prove something.
_SWEEPS = 4
# Steps from one extrapolation to the next.
_SPAN = 8
# Periods that are looked for, and how near ranks must be to those of a period before.
PERIODS, _PERIODIC = 64, 1e-6


class Run(NamedTuple):
    ranks: NDArray[Any]
    bound: NDArray[np.float64]
    iterations: NDArray[np.int64]
    residuals: NDArray[np.float64]
    converged: bool


class _Progress:
    """Of each column what is known once it is done, and of all how far they moved."""

    def __init__(self, ranks: NDArray[Any]) -> None:
        n, b = ranks.shape
        self.left = np.arange(b)
        self.found = np.empty((n, b), ranks.dtype) if b > 1 else ranks
        self.bounds, self.iterations = np.full(b, np.inf), np.zeros(b, np.int64)
        self.history: list[NDArray[np.float64]] = []
        self.sweeps = 0

    def moved(self, residual: NDArray[np.float64]) -> None:
        row = np.full(len(self.bounds), np.nan)
        row[self.left] = residual
        self.history.append(row)

    def finish(self, state: State, done: NDArray[np.bool_], bound: NDArray[np.float64]) -> None:
        columns = self.left[done]
        self.bounds[columns], self.iterations[columns] = bound[done], state.steps
        if len(self.bounds) == 1:
            self.found = state.ranks
        else:
            self.found[:, columns] = state.ranks[:, done]
        self.left = self.left[~done]

    def result(self, converged: bool) -> Run:
        residuals = np.array(self.history).reshape(-1, len(self.bounds))
        return Run(self.found, self.bounds, self.iterations, residuals, converged)

    def saved(self, state: State) -> dict[str, NDArray[Any]]:
        """All that the steps after this one depend on; nodes in the graph's order."""
        outside = state.problem.walk.outside
        arrays = {"left": self.left, "bounds": self.bounds, "iterations": self.iterations}
        arrays |= {"history": np.array(self.history), "sweeps": np.array(self.sweeps)}
        arrays |= {name: np.asarray(getattr(state, name)) for name in State.CARRIED}
        arrays["ranks"] = outside(state.ranks)
        if state.problem.method == "extrapolated":
            arrays["old"] = outside(state.old)
        if len(self.bounds) > 1:
            arrays["found"] = outside(self.found)
        return arrays

    def restore(self, problem: Problem, arrays: dict[str, NDArray[Any]]) -> State:
        """The state that was saved; `problem` is of all columns."""
        inside = problem.walk.inside
        columns = np.isin(np.arange(len(self.bounds)), arrays["left"])
        state = State(problem.of(columns), inside(arrays["ranks"]))
        if "old" in arrays:
            state.old = inside(arrays["old"])
        if "found" in arrays:
            self.found = inside(arrays["found"])
        for name in State.CARRIED:
            value = arrays[name]
            setattr(state, name, value if value.ndim else value.item())
        self.left, self.bounds, self.iterations = (
            arrays[x] for x in ("left", "bounds", "iterations")
        )
        self.history, self.sweeps = list(arrays["history"]), int(arrays["sweeps"])
        return state


def run(
    problem: Problem,
    ranks: NDArray[Any],
    tol: float,
    max_iter: int,
    each: Callable[[int, NDArray[np.float64]], None],
    checkpoint: Checkpoint | None = None,
) -> Run:
    """Steps until the bound of every column is at most tol; each has the bits that it has alone."""
    progress = _Progress(ranks)
    saved = None if checkpoint is None else checkpoint.load()
    state = State(problem, ranks) if saved is None else progress.restore(problem, saved)
    alpha = problem.alpha
    sweeping = problem.method == "gauss_seidel"
    older = None
    while state.steps < max_iter:
        if problem.method == "extrapolated" and state.steps % _SPAN == _SPAN - 1:
            older = state.old.copy() if state.steps > 1 else None
        near = alpha < 1 and bool(
            (state.residual <= 0.9 * tol * (1 - alpha) / max(alpha, 0.01)).all()
        )
        sweep = sweeping and state.steps + 1 < max_iter and (progress.sweeps > 0 or not near)
        progress.sweeps = progress.sweeps - 1 if sweep else _SWEEPS
        state.step(in_place=sweep)
        progress.moved(state.residual)
        each(state.steps, state.residual)
        proven = _proven(state, tol)
        if proven.any() or state.steps == max_iter:
            done = proven | (state.steps == max_iter)
            progress.finish(state, done, state.bound(state.rounding()))
            if done.all():
                return progress.result(bool(proven.all()))
            state.keep(~done)
        if older is not None:
            state.extrapolate(older)
            older = None
        if checkpoint is not None:
            checkpoint.offer(lambda: progress.saved(state))
    return progress.result(False)


def _proven(state: State, tol: float) -> NDArray[np.bool_]:
    """Which columns are within tol; rounding is looked at last, as it takes time."""
    proven = np.full(len(state.residual), state.proves)
    if state.problem.alpha == 1:
        return proven & (state.residual <= tol)
    proven &= state.bound(np.zeros(len(proven))) <= tol
    return proven & (state.bound(state.rounding()) <= tol) if proven.any() else proven


def period(problem: Problem, ranks: NDArray[Any]) -> int | None:
    """After how many steps the ranks come back, if they do not stay: then undamped ones never settle."""
    state = State(problem, ranks.copy())
    for count in range(1, PERIODS + 1):
        state.step()
        moved = np.abs(state.ranks - ranks).sum(axis=0).max()
        if moved <= _PERIODIC:
            return count if count > 1 else None
    return None
