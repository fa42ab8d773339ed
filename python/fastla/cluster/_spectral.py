"""Spectral clustering."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._runtime import threads
from ._affinity import rbf_affinity
from ._assign import ASSIGN, assign
from ._checks import count, one_of
from ._embedding import SpectralEmbedding, spectral_embedding
from ._laplacian import NormalizedLaplacian
from ._neighbors import knn_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

AFFINITIES = ("rbf", "nearest_neighbors", "precomputed")


@dataclass(frozen=True, eq=False)
class SpectralClusteringResult:
    """Clusters, and what they were found in; made by `spectral_clustering`.

    Attributes
    ----------
    labels : ndarray of int32
        (n,), from 0 to n_clusters - 1.
    embedding : SpectralEmbedding
        Coordinates of the nodes, eigenvalues with bounds, connected components.

    Examples
    --------
    >>> from fastla import cluster
    >>> w = [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    >>> found = cluster.spectral_clustering(w, 2, affinity="precomputed")
    >>> found.embedding.values.round(9) + 0.0
    array([0., 0.])
    """

    labels: NDArray[np.int32]
    embedding: SpectralEmbedding


def spectral_clustering(
    X: Any,
    n_clusters: int = 8,
    *,
    affinity: str = "rbf",
    gamma: float | None = 1.0,
    n_neighbors: int = 10,
    n_components: int | None = None,
    assign_labels: str = "cluster_qr",
    n_init: int = 10,
    tol: float | None = None,
    rng: np.random.Generator | int | None = None,
    num_threads: int | None = None,
) -> SpectralClusteringResult:
    """Clusters of points or of a graph's nodes with little affinity between them (normalised cuts).

    Parameters
    ----------
    X : array_like, sparse matrix or NeighborGraph
        (n, d), points; or, with affinity="precomputed", (n, n), symmetric weights, none negative.
    n_clusters : int
        1 to n.
    affinity : {"rbf", "nearest_neighbors", "precomputed"}
        exp(-gamma distance^2), of all pairs; the graph of nearest neighbours, symmetric; or X itself.
    gamma : float, optional
        Of "rbf"; None: 1 / d.
    n_neighbors : int
        Of "nearest_neighbors", with the point itself, as in scikit-learn.
    n_components : int, optional
        Eigenvectors: n_clusters unless given.
    assign_labels : {"cluster_qr", "kmeans", "discretize"}
        From coordinates to clusters. "cluster_qr" needs no beginning at random.
    n_init : int
        Runs of "kmeans".
    tol : float, optional
        Of `spectral_embedding`.
    rng : numpy.random.Generator or int, optional
        Whatever is random. The same one each time unless given.
    num_threads : int, optional
        How many threads to use; no bit depends on it.

    Returns
    -------
    SpectralClusteringResult
        With labels and embedding.

    Raises
    ------
    ValueError
        If an argument is out of range, an affinity is not symmetric or negative, or NaN or infinity is in X.
    fastla.decomposition.NotConverged
        If eigenvectors do not converge.

    See Also
    --------
    spectral_embedding, knn_graph, kmeans

    Notes
    -----
    "rbf" takes n^2 memory for the affinity; the others that of the graph. A graph that is not connected is
    no problem: each component is a direction of its own.

    References
    ----------
    J. Shi and J. Malik, "Normalized cuts and image segmentation", IEEE PAMI 22 (2000).

    Examples
    --------
    >>> from fastla import cluster
    >>> x = [[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]]
    >>> labels = cluster.spectral_clustering(x, 2).labels
    >>> bool((labels[:3] == labels[0]).all() and (labels[3:] == 1 - labels[0]).all())
    True
    """
    name = "spectral_clustering"
    one_of(name, "affinity", affinity, AFFINITIES)
    one_of(name, "assign_labels", assign_labels, ASSIGN)
    if operator.index(n_init) < 1:
        raise ValueError(f"{name}: n_init is {n_init}; it must be 1 at least")
    generator = np.random.default_rng(0 if rng is None else rng)
    with threads(num_threads or _core.get_num_threads()):
        if affinity == "rbf":
            laplacian = NormalizedLaplacian(rbf_affinity(X, gamma), overwrite=True)
        elif affinity == "nearest_neighbors":
            graph = knn_graph(X, n_neighbors, symmetric=True, include_self=True)
            laplacian = NormalizedLaplacian(graph)
        else:
            laplacian = NormalizedLaplacian(X)
        n = laplacian.shape[0]
        k = count(name, "n_clusters", n_clusters, n, laplacian.shape, "the affinity")
        wanted = k if n_components is None else n_components
        found = spectral_embedding(laplacian, wanted, tol=tol, rng=generator)
        labels = assign(assign_labels, found.embedding, k, n_init, generator)
    return SpectralClusteringResult(labels, found)
