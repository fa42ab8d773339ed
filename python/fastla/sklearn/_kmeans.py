"""k-means."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .._topk import row_distances, topk
from ..cluster._kmeans import KMeansResult
from ._lloyd import runs
from ._projections import DTYPES

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class KMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """k-means clustering, with the parameters, attributes and errors of scikit-learn's.

    Parameters
    ----------
    n_clusters : int, default=8
        How many.
    init : {'k-means++', 'random'}, callable or array-like of shape (n_clusters, n_features), \
default='k-means++'
        Where to begin.
    n_init : 'auto' or int, default='auto'
        Runs, of which the best is taken: 'auto' is 10 for 'random' and callables, else 1.
    max_iter : int, default=300
        Iterations of a run at most.
    tol : float, default=1e-4
        How little centers may move at the end, beside the mean variance of columns.
    verbose : int, default=0
        Ignored.
    random_state : int, RandomState instance or None, default=None
        Of the beginnings. The same one each time unless given.
    copy_x : bool, default=True
        Ignored: X is not written to.
    algorithm : {'lloyd', 'elkan'}, default='lloyd'
        Ignored: the same centers are found, by Lloyd's iterations.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        The centers.
    labels_ : ndarray of shape (n_samples,)
        The nearest center of each row.
    inertia_ : float
        The sum of squared distances to it, weighted.
    n_iter_ : int
        Iterations of the best run.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of columns, where X has them.

    See Also
    --------
    SpectralClustering, fastla.cluster.kmeans

    Notes
    -----
    Sparse matrices are not taken. The bits do not depend on the number of threads, which is
    `fastla.get_num_threads()`.

    Examples
    --------
    >>> from fastla.sklearn import KMeans
    >>> found = KMeans(2, init=[[0.0], [9.0]]).fit([[0.0], [1.0], [9.0], [10.0]])
    >>> found.cluster_centers_.ravel(), found.labels_, found.inertia_
    (array([0.5, 9.5]), array([0, 0, 1, 1], dtype=int32), 1.0)
    """

    _parameter_constraints = {  # noqa: RUF012
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions({"k-means++", "random"}), callable, "array-like"],
        "n_init": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "copy_x": ["boolean"],
        "algorithm": [StrOptions({"lloyd", "elkan"})],
    }

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Any = "k-means++",
        n_init: int | str = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        verbose: int = 0,
        random_state: Any = None,
        copy_x: bool = True,
        algorithm: str = "lloyd",
    ):
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.copy_x = copy_x
        self.algorithm = algorithm

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> KMeans:
        """Finds the centers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : Ignored
            There for pipelines.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts.

        Returns
        -------
        self : KMeans
            Itself.

        Examples
        --------
        >>> from fastla.sklearn import KMeans
        >>> KMeans(1).fit([[0.0], [3.0]]).cluster_centers_
        array([[1.5]])
        """
        X = validate_data(self, X, dtype=DTYPES, order="C")
        if len(X) < self.n_clusters:
            raise ValueError(f"n_samples={len(X)} should be >= n_clusters={self.n_clusters}.")
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=X.dtype)
        found = runs(self, X, weights)
        best = min(found, key=lambda run: run.inertia)
        distinct = len(np.unique(best.labels))
        if distinct < self.n_clusters:
            warnings.warn(
                f"Number of distinct clusters ({distinct}) found smaller than n_clusters "
                f"({self.n_clusters}). Possibly due to duplicate points in X.",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.cluster_centers_, self.labels_ = best.centers, best.labels
        self.inertia_, self.n_iter_ = best.inertia, best.iterations
        return self

    def _rows(self, X: ArrayLike) -> NDArray[Any]:
        check_is_fitted(self)
        rows: NDArray[Any] = validate_data(self, X, reset=False, dtype=DTYPES, order="C")
        return rows

    def predict(self, X: ArrayLike) -> NDArray[np.int32]:
        """The nearest center of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Numbers of centers; of equally near ones the lowest.

        Examples
        --------
        >>> from fastla.sklearn import KMeans
        >>> KMeans(2, init=[[0.0], [9.0]]).fit([[0.0], [9.0]]).predict([[8.0]])
        array([1], dtype=int32)
        """
        rows = self._rows(X)
        found = KMeansResult(self.cluster_centers_.astype(rows.dtype), self.labels_, 0.0, 0)
        return found.predict(rows)

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Distances to all centers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_clusters)
            Computed from differences, so that small ones are right too.

        Examples
        --------
        >>> from fastla.sklearn import KMeans
        >>> KMeans(2, init=[[0.0], [9.0]]).fit([[0.0], [9.0]]).transform([[8.0]])
        array([[8., 1.]])
        """
        rows = self._rows(X)
        centers = self.cluster_centers_.astype(rows.dtype)
        found = topk(rows, centers, len(centers), metric="l2")
        made = np.empty_like(found.values)
        np.put_along_axis(made, found.indices, found.values, axis=1)
        return made

    def fit_transform(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> NDArray[Any]:
        """`fit`, and what `transform` gives for the same rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : Ignored
            There for pipelines.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_clusters)
            Distances to all centers.

        Examples
        --------
        >>> from fastla.sklearn import KMeans
        >>> KMeans(1).fit_transform([[0.0], [3.0]])
        array([[1.5],
               [1.5]])
        """
        made: NDArray[Any] = self.fit(X, sample_weight=sample_weight).transform(X)
        return made

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Less than 0: the sum of squared distances to the nearest centers, with the other sign.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : Ignored
            There for pipelines.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts.

        Returns
        -------
        score : float
            The larger the better.

        Examples
        --------
        >>> from fastla.sklearn import KMeans
        >>> KMeans(1).fit([[0.0], [2.0]]).score([[4.0]])
        -9.0
        """
        rows = self._rows(X)
        weights = _check_sample_weight(sample_weight, rows, dtype=np.float64)
        squares = row_distances(rows, self.cluster_centers_.astype(rows.dtype), self.predict(rows))
        return -float((squares * weights).sum())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)
