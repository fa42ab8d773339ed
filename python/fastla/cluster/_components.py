"""Connected components of graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._sparse import SparseMatrix

if TYPE_CHECKING:
    from numpy.typing import NDArray


def components(weights: NDArray[Any] | SparseMatrix) -> NDArray[np.int64]:
    """Of each node the number of its component, which are numbered by their first nodes; symmetric."""
    low = _sparse(weights) if isinstance(weights, SparseMatrix) else _dense(weights)
    found: NDArray[np.int64] = np.unique(low, return_inverse=True)[1]
    return found


def _dense(weights: NDArray[Any]) -> NDArray[np.int64]:
    """By breadth-first search: each row is read once."""
    n = len(weights)
    low = np.full(n, n)
    for start in range(n):
        if low[start] < n:
            continue
        low[start], front = start, np.array([start])
        while len(front):
            (front,) = np.nonzero((weights[front] > 0).any(axis=0) & (low == n))
            low[front] = start
    return low


def _sparse(weights: SparseMatrix) -> NDArray[np.int64]:
    """Each node, and the node it last pointed at, take the lowest number among its neighbours'.

    Zhang, Azad and Hu, "FastSV: a distributed-memory connected component algorithm with fast convergence",
    SIAM PP 2020.
    """
    rows = weights._rows
    n = weights.shape[0]
    used = slice(int(rows.indptr[-1]))
    indices, data = rows.indices[used], None if rows.data is None else rows.data[used]
    (some,) = np.nonzero(np.diff(rows.indptr))
    starts = rows.indptr[some]
    none = None if data is None or data.min(initial=1) > 0 else data == 0
    low = np.arange(n)
    while len(some):
        near = low[indices]
        if none is not None:
            near[none] = n
        before, least = low, np.minimum.reduceat(near, starts)
        low = low.copy()
        low[some] = np.minimum(low[some], least)
        np.minimum.at(low, before[some], least)
        while not np.array_equal(jumped := low[low], low):
            low = jumped
        if np.array_equal(low, before):
            break
    return low
