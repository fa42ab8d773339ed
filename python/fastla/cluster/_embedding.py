"""Spectral embedding: eigenvectors of the Laplacian as coordinates of nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._runtime import threads
from ..decomposition._orthonormal import lengths
from ..decomposition._rounding import gamma
from ._checks import count
from ._components import components
from ._eigen import Still, leading
from ._laplacian import NormalizedLaplacian
from ._preconditioned import preconditioned

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class SpectralEmbedding:
    """Coordinates of nodes; made by `spectral_embedding`.

    Attributes
    ----------
    embedding : ndarray
        (n, k), eigenvectors of the normalised Laplacian, divided by the square roots of the degrees: those of
        eigenvalue 0 are constant on each connected component.
    values : ndarray
        (k,), eigenvalues, increasing.
    residuals : ndarray of float64
        (k,), bounds of ||L v - value v|| for the vectors v of unit length, rounding included.
    bound : float
        The largest of them: within it of each value there is an eigenvalue.
    iterations : int
        How often the Laplacian was applied to a block.
    components : ndarray of int64
        (n,), of each node the number of its connected component.

    Examples
    --------
    >>> from fastla import cluster
    >>> w = [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    >>> cluster.spectral_embedding(w, 2).components
    array([0, 0, 1])
    """

    embedding: NDArray[Any]
    values: NDArray[Any]
    residuals: NDArray[np.float64]
    bound: float
    iterations: int
    components: NDArray[np.int64]


def spectral_embedding(
    affinity: Any,
    n_components: int = 8,
    *,
    tol: float | None = None,
    rng: np.random.Generator | int | None = None,
    max_iter: int | None = None,
    num_threads: int | None = None,
) -> SpectralEmbedding:
    """The smallest eigenvalues of a graph's normalised Laplacian, and their vectors as coordinates.

    Parameters
    ----------
    affinity : array_like, sparse matrix, NeighborGraph or NormalizedLaplacian
        (n, n), symmetric, no entry negative.
    n_components : int
        1 to n. The first of a connected graph is constant.
    tol : float, optional
        Iterations stop when every residual is at most 2 tol; 1e-6 unless given (float32: 1e-4).
    rng : numpy.random.Generator or int, optional
        Of the first block. The same one each time unless given.
    max_iter : int, optional
        Blocks that a polynomial of the Laplacian is applied to at most; 300 unless given.
    num_threads : int, optional
        How many threads to use; no bit depends on it.

    Returns
    -------
    SpectralEmbedding
        With embedding, values, residuals, bound, iterations, components.

    Raises
    ------
    ValueError
        If the affinity is not square and symmetric, has a negative entry, NaN or infinity, or n_components is
        out of range.
    fastla.decomposition.NotConverged
        If max_iter blocks do not do.

    See Also
    --------
    spectral_clustering, fastla.decomposition.eigh_topk

    Notes
    -----
    Connected components are found first: each has the eigenvalue 0, and its vector is known. What is left
    is iterated on without them. Of a sparse graph by LOBPCG, with algebraic multigrid in place of a
    factorisation; else, or where that does not converge, as the largest eigenvalues of
    I + D^(-1/2) W D^(-1/2) by Lanczos' method, or of a Chebyshev polynomial of it where these are close.
    Where there are more components than n_components, those with the most nodes are taken, and other nodes
    lie at 0.

    References
    ----------
    U. von Luxburg, "A tutorial on spectral clustering", Statistics and Computing 17 (2007).

    Examples
    --------
    >>> from fastla import cluster
    >>> w = [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    >>> cluster.spectral_embedding(w, 3).values.round(9) + 0.0
    array([0., 1., 2.])
    """
    laplacian = (
        affinity if isinstance(affinity, NormalizedLaplacian) else NormalizedLaplacian(affinity)
    )
    k = count(
        "spectral_embedding",
        "n_components",
        n_components,
        laplacian.shape[0],
        laplacian.shape,
        "affinity",
    )
    with threads(num_threads or _core.get_num_threads()):
        labels = components(laplacian.adjacency)
        still = Still(laplacian, labels)
        vectors, iterations = still.vectors(k), 0
        if vectors.shape[1] < k:
            left = k - vectors.shape[1]
            tried = preconditioned(still, left, tol, rng, max_iter)
            found, iterations = tried or leading(still, left, tol, rng, max_iter)
            vectors = np.concatenate([vectors, found], axis=1)
        values, residuals = certified(laplacian, vectors)
        order = np.argsort(values, kind="stable")
        made = vectors[:, order] * laplacian.scale[:, np.newaxis].astype(vectors.dtype)
    return SpectralEmbedding(
        made, values[order], residuals[order], float(residuals.max()), iterations, labels
    )


def certified(
    laplacian: NormalizedLaplacian, vectors: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Rayleigh's quotients of unit vectors, and how far they are from being eigenvalues."""
    turned = laplacian.matmat(vectors)
    values = (turned * vectors).sum(axis=0, dtype=np.float64)
    off = lengths(turned - vectors * values.astype(vectors.dtype))
    # L's rows have entries whose magnitudes add up, with the vector's, to 2 at most by Cauchy and Schwarz.
    wrong = gamma(laplacian.shape[0], laplacian.dtype, 8) * 4
    return np.maximum(values, 0).astype(vectors.dtype), off + wrong
