"""Means and scatter matrices in one pass, of rows that come in any portions.

Rows are taken less a shift near their mean, so that nothing cancels however large the mean is; what the
shift lacks is taken away at the end: Chan, Golub and LeVeque, "Algorithms for computing the sample
variance" (1983).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from ._checks import require_finite
from ._rounding import BLOCK, gamma, unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Products of so many rows are summed in the rows' dtype, and these sums in float64. Part of the result's
# definition.
CHUNK = 4096
# Rows, spread over the first portion, whose mean is the shift.
_SAMPLE = 256


def wide_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.complex128 if np.dtype(dtype).kind == "c" else np.float64)


def _add_chunks(
    x: NDArray[Any], shift: NDArray[Any], sums: NDArray[Any], scatter: NDArray[Any]
) -> None:
    """What `_core.moments` does, with the same bits, of any dtype and layout and of many columns."""
    rows = np.empty((min(len(x), CHUNK), x.shape[1]), shift.dtype)
    for first in range(0, len(x), CHUNK):
        part = x[first : first + CHUNK]
        there = np.subtract(part, shift, out=rows[: len(part)], dtype=shift.dtype)
        found = np.zeros_like(sums)
        for block in range(0, len(there), BLOCK):
            # Of contiguous rows NumPy adds one after the other.
            found += there[block : block + BLOCK].sum(axis=0, dtype=shift.dtype)
        sums += found
        scatter += _core.gram(there)


class Moments:
    """Of rows x: how many, their mean, and the sum of conj(x - mean)^T (x - mean)."""

    def __init__(self, columns: int, dtype: np.dtype[Any], name: str):
        self.columns, self.dtype, self.name = columns, dtype, name
        self.count = 0
        wide = wide_dtype(dtype)
        self._shift = np.zeros(columns, dtype)
        self._sums = np.zeros(columns, wide)
        self._scatter = np.zeros((columns, columns), wide)

    def add(self, x: NDArray[Any]) -> None:
        """All rows of x; or, where there is NaN or infinity among them, an error and none."""
        if len(x) == 0:
            return
        shift = self._shift
        if self.count == 0:
            sample = x[:: math.ceil(len(x) / _SAMPLE)]
            with np.errstate(invalid="ignore", over="ignore"):
                shift = sample.mean(axis=0, dtype=self._sums.dtype).astype(self.dtype)
        sums, scatter = np.zeros_like(self._sums), np.zeros_like(self._scatter)
        if x.dtype != self.dtype or not _core.moments(x, shift, sums, scatter):
            with np.errstate(invalid="ignore", over="ignore"):
                _add_chunks(x, shift, sums, scatter)
        if not np.isfinite(sums).all():
            require_finite(self.name, x, "x")
        if not np.isfinite(np.trace(scatter)):
            raise ValueError(
                f"{self.name}: squares of x of shape {x.shape}, dtype {x.dtype} overflow; scale it down"
            )
        self._shift, self.count = shift, self.count + len(x)
        self._sums += sums
        self._scatter += scatter

    def merge(self, other: Moments) -> None:
        """Those of other's rows too."""
        if other.columns != self.columns or other.dtype != self.dtype:
            raise ValueError(
                f"{self.name}: {other.columns} columns of {other.dtype} cannot join "
                f"{self.columns} of {self.dtype}"
            )
        if self.count == 0:
            self._shift = other._shift
        move = other._shift.astype(self._sums.dtype) - self._shift
        cross = move.conj()[:, np.newaxis] * other._sums
        moved = cross + cross.conj().T + other.count * (move.conj()[:, np.newaxis] * move)
        self._scatter += other._scatter + moved
        self._sums += other._sums + other.count * move
        self.count += other.count

    @property
    def mean(self) -> NDArray[Any]:
        """(columns,), of float64 or complex128."""
        found: NDArray[Any] = self._shift + self._sums / max(self.count, 1)
        return found

    def scatter(self) -> NDArray[Any]:
        """About the mean; exactly Hermitian."""
        lacking = self._sums / max(self.count, 1)
        made = self._scatter - self.count * (lacking.conj()[:, np.newaxis] * lacking)
        diagonal = np.arange(self.columns)
        made[diagonal, diagonal] = np.maximum(made[diagonal, diagonal].real, 0)
        return made

    def squares(self) -> NDArray[np.float64]:
        """Sums of squared magnitudes of the columns, about the mean."""
        found: NDArray[np.float64] = self.scatter().diagonal().real
        return found

    def rounding(self) -> float:
        """A bound of the error of the scatter matrix, in norm."""
        share = gamma(min(self.count, CHUNK), self.dtype, 8) + 4 * unit(np.dtype(np.float64)) * (
            self.count // CHUNK + 8
        )
        return share * float(np.trace(self._scatter).real)
