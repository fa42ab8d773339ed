"""k-means: a product and a search for the nearest centre, then sums of rows by their labels."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._runtime import threads
from .._topk import row_distances, row_squares
from ._checks import count, one_of, points
from ._seeds import at_random, plus_plus

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Seeds = Callable[[], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class KMeansResult:
    """Centres, and the points nearest to each; made by `kmeans`.

    Attributes
    ----------
    centers : ndarray
        (k, d).
    labels : ndarray of int32
        (n,), the nearest centre of each point; of equals the lower.
    inertia : float
        The sum of squared distances to it, weighted.
    iterations : int
        Of the best run.

    Methods
    -------
    predict(X)
        The nearest centre of other points.

    Examples
    --------
    >>> from fastla import cluster
    >>> found = cluster.kmeans([[0.0], [1.0], [9.0], [10.0]], 2, rng=0)
    >>> found.predict([[2.0]]) == found.labels[:1]
    array([ True])
    """

    centers: NDArray[Any]
    labels: NDArray[np.int32]
    inertia: float
    iterations: int

    def predict(self, X: ArrayLike) -> NDArray[np.int32]:
        """(n,): the nearest centre of each row of X, (n, d)."""
        rows = points("predict", X)
        if rows.shape[1] != self.centers.shape[1]:
            raise ValueError(f"predict: X is {rows.shape}, centers are {self.centers.shape}")
        mean = self.centers.mean(axis=0)
        return assigned(rows - mean, (self.centers - mean).astype(rows.dtype))


def kmeans(
    X: ArrayLike,
    k: int,
    *,
    init: str | ArrayLike = "k-means++",
    n_init: int | None = None,
    max_iter: int = 300,
    tol: float = 1e-4,
    sample_weight: ArrayLike | None = None,
    rng: np.random.Generator | int | None = None,
    num_threads: int | None = None,
) -> KMeansResult:
    """k centres that have a small sum of squared distances to the nearest one, by Lloyd's iterations.

    Parameters
    ----------
    X : array_like
        (n, d), real.
    k : int
        1 to n.
    init : {"k-means++", "random"} or array_like
        Where to begin: points far from each other, any points, or (k, d) centres.
    n_init : int, optional
        Runs, of which the best is taken: 1 unless given, 10 for "random"; of given centres always 1.
    max_iter : int
        Iterations of a run at most.
    tol : float
        A run ends when centres move by no more: the sum of their squared ways, beside the mean variance of
        columns. It ends anyway when no label changes.
    sample_weight : array_like, optional
        (n,), how much each point counts.
    rng : numpy.random.Generator or int, optional
        Of the beginnings. The same one each time unless given.
    num_threads : int, optional
        How many threads to use; no bit depends on it.

    Returns
    -------
    KMeansResult
        With centers, labels, inertia, iterations, predict.

    Raises
    ------
    ValueError
        If shapes do not fit, an argument is out of range, or NaN or infinity is in X.
    TypeError
        If X is complex.

    See Also
    --------
    spectral_clustering

    Notes
    -----
    2 n k d operations for labels and 2 n d for centres in each iteration; memory for a copy of X, less its
    mean. The n x k matrix of distances is searched in tiles, and never held; rows are added to their sums
    while they are in the cache, in an order that does not depend on the number of threads. A cluster that
    loses all of its points moves to the point that is farthest from its centre, as in scikit-learn.

    References
    ----------
    S. Lloyd, "Least squares quantization in PCM", IEEE Trans. Information Theory 28 (1982).

    Examples
    --------
    >>> from fastla import cluster
    >>> found = cluster.kmeans([[0.0], [1.0], [9.0], [10.0]], 2, init=[[0.0], [9.0]])
    >>> found.centers.ravel(), found.labels, found.inertia
    (array([0.5, 9.5]), array([0, 0, 1, 1], dtype=int32), 1.0)
    """
    rows = points("kmeans", X)
    k = count("kmeans", "k", k, len(rows), rows.shape)
    if operator.index(max_iter) < 1 or not tol >= 0:
        raise ValueError(
            f"kmeans: max_iter is {max_iter}, tol {tol}; they must be at least 1 and 0"
        )
    weights = _weights(sample_weight, rows)
    with threads(num_threads or _core.get_num_threads()):
        mean = rows.mean(axis=0, dtype=np.float64).astype(rows.dtype)
        x = rows - mean
        generator = np.random.default_rng(0 if rng is None else rng)
        seeds, runs = _seeds(init, x, mean, weights, k, generator)
        runs = runs if n_init is None or not isinstance(init, str) else operator.index(n_init)
        if runs < 1:
            raise ValueError(f"kmeans: n_init is {n_init}; it must be 1 at least")
        enough = tol * float(row_squares(x).mean()) / x.shape[1] if tol else 0.0
        found = [_lloyd(x, weights, seeds(), max_iter, enough) for _ in range(runs)]
    least = min(found, key=lambda run: run.inertia)
    return KMeansResult(least.centers + mean, least.labels, least.inertia, least.iterations)


def assigned(x: NDArray[Any], centers: NDArray[Any]) -> NDArray[np.int32]:
    """The nearest centre of each row; rows and centres have lost their mean."""
    return _step(x, centers, None)[0]


def _step(
    x: NDArray[Any], centers: NDArray[Any], weights: NDArray[Any] | None
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """The nearest centre of each row; for each centre the sum and the weight of its rows."""
    labels = np.empty(len(x), np.int32)
    sums, counts = np.empty(centers.shape), np.empty(len(centers))
    bias = (-row_squares(centers) / 2).astype(x.dtype)
    _core.lloyd(x, np.ascontiguousarray(centers.T), bias, weights, labels, sums, counts)
    return labels, sums, counts


def _weights(given: ArrayLike | None, x: NDArray[Any]) -> NDArray[np.float64] | None:
    if given is None:
        return None
    weights = np.asarray(given, np.float64)
    if weights.shape != (len(x),) or not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
        raise ValueError(
            f"kmeans: sample_weight is {weights.shape}, X is {x.shape}; it must be ({len(x)},), of numbers "
            "from 0 that are not all 0"
        )
    return weights


def _seeds(
    init: str | ArrayLike,
    x: NDArray[Any],
    mean: NDArray[Any],
    weights: NDArray[np.float64] | None,
    k: int,
    rng: np.random.Generator,
) -> tuple[Seeds, int]:
    """What makes the first centres, and how many runs there are unless said."""
    if not isinstance(init, str):
        given = points("kmeans", init, "init")
        if given.shape != (k, x.shape[1]):
            raise ValueError(
                f"kmeans: init is {given.shape}, X is {x.shape}; it must be {(k, x.shape[1])}"
            )
        return lambda: (given - mean).astype(x.dtype), 1
    one_of("kmeans", "init", init, ("k-means++", "random"))
    counts = np.ones(len(x)) if weights is None else weights
    if init == "random":
        return lambda: at_random(x, counts, k, rng), 10
    squares = row_squares(x)
    return lambda: plus_plus(x, squares, counts, k, rng), 1


def _lloyd(
    x: NDArray[Any],
    weights: NDArray[np.float64] | None,
    centers: NDArray[Any],
    max_iter: int,
    enough: float,
) -> KMeansResult:
    values = None if weights is None else weights.astype(x.dtype)
    labels, settled = np.full(len(x), -1, np.int32), False
    iterations = 0
    while iterations < max_iter:
        iterations += 1
        found, sums, counts = _step(x, centers, values)
        settled = np.array_equal(found, labels)
        labels, before = found, centers
        if settled:
            break
        _fill(x, weights, labels, before, sums, counts)
        some = counts > 0
        centers = before.copy()
        centers[some] = sums[some] / counts[some, np.newaxis]
        if float(np.square(centers - before, dtype=np.float64).sum()) <= enough:
            break
    if not settled:
        labels = assigned(x, centers)
    distances = row_distances(x, centers, labels)
    inertia = float((distances if weights is None else distances * weights).sum())
    return KMeansResult(centers, labels, inertia, iterations)


def _fill(
    x: NDArray[Any],
    weights: NDArray[np.float64] | None,
    labels: NDArray[np.int32],
    centers: NDArray[Any],
    sums: NDArray[np.float64],
    counts: NDArray[np.float64],
) -> None:
    """A label that no row has takes the row farthest from its centre."""
    (empty,) = np.nonzero(counts == 0)
    if not len(empty):
        return
    distances = row_distances(x, centers, labels)
    far = np.argsort(-distances, kind="stable")[: len(empty)]
    for label, row in zip(empty, far, strict=True):
        if distances[row] == 0:
            break
        weight = 1.0 if weights is None else weights[row]
        moved = x[row].astype(np.float64) * weight
        sums[labels[row]] -= moved
        counts[labels[row]] -= weight
        sums[label], counts[label] = moved, weight
