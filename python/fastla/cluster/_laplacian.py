"""The normalised Laplacian of a graph, as an operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._sparse import SparseMatrix
from ._affinity import affinity_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PIECE = 1 << 18


class NormalizedLaplacian:
    """I - D^(-1/2) W D^(-1/2) of symmetric weights W, where D has the sums of rows.

    Parameters
    ----------
    affinity : array_like, sparse matrix or NeighborGraph
        (n, n), symmetric, no entry negative. The diagonal is ignored.
    overwrite : bool
        Whether a dense affinity's memory may be used.

    Attributes
    ----------
    shape, dtype : tuple of int, dtype
        Of the operator.
    degrees : ndarray of float64
        (n,), sums of rows without the diagonal. A node without edges has a row of zeros.
    adjacency : ndarray or SparseMatrix
        D^(-1/2) W D^(-1/2), without a diagonal.
    scale : ndarray of float64
        (n,), the square roots of the degrees' reciprocals.

    Methods
    -------
    matmat(x), rmatmat(x)
        The product with (n, c); the operator is symmetric.
    times_adjacency(x)
        The product of `adjacency`.

    Raises
    ------
    ValueError
        If the affinity is not square, not symmetric, or contains a negative entry, NaN or infinity.

    Notes
    -----
    Eigenvalues are from 0 to 2, and as many are 0 as there are connected components. Memory: a scaled copy of
    the affinity.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla.cluster import NormalizedLaplacian
    >>> NormalizedLaplacian([[0.0, 1.0], [1.0, 0.0]]).matmat(np.eye(2))
    array([[ 1., -1.],
           [-1.,  1.]])
    """

    def __init__(self, affinity: Any, *, overwrite: bool = False) -> None:
        weights = affinity_matrix("NormalizedLaplacian", affinity)
        self.shape, self.dtype = weights.shape, weights.dtype
        n = self.shape[0]
        if isinstance(weights, SparseMatrix):
            rows = weights._rows
            self._starts, values = np.repeat(np.arange(n), np.diff(rows.indptr)), rows.data
            used = slice(len(self._starts))
            indices = rows.indices[used]
            data = np.ones(len(indices), self.dtype) if values is None else values[used].copy()
            data[indices == self._starts] = 0
            self.degrees = np.bincount(self._starts, data, n)
            scale = self.scale
            data = (data * scale[self._starts] * scale[indices]).astype(self.dtype)
            self.adjacency: Any = SparseMatrix(rows.indptr, indices, data, self.shape)
        else:
            scaled = weights if overwrite and weights.flags.writeable else weights.copy()
            np.fill_diagonal(scaled, 0)
            self.degrees = scaled.sum(axis=1, dtype=np.float64)
            scale, step = self.scale.astype(self.dtype), max(1, _PIECE // n)
            for first in range(0, n, step):
                scaled[first : first + step] *= scale[first : first + step, np.newaxis]
                scaled[first : first + step] *= scale
            self.adjacency = scaled

    @property
    def scale(self) -> NDArray[np.float64]:
        """The square roots of the degrees' reciprocals; 1 for a node without edges."""
        return 1 / np.sqrt(np.where(self.degrees > 0, self.degrees, 1))

    def matmat(self, x: NDArray[Any]) -> NDArray[Any]:
        """The product with (n, c)."""
        y = self.times_adjacency(x)
        made: NDArray[Any] = np.subtract(x, y, out=y)
        made[self.degrees == 0] = 0
        return made

    rmatmat = matmat

    def times_adjacency(self, x: NDArray[Any]) -> NDArray[Any]:
        """D^(-1/2) W D^(-1/2) x."""
        if isinstance(self.adjacency, SparseMatrix):
            return self.adjacency.matmat(x)
        made: NDArray[Any] = _core.matmul(self.adjacency, x)
        return made
