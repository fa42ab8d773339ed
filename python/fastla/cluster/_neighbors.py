"""Graphs of nearest neighbours, in compressed rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._extra import package
from .._runtime import threads
from .._sparse import SparseMatrix
from .._topk import METRICS, topk
from ._checks import count, one_of, points

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Axes that are few enough for one of them to tell much.
_FEW_AXES = 2
_MODES = ("connectivity", "distance")


@dataclass(frozen=True, eq=False)
class NeighborGraph:
    """A weighted graph as a matrix in compressed rows; made by `knn_graph`.

    Attributes
    ----------
    indptr, indices : ndarray of int64
        Row i has the entries indptr[i] to indptr[i + 1] - 1, in increasing columns.
    data : ndarray
        Their values.
    shape : tuple of int
        (n, n).
    matrix : SparseMatrix
        For products with dense matrices.
    nnz : int
        How many entries are stored.

    Methods
    -------
    tocsr()
        A scipy.sparse.csr_array of the same arrays.

    Examples
    --------
    >>> from fastla import cluster
    >>> g = cluster.knn_graph([[0.0], [1.0], [3.0]], 1)
    >>> g.indices, g.indptr
    (array([1, 0, 1]), array([0, 1, 2, 3]))
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    data: NDArray[Any]
    shape: tuple[int, int]

    @cached_property
    def matrix(self) -> SparseMatrix:
        return SparseMatrix(self.indptr, self.indices, self.data, self.shape)

    @property
    def nnz(self) -> int:
        return len(self.indices)

    def tocsr(self) -> Any:
        """A scipy.sparse.csr_array of the same arrays."""
        sparse = package("scipy.sparse", "cluster")
        return sparse.csr_array((self.data, self.indices, self.indptr), shape=self.shape)


def knn_graph(
    X: ArrayLike,
    k: int,
    metric: str = "l2",
    *,
    mode: str = "connectivity",
    symmetric: bool = False,
    include_self: bool = False,
    num_threads: int | None = None,
) -> NeighborGraph:
    """The graph in which each point has edges to its k nearest.

    Parameters
    ----------
    X : array_like
        (n, d), real.
    k : int
        1 to n - 1; to n with `include_self`.
    metric : {"l2", "cosine", "dot"}
        What near is, as in `fastla.topk`.
    mode : {"connectivity", "distance"}
        Entries are 1, or distances: 1 - cosine for "cosine", the product for "dot".
    symmetric : bool
        Whether edges go both ways: connectivity becomes the mean of the matrix and its transpose, 1/2
        where one of the two is not among the other's nearest; distances are the same either way.
    include_self : bool
        Whether a point is the first of its own k nearest.
    num_threads : int, optional
        How many threads to use; no bit depends on it.

    Returns
    -------
    NeighborGraph
        With indptr, indices, data, shape, matrix, nnz, tocsr.

    Raises
    ------
    ValueError
        If k is out of range, or NaN or infinity is in X.

    See Also
    --------
    fastla.topk, spectral_clustering

    Notes
    -----
    Exact, duplicates of points included: of equally near ones the lower index comes first. 2 n^2 d
    operations, and memory for a few times the result.

    Examples
    --------
    >>> from fastla import cluster
    >>> g = cluster.knn_graph([[0.0], [1.0], [3.0]], 1, mode="distance", symmetric=True)
    >>> g.indices, g.data
    (array([1, 0, 2, 1]), array([1., 1., 2., 2.]))
    """
    rows = points("knn_graph", X)
    one_of("knn_graph", "mode", mode, _MODES)
    one_of("knn_graph", "metric", metric, METRICS)
    n = len(rows)
    k = count("knn_graph", "k", k, n if include_self else n - 1, rows.shape)
    others = k - int(include_self)
    own = np.arange(n)
    values, indices = np.empty((n, 0), rows.dtype), np.empty((n, 0), np.int64)
    if others:
        if metric == "l2" and rows.shape[1] <= _FEW_AXES:
            values, indices = _swept(rows, others, num_threads)
        else:
            values, indices = topk(
                rows, rows, others, metric=metric, exclude=own, num_threads=num_threads
            )
    data = (
        np.ones_like(values)
        if mode == "connectivity"
        else 1 - values
        if metric == "cosine"
        else values
    )
    if include_self:
        first = np.ones(n) if mode == "connectivity" else _own(rows, metric)
        indices = np.column_stack([own, indices])
        data = np.column_stack([first.astype(data.dtype), data])
    starts = np.repeat(own, k)
    if symmetric:
        return _symmetric(starts, indices.ravel(), data.ravel(), n, mode)
    order = np.argsort(indices, axis=1)
    columns = np.take_along_axis(indices, order, axis=1).ravel()
    entries = np.take_along_axis(data, order, axis=1).ravel()
    return NeighborGraph(np.arange(n + 1) * k, columns, entries, (n, n))


def _swept(
    x: NDArray[Any], k: int, num_threads: int | None
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """What `topk` finds, for points of which few lie at about the same place of an axis."""
    values, indices = np.empty((len(x), k), x.dtype), np.empty((len(x), k), np.int64)
    axis = int(np.ptp(x, axis=0).argmax())
    order = np.argsort(x[:, axis], kind="stable")
    with threads(num_threads or _core.get_num_threads()):
        _core.sweep(np.ascontiguousarray(x[order]), order, axis, values, indices)
    return values, indices


def _own(rows: NDArray[Any], metric: str) -> NDArray[np.float64]:
    return np.zeros(len(rows)) if metric != "dot" else np.square(rows, dtype=np.float64).sum(axis=1)


def _symmetric(
    rows: NDArray[np.int64], columns: NDArray[np.int64], data: NDArray[Any], n: int, mode: str
) -> NeighborGraph:
    """Edges both ways, those that are there twice made one."""
    keys = np.concatenate([rows * n + columns, columns * n + rows])
    data = np.concatenate([data, data])
    order = np.argsort(
        keys
    )  # equal keys come twice at most, with sums and values that are the same either way
    keys, data = keys[order], data[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    merged = np.add.reduceat(data, first) / 2 if mode == "connectivity" else data[first]
    keys = keys[first]
    indptr = np.searchsorted(keys, np.arange(n + 1) * n)
    return NeighborGraph(indptr, keys % n, merged, (n, n))
