"""Where k-means begins.

Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007; of some candidates
for each centre the best is taken, as in scikit-learn.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core

if TYPE_CHECKING:
    from numpy.typing import NDArray


def plus_plus(
    x: NDArray[Any],
    squares: NDArray[np.float64],
    weights: NDArray[np.float64],
    k: int,
    rng: np.random.Generator,
) -> NDArray[Any]:
    """k rows of x, the next one likely to be far from those before; squares: of rows' lengths."""
    chosen = np.empty(k, np.int64)
    chosen[0] = _drawn(weights, 1, rng)[0]
    nearest = _distances(x, squares, chosen[:1])[0]
    trials = 2 + int(math.log(k))
    for i in range(1, k):
        candidates = _drawn(weights * nearest, trials, rng)
        distances = np.minimum(_distances(x, squares, candidates), nearest)
        best = int((distances * weights).sum(axis=1).argmin())
        chosen[i], nearest = candidates[best], distances[best]
    return x[chosen]


def at_random(
    x: NDArray[Any], weights: NDArray[np.float64], k: int, rng: np.random.Generator
) -> NDArray[Any]:
    """k different rows of x."""
    some = int((weights > 0).sum())
    p = weights / weights.sum() if some >= k else None
    return x[rng.choice(len(x), k, replace=False, p=p)]


def _drawn(shares: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows with these shares of the chances; where all are 0, the first one."""
    ends = np.cumsum(shares)
    found = np.searchsorted(ends, rng.random(count) * ends[-1], side="right")
    # A sum of zeros is reached by none.
    most = int(np.flatnonzero(shares)[-1]) if ends[-1] > 0 else 0
    rows: NDArray[np.int64] = np.minimum(found, most)
    return rows


def _distances(
    x: NDArray[Any], squares: NDArray[np.float64], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Squared, from these rows of x to all."""
    made: NDArray[np.float64] = _core.matmul(x[rows], x.T).astype(np.float64)
    made *= -2
    made += squares
    made += squares[rows, np.newaxis]
    np.maximum(made, 0, out=made)
    made[np.arange(len(rows)), rows] = 0
    return made
