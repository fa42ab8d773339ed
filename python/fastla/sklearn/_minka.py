"""How many components data have: T. P. Minka, "Automatic choice of dimensionality for PCA", NIPS 2000."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Smaller variances are none.
_NONE = 1e-15


def log_evidence(spectrum: NDArray[Any], rank: int, n_samples: int) -> float:
    """log p(data | rank), of equation 30, by the spectrum of the covariance, the largest first."""
    d, n = len(spectrum), n_samples
    if not 1 <= rank < d:
        raise ValueError(
            f"rank is {rank}, of {d} features; the tested rank should be in [1, n_features - 1]"
        )
    wide = np.asarray(spectrum, np.float64)
    if wide[rank - 1] < _NONE:
        return -math.inf
    kept, noise = wide[:rank], max(_NONE, float(wide[rank:].sum()) / (d - rank))
    sizes = np.arange(d, d - rank, -1) / 2
    prior = (
        sum(math.lgamma(size) for size in sizes)
        - math.log(math.pi) * sizes.sum()
        - rank * math.log(2)
    )
    likelihood = -n / 2 * (np.log(kept).sum() + math.log(noise) * (d - rank))
    pairs = d * rank - rank * (rank + 1) / 2
    smoothed = np.concatenate([kept, np.full(d - rank, noise)])
    later = np.arange(d) > np.arange(rank)[:, np.newaxis]
    apart = (kept[:, np.newaxis] - wide) * (1 / smoothed - 1 / kept[:, np.newaxis])
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # equal variances: no curvature between them
        hessian = np.log(apart[later]).sum() + pairs * math.log(n)
    volume = math.log(2 * math.pi) * (pairs + rank) / 2
    return float(prior + likelihood + volume - hessian / 2 - rank * math.log(n) / 2)


def best_rank(spectrum: NDArray[Any], n_samples: int) -> int:
    """The rank of the largest evidence, 1 to n_features - 1."""
    found = [log_evidence(spectrum, rank, n_samples) for rank in range(1, len(spectrum))]
    return 1 + int(np.argmax(found)) if found else 0
