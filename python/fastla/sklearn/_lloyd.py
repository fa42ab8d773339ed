"""Runs of k-means, from what scikit-learn calls init and n_init."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from sklearn.utils import check_array, check_random_state

from ..cluster import kmeans
from ._solvers import seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..cluster import KMeansResult


def runs(estimator: Any, X: NDArray[Any], weights: NDArray[Any] | None) -> list[KMeansResult]:
    """At least one; the best of each call of `kmeans`."""
    init, k, count = estimator.init, estimator.n_clusters, estimator.n_init
    how = {"max_iter": estimator.max_iter, "tol": estimator.tol, "sample_weight": weights}
    if callable(init):
        state = check_random_state(estimator.random_state)
        starts = (init(X, k, random_state=state) for _ in range(10 if count == "auto" else count))
        return [kmeans(X, k, init=_checked(start, X, k), **how) for start in starts]
    if not isinstance(init, str):
        if count not in ("auto", 1):
            warnings.warn(
                "Explicit initial center position passed: performing only one init in KMeans instead of "
                f"n_init={count}.",
                RuntimeWarning,
                stacklevel=4,
            )
        return [kmeans(X, k, init=_checked(init, X, k), **how)]
    several = None if count == "auto" else int(count)
    return [kmeans(X, k, init=init, n_init=several, rng=seed(estimator.random_state), **how)]


def _checked(init: Any, X: NDArray[Any], k: int) -> NDArray[Any]:
    centers: NDArray[Any] = check_array(init, dtype=X.dtype, order="C")
    for have, want, what in (
        (len(centers), k, "clusters"),
        (centers.shape[1], X.shape[1], "features of the data"),
    ):
        if have != want:
            raise ValueError(
                f"The shape of the initial centers {centers.shape} does not match the number of "
                f"{what} {want}."
            )
    return centers
