"""Spectral clustering."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin, _fit_context
from sklearn.metrics.pairwise import KERNEL_PARAMS, pairwise_kernels
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_random_state, check_symmetric
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from ..cluster import knn_graph, rbf_affinity, spectral_clustering


class SpectralClustering(ClusterMixin, BaseEstimator):
    """Spectral clustering, with the parameters, attributes and errors of scikit-learn's.

    Parameters
    ----------
    n_clusters : int, default=8
        How many.
    eigen_solver : {'arpack', 'lobpcg', 'amg'} or None, default=None
        Ignored: eigenvectors are block Lanczos', with bounds.
    n_components : int, default=None
        Eigenvectors; n_clusters unless given.
    random_state : int, RandomState instance or None, default=None
        Whatever is random. The same one each time unless given.
    n_init : int, default=10
        Runs of k-means.
    gamma : float, default=1.0
        Of kernels.
    affinity : str or callable, default='rbf'
        'rbf', 'nearest_neighbors', 'precomputed', 'precomputed_nearest_neighbors', or another kernel, which
        is computed by scikit-learn.
    n_neighbors : int, default=10
        Of graphs of neighbours, with the row itself.
    eigen_tol : float or 'auto', default='auto'
        Residuals of eigenvectors, beside the largest eigenvalue; 'auto' is 1e-6.
    assign_labels : {'kmeans', 'discretize', 'cluster_qr'}, default='kmeans'
        From eigenvectors to clusters.
    degree : float, default=3
        Of the polynomial kernel.
    coef0 : float, default=1
        Of the polynomial and sigmoid kernels.
    kernel_params : dict of str to any, default=None
        Of a callable.
    n_jobs : int, default=None
        Ignored: `fastla.set_num_threads` says how many threads there are.
    verbose : bool, default=False
        Ignored.

    Attributes
    ----------
    affinity_matrix_ : {array-like, sparse matrix} of shape (n_samples, n_samples)
        The affinity.
    labels_ : ndarray of shape (n_samples,)
        The cluster of each row.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of columns, where X has them.

    See Also
    --------
    KMeans, fastla.cluster.spectral_clustering

    Notes
    -----
    Graphs that are not connected are no problem. The bits do not depend on the number of threads.

    References
    ----------
    J. Shi and J. Malik, "Normalized cuts and image segmentation", IEEE PAMI 22 (2000).

    Examples
    --------
    >>> import numpy as np
    >>> from fastla.sklearn import SpectralClustering
    >>> x = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]])
    >>> labels = SpectralClustering(2).fit(x).labels_
    >>> bool((labels[:3] == labels[0]).all() and (labels[3:] == 1 - labels[0]).all())
    True
    """

    _parameter_constraints = {  # noqa: RUF012
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "eigen_solver": [StrOptions({"arpack", "lobpcg", "amg"}), None],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "gamma": [Interval(Real, 0, None, closed="left")],
        "affinity": [
            callable,
            StrOptions(
                set(KERNEL_PARAMS)
                | {"nearest_neighbors", "precomputed", "precomputed_nearest_neighbors"}
            ),
        ],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "eigen_tol": [Interval(Real, 0.0, None, closed="left"), StrOptions({"auto"})],
        "assign_labels": [StrOptions({"kmeans", "discretize", "cluster_qr"})],
        "degree": [Interval(Real, 0, None, closed="left")],
        "coef0": [Interval(Real, None, None, closed="neither")],
        "kernel_params": [dict, None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        eigen_solver: str | None = None,
        n_components: int | None = None,
        random_state: Any = None,
        n_init: int = 10,
        gamma: float = 1.0,
        affinity: Any = "rbf",
        n_neighbors: int = 10,
        eigen_tol: float | str = "auto",
        assign_labels: str = "kmeans",
        degree: float = 3,
        coef0: float = 1,
        kernel_params: dict[str, Any] | None = None,
        n_jobs: int | None = None,
        verbose: bool = False,
    ):
        self.n_clusters = n_clusters
        self.eigen_solver = eigen_solver
        self.n_components = n_components
        self.random_state = random_state
        self.n_init = n_init
        self.gamma = gamma
        self.affinity = affinity
        self.n_neighbors = n_neighbors
        self.eigen_tol = eigen_tol
        self.assign_labels = assign_labels
        self.degree = degree
        self.coef0 = coef0
        self.kernel_params = kernel_params
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> SpectralClustering:
        """Finds the clusters of rows, or of the nodes of a graph.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_samples)
            Rows; affinities or distances where they are precomputed.
        y : Ignored
            There for pipelines.

        Returns
        -------
        self : SpectralClustering
            Itself.

        Examples
        --------
        >>> from fastla.sklearn import SpectralClustering
        >>> SpectralClustering(1).fit([[0.0], [3.0]]).labels_
        array([0, 0], dtype=int32)
        """
        X = validate_data(
            self, X, accept_sparse=["csr", "csc", "coo"], dtype=np.float64, ensure_min_samples=2
        )
        if X.shape[0] == X.shape[1] and self.affinity not in _PRECOMPUTED:
            warnings.warn(
                "The spectral clustering API has changed. ``fit`` now constructs an affinity matrix from "
                "data. To use a custom affinity matrix, set ``affinity=precomputed``.",
                stacklevel=2,
            )
        self.affinity_matrix_ = self._affinity(X)
        wanted = min(self.n_clusters, X.shape[0])
        tol = None if isinstance(self.eigen_tol, str) else float(self.eigen_tol)
        state = check_random_state(0 if self.random_state is None else self.random_state)
        found = spectral_clustering(
            check_symmetric(self.affinity_matrix_, raise_warning=self.affinity == "precomputed"),
            wanted, affinity="precomputed", n_components=self.n_components, assign_labels=self.assign_labels,
            n_init=self.n_init, tol=tol, rng=int(state.randint(2**31 - 1)),
        )  # fmt: skip
        self.labels_ = found.labels
        return self

    def _affinity(self, X: Any) -> Any:
        sparse = hasattr(X, "tocsr")
        if self.affinity == "precomputed":
            return X
        if self.affinity == "rbf" and not sparse:
            return rbf_affinity(X, self.gamma) if self.gamma else np.ones((len(X), len(X)))
        if self.affinity == "nearest_neighbors" and not sparse:
            return knn_graph(X, self.n_neighbors, symmetric=True, include_self=True).tocsr()
        if self.affinity in ("nearest_neighbors", "precomputed_nearest_neighbors"):
            metric = "precomputed" if self.affinity != "nearest_neighbors" else "euclidean"
            neighbors = NearestNeighbors(n_neighbors=self.n_neighbors, metric=metric).fit(X)
            graph = neighbors.kneighbors_graph(X, mode="connectivity")
            return 0.5 * (graph + graph.T)
        parameters = dict(self.kernel_params or {})
        if not callable(self.affinity):
            parameters |= {"gamma": self.gamma, "degree": self.degree, "coef0": self.coef0}
        return pairwise_kernels(X, metric=self.affinity, filter_params=True, **parameters)

    def fit_predict(self, X: Any, y: Any = None) -> Any:
        """`fit`, and the labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, n_samples)
            Rows; affinities or distances where they are precomputed.
        y : Ignored
            There for pipelines.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            The cluster of each row.

        Examples
        --------
        >>> from fastla.sklearn import SpectralClustering
        >>> SpectralClustering(1).fit_predict([[0.0], [3.0]])
        array([0, 0], dtype=int32)
        """
        return self.fit(X).labels_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.pairwise = self.affinity in _PRECOMPUTED
        return tags


_PRECOMPUTED = ("precomputed", "precomputed_nearest_neighbors")
