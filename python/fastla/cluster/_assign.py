"""From coordinates of nodes to clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from ..decomposition._lapack import svd
from ._kmeans import kmeans

if TYPE_CHECKING:
    from numpy.typing import NDArray

ASSIGN = ("cluster_qr", "kmeans", "discretize")
_ITERATIONS, _BEGINNINGS = 30, 4


def assign(
    how: str, maps: NDArray[Any], k: int, n_init: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """One of k clusters for each row."""
    # Lengths of rows differ by degrees, whose scale says nothing.
    maps = maps / max(float(np.abs(maps).max()), np.finfo(maps.dtype).tiny)
    if how == "kmeans":
        return kmeans(maps, k, n_init=n_init, rng=rng).labels
    return (cluster_qr(maps) if how == "cluster_qr" else discretize(maps, rng)).astype(np.int32)


def cluster_qr(maps: NDArray[Any]) -> NDArray[np.intp]:
    """Rows that span the most, as axes.

    Damle, Minden and Ying, "Simple, direct and efficient multi-way spectral clustering", Information and
    Inference 8 (2019).
    """
    axes = maps[_pivots(maps)]
    u, _, vh = svd(np.ascontiguousarray(axes.T))
    found: NDArray[np.intp] = np.abs(_core.matmul(maps, _core.matmul(u, vh))).argmax(axis=1)
    return found


def _pivots(rows: NDArray[Any]) -> NDArray[np.intp]:
    """The rows that QR with column pivoting of the transposed takes first: always the longest one, less
    its parts along those before."""
    k = rows.shape[1]
    columns = np.ascontiguousarray(rows.T)
    chosen = np.empty(k, np.intp)
    basis = np.zeros((k, k), rows.dtype)
    left = np.square(columns).sum(axis=0)
    for i in range(k):
        chosen[i] = left.argmax()
        axis = columns[:, chosen[i]].copy()
        for _ in range(2):
            axis -= _core.matmul(basis[:i].T, _core.matmul(basis[:i], axis))
        length = np.sqrt(float(np.square(axis).sum()))
        if length == 0:
            left[chosen[: i + 1]] = -1
            continue
        basis[i] = axis / length
        left -= np.square(_core.matmul(basis[i], columns))
        left[chosen[: i + 1]] = -1
    return chosen


def discretize(maps: NDArray[Any], rng: np.random.Generator) -> NDArray[np.intp]:
    """The partition nearest to a rotation of the rows' directions, the best from some beginnings.

    Yu and Shi, "Multiclass spectral clustering", ICCV 2003.
    """
    tiny = np.finfo(maps.dtype).tiny
    columns = maps / np.maximum(np.sqrt(np.square(maps).sum(axis=0)), tiny)
    sizes = np.sqrt(np.square(columns).sum(axis=1))
    unit = columns / np.where(sizes > 0, sizes, 1)[:, np.newaxis]
    found = [_rotated(unit, int(rng.integers(len(unit)))) for _ in range(_BEGINNINGS)]
    return max(found, key=lambda run: run[0])[1]


def _rotated(unit: NDArray[Any], first: int) -> tuple[float, NDArray[np.intp]]:
    """How much of the rows lies along their axes, and which these are."""
    n, k = unit.shape
    rotation = np.empty((k, k), unit.dtype)
    rotation[:, 0] = unit[first]
    along = np.zeros(n, unit.dtype)
    for j in range(1, k):
        along += np.abs(_core.matmul(unit, rotation[:, j - 1]))
        rotation[:, j] = unit[along.argmin()]
    last = 0.0
    for _ in range(_ITERATIONS):
        labels: NDArray[np.intp] = _core.matmul(unit, rotation).argmax(axis=1)
        sums = np.stack([np.bincount(labels, unit[:, j], k) for j in range(k)], axis=1)
        u, s, vh = svd(sums)
        total = float(s.sum())
        if abs(total - last) < n * np.finfo(unit.dtype).eps:
            break
        last, rotation = total, _core.matmul(vh.T, u.T).astype(unit.dtype)
    return total, labels
