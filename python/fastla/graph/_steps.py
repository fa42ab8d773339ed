"""Ranks step by step, each with a bound of its distance from the exact ones.

F(r) = alpha P r + (1 - alpha) p brings any two vectors nearer by alpha, in the sum of magnitudes. So with a
step r' = F(r), wrong by `rounding` at most: |r' - r*| <= (alpha |r' - r| + rounding) / (1 - alpha); and
|r' - r*| <= alpha^t |r_0 - r*| + rounding / (1 - alpha) after t such steps.
"""

from __future__ import annotations

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
# How alike two ratios of residuals must be for an extrapolation.
_ALIKE = 0.02


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

    def of(self, columns: NDArray[np.bool_]) -> Problem:
        """Of these alone."""
        sink = None if self.sink is None else _columns(self.sink, columns)
        return self._replace(jump=_columns(self.jump, columns), sink=sink)


class State:
    """Ranks of some columns, and what the next step reads."""

    # What a step needs beside ranks and what follows from them.
    CARRIED = ("steps", "proves", "mass", "error", "residual", "last", "before_last")

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
        mass: NDArray[np.float64] = whole.sum(axis=0) * UNIT
        return mass

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
        sums = np.zeros((3, ranks.shape[1]), np.int64)
        of_piece = np.empty_like(sums)
        sunk = p.alpha * self.mass
        factor = np.full(len(sunk), 1 - p.alpha) + (sunk if p.sink is None else 0)
        for piece in walk.pieces():
            here = slice(piece.first, piece.end)
            _core.rank_step(piece.indptr, piece.indices, piece.weight, x, old[here], walk.inverse[here],
                            _rows(p.jump, here), factor, None if p.sink is None else _rows(p.sink, here),
                            sunk, p.alpha, ranks[here], following[here], of_piece, p.num_threads)  # fmt: skip
            sums += of_piece  # of integers: pieces change nothing
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
        each = (5 if walk.degree is None else 7) * unit + (edges / 4 + 64) * _DOUBLE
        if walk.degree is not None:  # strengths are sums themselves
            each += walk.degree * _DOUBLE
        wrong = _core.matmul(each.astype(dtype)[np.newaxis], self.ranks)[0].astype(np.float64)
        lost = (int(walk.indptr[-1]) + 2 * len(each)) * float(np.finfo(dtype).smallest_subnormal)
        made: NDArray[np.float64] = 1.01 * wrong + 2 * len(each) * UNIT + lost
        return made

    def keep(self, columns: NDArray[np.bool_]) -> None:
        """Go on with these columns alone."""
        self.problem = self.problem.of(columns)
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


def _rows(x: NDArray[Any], nodes: slice) -> NDArray[Any]:
    return x if len(x) == 1 else x[nodes]


def _columns(x: NDArray[Any], columns: NDArray[np.bool_]) -> NDArray[Any]:
    return x if x.shape[1] == 1 and len(columns) != 1 else np.ascontiguousarray(x[:, columns])
