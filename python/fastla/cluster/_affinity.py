"""Affinities of points: who is similar to whom, as a matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._runtime import threads
from .._sparse import SparseMatrix
from ..decomposition._checks import require_finite
from ..decomposition._operands import is_sparse
from ._checks import points
from ._neighbors import NeighborGraph

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_PIECE = 1 << 18


def rbf_affinity(
    X: ArrayLike, gamma: float | None = 1.0, *, num_threads: int | None = None
) -> NDArray[Any]:
    """exp(-gamma |x - y|^2) of all pairs of points.

    Parameters
    ----------
    X : array_like
        (n, d), real.
    gamma : float, optional
        Above 0; None: 1 / d.
    num_threads : int, optional
        How many threads to use; no bit depends on it.

    Returns
    -------
    ndarray
        (n, n), symmetric, with ones on the diagonal.

    Raises
    ------
    ValueError
        If gamma is not above 0, or NaN or infinity is in X.

    Notes
    -----
    n^2 d operations, and memory for the result: half of the products are computed. Points lose their mean
    before squared distances are taken from products, so these are wrong by a few units of |x|^2 + |y|^2.

    Examples
    --------
    >>> from fastla import cluster
    >>> cluster.rbf_affinity([[0.0], [2.0]], 0.25).round(4)
    array([[1.    , 0.3679],
           [0.3679, 1.    ]])
    """
    rows = points("rbf_affinity", X)
    factor = 1 / rows.shape[1] if gamma is None else float(gamma)
    if not factor > 0:
        raise ValueError(f"rbf_affinity: gamma is {gamma}; it must be above 0")
    with threads(num_threads or _core.get_num_threads()):
        made = _core.gram(rows - rows.mean(axis=0), side="right")
    squares = made.diagonal().copy()
    step = max(1, _PIECE // len(rows))
    for first in range(0, len(rows), step):
        part = made[first : first + step]
        part *= 2
        np.subtract(squares[first : first + step, np.newaxis] + squares, part, out=part)
        np.maximum(part, 0, out=part)
        part *= -factor
        np.exp(part, out=part)
    return made


def affinity_matrix(name: str, affinity: Any) -> NDArray[Any] | SparseMatrix:
    """A dense or sparse matrix of the user's: square, symmetric, not negative."""
    if isinstance(affinity, NeighborGraph):
        matrix: Any = affinity.matrix
    elif isinstance(affinity, SparseMatrix):
        matrix = affinity
    elif is_sparse(affinity):
        matrix = SparseMatrix.of(affinity)
    else:
        return _dense(name, affinity)
    rows = matrix._rows
    _square(name, matrix.shape, matrix.dtype)
    if rows.data is not None:
        require_finite(name, rows.data, "the stored affinities")
        _positive(name, rows.data, matrix.shape)
    ones = np.ones((matrix.shape[0], 1), matrix.dtype)
    _alike(name, matrix.matmat(ones), matrix.rmatmat(ones), matrix.shape)
    found: SparseMatrix = matrix
    return found


def _dense(name: str, affinity: ArrayLike) -> NDArray[Any]:
    matrix = points(name, affinity, "affinity")
    _square(name, matrix.shape, matrix.dtype)
    _positive(name, matrix, matrix.shape)
    _alike(name, matrix.sum(axis=1), matrix.sum(axis=0), matrix.shape)
    return matrix


def _square(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if shape[0] != shape[1] or shape[0] == 0:
        raise ValueError(f"{name}: affinity is {shape} of dtype {dtype}; it must be square")
    if dtype.kind == "c":
        raise TypeError(f"{name}: affinity is of dtype {dtype}; it must be real")


def _positive(name: str, values: NDArray[Any], shape: tuple[int, ...]) -> None:
    least = values.min(initial=0)
    if least < 0:
        raise ValueError(
            f"{name}: affinity of shape {shape} contains {least}; it must not be negative"
        )


def _alike(name: str, rows: NDArray[Any], columns: NDArray[Any], shape: tuple[int, ...]) -> None:
    """By sums, which are enough to notice a matrix that is not symmetric."""
    near = float(np.finfo(rows.dtype).eps) ** 0.75 * float(np.abs(rows).max(initial=0))
    off = np.abs(rows - columns).ravel()
    if off.max(initial=0) > near:
        i = int(off.argmax())
        raise ValueError(
            f"{name}: affinity is {shape}; it must be symmetric, but row {i} sums to {rows.ravel()[i]:.6g}, "
            f"column {i} to {columns.ravel()[i]:.6g}"
        )
