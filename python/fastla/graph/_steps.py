"""Ranks step by step, each with a bound of its distance from the exact ones.

F(r) = alpha P r + (1 - alpha) p brings any two vectors nearer by alpha, in the sum of magnitudes. So with a
step r' = F(r), wrong by `rounding` at most: |r' - r*| <= (alpha |r' - r| + rounding) / (1 - alpha); and
|r' - r*| <= alpha^t |r_0 - r*| + rounding / (1 - alpha) after t such steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from ._walk import Walk

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNIT = 2.0**-60  # of what csrc/graph/rank.cpp adds up
_DOUBLE = 2.0**-53
# Of totals that are far from 1: sums of multiples of UNIT hold less than 8.
_COARSE, _MOST = 2.0**-40, 4.0
# In place so many times between two steps that may prove something.
_SWEEPS = 4
# Steps from one extrapolation to the next, and how alike two ratios of residuals must be for it.
_SPAN, _ALIKE = 8, 0.02
# Periods that are looked for, and how near ranks must be to those of a period before.
PERIODS, _PERIODIC = 64, 1e-6


class Problem(NamedTuple):
    """In the walk's order: where it jumps to, (n or 1, b or 1); where it goes from nodes without edges, if
    that is not there."""

    walk: Walk
    alpha: float
    jump: NDArray[np.float64]
    sink: NDArray[np.float64] | None
    start_error: float  # of the first ranks, at most
    method: str
    num_threads: int | None


class State:
    """Ranks of some columns, and what the next step reads."""

    def __init__(self, problem: Problem, ranks: NDArray[Any]) -> None:
        self.problem = problem
        self.steps = 0
        self.error = np.full(ranks.shape[1], problem.start_error)
        self.residual = np.full(ranks.shape[1], np.inf)
        self.last = self.before_last = self.residual
        self.proves = False
        self.start(ranks)

    def start(self, ranks: NDArray[Any]) -> None:
        walk = self.problem.walk
        self.ranks, self.x = ranks, ranks * walk.inverse[:, np.newaxis]
        self.old, self.next = np.empty_like(ranks), np.empty_like(ranks)
        self.mass = self._dangling(ranks)

    def begin_anew(self, ranks: NDArray[Any]) -> None:
        """With ranks that add up to 1, as the sums of integers need it; which way does not depend on the
        order of nodes either."""
        total = (ranks / _COARSE).astype(np.int64).sum(axis=0) * _COARSE
        self.start((ranks / total).astype(ranks.dtype))
        self.error = np.full(len(self.error), np.inf)

    def _dangling(self, ranks: NDArray[Any]) -> NDArray[np.float64]:
        left = ranks[self.problem.walk.inverse == 0].astype(np.float64)
        whole: NDArray[np.int64] = (left / UNIT).astype(np.int64)
        return whole.sum(axis=0) * UNIT

    def step(self, in_place: bool = False) -> None:
        """One along the edges. In place nodes see the new ranks of those before them, and the residual is
        only how far ranks moved."""
        p, walk = self.problem, self.problem.walk
        if (
            not self.proves
            and self.steps
            and self.ranks.sum(axis=0, dtype=np.float64).max() > _MOST
        ):
            self.begin_anew(self.ranks)  # in place they grow, at worst by 1 / (1 - alpha)
        old, x = self.ranks, self.x
        ranks, following = (old, x) if in_place else (self.old, self.next)
        sums = np.empty((3, ranks.shape[1]), np.int64)
        sunk = p.alpha * self.mass
        factor = np.full(len(sunk), 1 - p.alpha) + (sunk if p.sink is None else 0)
        _core.rank_step(walk.indptr, walk.indices, walk.weights, x, old, walk.inverse, p.jump, factor,
                        p.sink, sunk, p.alpha, ranks, following, sums, p.num_threads)  # fmt: skip
        if not in_place:
            self.ranks, self.old, self.x, self.next = ranks, old, following, x
        self.proves = not in_place
        self.before_last, self.last = self.last, self.residual
        self.residual, self.mass = (sums[0] + len(ranks)) * UNIT, sums[1] * UNIT
        self.steps += 1
        self.error = (
            np.full(len(self.error), np.inf) if in_place or p.alpha == 0 else self.error * p.alpha
        )

    def bound(self, rounding: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Of |ranks - exact ranks|, after a step that was not in place."""
        alpha = self.problem.alpha
        if alpha == 1:
            return np.full(len(self.residual), np.inf)
        seen = (alpha * self.residual + rounding) / (1 - alpha)
        least: NDArray[np.float64] = np.minimum(seen, self.error + rounding / (1 - alpha))
        return least * (1 + 1e-12)

    def rounding(self) -> NDArray[np.float64]:
        """How far a step to these ranks is from an exact one at most, in each column."""
        walk, dtype = self.problem.walk, self.ranks.dtype
        unit = float(np.finfo(dtype).eps) / 2
        edges = np.diff(walk.indptr).astype(np.float64)
        # A rank: rounded itself, then times its inverse, which is, and a chance; sums in four chains.
        each = (5 if walk.weights is None else 7) * unit + (edges / 4 + 64) * _DOUBLE
        if walk.weights is not None:  # strengths are sums themselves
            each += np.bincount(walk.indices, minlength=len(each)) * _DOUBLE
        wrong = _core.matmul(each.astype(dtype)[np.newaxis], self.ranks)[0].astype(np.float64)
        lost = (len(walk.indices) + 2 * len(each)) * float(np.finfo(dtype).smallest_subnormal)
        made: NDArray[np.float64] = 1.01 * wrong + 2 * len(each) * UNIT + lost
        return made

    def keep(self, columns: NDArray[np.bool_]) -> None:
        """Go on with these columns alone."""
        p = self.problem
        self.problem = p._replace(
            jump=_columns(p.jump, columns),
            sink=None if p.sink is None else _columns(p.sink, columns),
        )
        self.ranks, self.x = _columns(self.ranks, columns), _columns(self.x, columns)
        self.old, self.next = np.empty_like(self.ranks), np.empty_like(self.x)
        for name in ("mass", "error", "residual", "last", "before_last"):
            setattr(self, name, getattr(self, name)[columns])

    def extrapolate(self, older: NDArray[Any]) -> None:
        """Where steps shrink by the same share in the same direction, go all the way at once (Aitken's
        process), if the step after that is the smaller one. Sums that decide do not depend on the order."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio, before = self.residual / self.last, self.last / self.before_last
        moved, earlier = self.ranks - self.old, self.old - older
        same = ((moved > 0) == (earlier > 0)).sum(axis=0) > 0.9 * len(moved)
        good = same & (ratio < 1) & (np.abs(ratio - before) < _ALIKE)
        if not good.any():
            return
        share = np.divide(ratio, 1 - ratio, out=np.zeros_like(ratio), where=good)
        trial = State(self.problem, self.ranks)
        trial.begin_anew(np.maximum(self.ranks + moved * share.astype(moved.dtype), 0))
        trial.step()
        better = good & (trial.residual < ratio * self.residual)
        for name in ("ranks", "x"):
            getattr(self, name)[:, better] = getattr(trial, name)[:, better]
        for name in ("mass", "error", "residual"):
            getattr(self, name)[better] = getattr(trial, name)[better]


def _columns(x: NDArray[Any], columns: NDArray[np.bool_]) -> NDArray[Any]:
    return x if x.shape[1] == 1 and len(columns) != 1 else np.ascontiguousarray(x[:, columns])


class Run(NamedTuple):
    ranks: NDArray[Any]
    bound: NDArray[np.float64]
    iterations: NDArray[np.int64]
    residuals: NDArray[np.float64]
    converged: bool


def run(
    problem: Problem,
    ranks: NDArray[Any],
    tol: float,
    max_iter: int,
    each: Callable[[int, NDArray[np.float64]], None],
) -> Run:
    """Steps until the bound of every column is at most tol; each has the bits that it has alone."""
    n, b = ranks.shape
    state, left, open_ = State(problem, ranks), np.arange(b), np.ones(b, bool)
    found = np.empty((b, n), ranks.dtype)
    bounds, iterations, history = np.full(b, np.inf), np.zeros(b, np.int64), []
    alpha, sweeping = problem.alpha, problem.method == "gauss_seidel"
    older, sweeps = None, 0
    while state.steps < max_iter:
        if problem.method == "extrapolated" and state.steps % _SPAN == _SPAN - 1:
            older = state.old.copy() if state.steps > 1 else None
        near = alpha < 1 and bool(
            (state.residual <= 0.9 * tol * (1 - alpha) / max(alpha, 0.01)).all()
        )
        sweep = sweeping and state.steps + 1 < max_iter and (sweeps > 0 or not near)
        sweeps = sweeps - 1 if sweep else _SWEEPS
        state.step(in_place=sweep)
        row = np.full(b, np.nan)
        row[left[open_]] = state.residual[open_]
        history.append(row)
        each(state.steps, state.residual[open_])
        last = state.steps == max_iter
        proven = (
            open_
            & state.proves
            & (state.residual <= tol if alpha == 1 else state.bound(0.0) <= tol)
        )
        if proven.any() or last:
            now = state.bound(state.rounding())
            proven &= (now <= tol) | (alpha == 1)
            done = open_ if last else proven
            bounds[left[done]], iterations[left[done]] = now[done], state.steps
            found[left[done]] = state.ranks[:, done].T
            if done is open_ or not (open_ & ~done).any():
                return Run(
                    found.T, bounds, iterations, np.array(history), bool(proven[open_].all())
                )
            open_ = open_ & ~done
            if 2 * np.count_nonzero(open_) <= len(open_):  # the others are carried along until then
                state.keep(open_)
                left, open_ = left[open_], open_[open_]
        if older is not None:
            state.extrapolate(older)
            older = None
    raise AssertionError("the last step returns")


def period(problem: Problem, ranks: NDArray[Any]) -> int | None:
    """After how many steps the ranks come back, if they do not stay: then undamped ones never settle."""
    state = State(problem, ranks.copy())
    for count in range(1, PERIODS + 1):
        state.step()
        moved = np.abs(state.ranks - ranks).sum(axis=0).max()
        if moved <= _PERIODIC:
            return count if count > 1 else None
    return None
