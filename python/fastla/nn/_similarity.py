"""Cosines of the angles between vectors, and the nearest by them."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._vectors import vecdot
from ._linear import flat
from ._mixed import floats, widened

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def _lengths_inverted(rows: NDArray[Any]) -> NDArray[Any]:
    """1 / length of each row; 0 for a row of zeros."""
    lengths = np.sqrt(vecdot(rows, rows))
    made: NDArray[Any] = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths != 0)
    return made


def cosine_similarity(x: ArrayLike, y: ArrayLike) -> NDArray[Any]:
    """Products of every row of x with every row of y, divided by their lengths.

    Parameters
    ----------
    x : array_like
        (..., size).
    y : array_like
        (n, size), or one vector, (size,).

    Returns
    -------
    ndarray
        (..., n), or (...) for one vector; between -1 and 1 but for rounding, 0 where a vector is 0.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    See Also
    --------
    most_similar

    Notes
    -----
    One product, scaled while it is finished. Squares of the elements must not overflow. 16 bits are taken as
    float32.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.cosine_similarity([[3.0, 4.0]], [[1.0, 0.0], [0.0, 2.0], [-3.0, -4.0]])
    array([[ 0.6,  0.8, -1. ]])
    """
    name = "cosine_similarity"
    left, right = (widened(floats(name, z, what)) for z, what in ((x, "x"), (y, "y")))
    if left.ndim == 0 or right.ndim not in (1, 2) or left.shape[-1] != right.shape[-1]:
        raise ValueError(
            f"{name}: x is {left.shape}, y is {right.shape}; their last dimensions must be equal, "
            "y a matrix or a vector"
        )
    rows, table = flat(left), right if right.ndim == 2 else right[np.newaxis]
    found = _core.gemm(
        rows, table.T, row_scale=_lengths_inverted(rows), col_scale=_lengths_inverted(table)
    )
    return found.reshape(left.shape[:-1] + right.shape[:-1])


def most_similar(query: ArrayLike, table: ArrayLike, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The k rows of a table at the smallest angles to a vector.

    Parameters
    ----------
    query : array_like
        (..., size).
    table : array_like
        (n, size).
    k : int
        From 1 to n.

    Returns
    -------
    rows : ndarray of int
        (..., k), the most similar first; of equals the one that comes first in the table.
    similarities : ndarray
        (..., k), as `cosine_similarity` gives them.

    Raises
    ------
    ValueError
        If the shapes do not fit, or k is not from 1 to n.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.most_similar([1.0, 0.1], [[0.0, 1.0], [2.0, 0.0], [1.0, 1.0]], 2)[0]
    array([1, 2])
    """
    rows, count = np.asarray(table), operator.index(k)
    if rows.ndim != 2 or not 1 <= count <= len(rows):
        raise ValueError(f"most_similar: table is {rows.shape}, k is {k}; k must be from 1 to its rows")
    found = cosine_similarity(query, rows)
    order = np.argsort(-found, axis=-1, kind="stable")[..., :count]
    return order, np.take_along_axis(found, order, axis=-1)
