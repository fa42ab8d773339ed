"""The smallest eigenvalues of a symmetric operator, with something close to its inverse.

Knyazev, "Toward the optimal preconditioned eigensolver: locally optimal block preconditioned conjugate
gradient method", SIAM J. Sci. Comput. 23 (2001), with directions as Duersch, Shao, Yang and Gu, "A robust
and efficient implementation of LOBPCG", SIAM J. Sci. Comput. 40 (2018), have them. Columns are made
orthonormal in the small problem, by their Gram matrix, with those dropped that depend on others:
Stathopoulos and Wu, "A block orthogonalization procedure with constant synchronization requirements", SIAM
J. Sci. Comput. 23 (2002). All that is done with long columns is products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from ..decomposition._lapack import eigh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Map = Callable[[NDArray[Any]], NDArray[Any]]

# Columns of unit length with less than this share of the roots of rounding beside others are dropped: what
# is left is orthonormal to about these roots.
_SEEN = 0.1
# Residuals that grow so much are rounding's.
_LOST = 100


def lobpcg(
    times: Callable[..., NDArray[Any]],
    precondition: Map,
    start: NDArray[Any],
    k: int,
    width: int,
    enough: float,
    max_iter: int,
) -> tuple[NDArray[Any], int, bool]:
    """`width` vectors, how often the operator was applied, and whether the first k have small residuals.

    start: k columns or more. times(x, out): the product. What `precondition` makes of residuals, which it
    may overwrite, must lie in the space that is searched.
    """
    room = (len(start), max(3 * width, start.shape[1]))
    columns, images, free = (np.empty(room, start.dtype) for _ in range(3))
    off = np.empty((len(start), width), start.dtype)
    gram = energy = np.empty((0, 0), start.dtype)
    w, used, applied, least = start, 0, 0, np.inf
    while True:
        before, used, applied = used, used + w.shape[1], applied + 1
        s = columns[:, :used]
        s[:, before:] = w
        image = times(w, out=images[:, before:used])
        gram = _bordered(gram, _core.matmul(s.T, w))
        energy = _bordered(energy, _core.matmul(s.T, image))
        values, mix = _ritz(gram, energy, width)
        if before:
            mix = np.concatenate([mix, _moved(gram, mix, width)], axis=1)
        used = mix.shape[1]
        _core.matmul(s, mix, out=free[:, :used])
        columns, free = free, columns
        _core.matmul(images[:, : len(mix)], mix, out=free[:, :used])
        images, free = free, images
        gram, energy = (_core.matmul(mix.T, _core.matmul(m, mix)) for m in (gram, energy))
        count = len(values)
        x, off = columns[:, :count], off[:, :count]
        np.multiply(x, values, out=off)
        np.subtract(images[:, :count], off, out=off)
        sizes = np.sqrt(np.diagonal(_core.gram(off)))
        done = count >= k and bool((sizes[:k] <= enough).all())
        least = min(least, worst := float(sizes[:k].max(initial=0)))
        if done or count < width or applied >= max_iter or worst > _LOST * least:
            return x.copy(), applied, done
        left = sizes > enough
        off /= np.where(left, sizes, 1)
        w = precondition(off if left.all() else off[:, left])


def _ritz(
    gram: NDArray[Any], energy: NDArray[Any], width: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Ritz's smallest values in the span of columns, and the coefficients of orthonormal vectors."""
    factor = _factor(gram)
    values, vectors = eigh(_core.matmul(factor.T, _core.matmul(energy, factor)))
    return values[:width], _core.matmul(factor, vectors[:, :width])


def _factor(gram: NDArray[Any]) -> NDArray[Any]:
    """What makes columns with this Gram matrix orthonormal, from the right; dependent ones are left out."""
    sizes = np.diagonal(gram)
    scale = np.divide(1, np.sqrt(np.maximum(sizes, 0)), out=np.zeros_like(sizes), where=sizes > 0)
    values, vectors = eigh(gram * scale[:, np.newaxis] * scale)
    kept = values > _SEEN * float(np.finfo(gram.dtype).eps) ** 0.5
    made: NDArray[Any] = scale[:, np.newaxis] * vectors[:, kept] / np.sqrt(values[kept])
    return made


def _moved(gram: NDArray[Any], mix: NDArray[Any], width: int) -> NDArray[Any]:
    """Orthonormal directions in which vectors have left the first columns, orthogonal to them."""
    moved = mix.copy()
    moved[:width] = 0
    moved -= _core.matmul(mix, _core.matmul(mix.T, _core.matmul(gram, moved)))
    made: NDArray[Any] = _core.matmul(
        moved, _factor(_core.matmul(moved.T, _core.matmul(gram, moved)))
    )
    return made


def _bordered(old: NDArray[Any], last: NDArray[Any]) -> NDArray[Any]:
    """A symmetric matrix with more columns, of which these are the last."""
    before = len(last) - last.shape[1]
    made = np.empty((len(last), len(last)), last.dtype)
    made[:before, :before] = old
    made[:, before:], made[before:, :before] = last, last[:before].T
    made[before:, before:] = (last[before:] + last[before:].T) / 2
    return made
