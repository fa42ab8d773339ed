"""Orthonormal columns by products: Cholesky's factor of the Gram matrix, twice.

Yamamoto, Nakatsukasa, Yanagisawa and Fukaya, "Roundoff error analysis of the CholeskyQR2 algorithm",
ETNA 44 (2015). Where columns depend on each other the eigenvectors of the Gram matrix take its place:
Stathopoulos and Wu, "A block orthogonalization procedure with constant synchronization requirements",
SIAM J. Sci. Comput. 23 (2002).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from ._lapack import adjoint, eigh

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A factor whose diagonal falls below this share is not trusted: the second time it would not be close to
# the identity.
_TRUSTED = 1e-2
_ROUNDS = 6
_SQUARED = 1 << 17


def project_out(w: NDArray[Any], basis: NDArray[Any], recent: int | None = None) -> NDArray[Any]:
    """Takes the parts along orthonormal columns out of w, in place and twice; gives the coefficients.

    recent: the first time those along columns from that one on will do, nearly all of w being there.
    """
    found = np.zeros((basis.shape[1], w.shape[1]), w.dtype)
    for first in (recent or 0, 0):
        columns = basis[:, first:]
        # As w^H basis: few rows by many columns that are contiguous are the faster way round.
        part = adjoint(_core.matmul(adjoint(w), columns))
        w -= _core.matmul(columns, part)
        found[first:] += part
    return found


def _factor(g: NDArray[Any], wide: float, drop: bool) -> tuple[NDArray[Any], bool]:
    """What makes columns with this Gram matrix more orthonormal, from the right, and whether it is all
    they need.

    Columns shorter than `wide` are noise. What the Gram matrix hardly sees is made larger, for the next
    round to see, or dropped.
    """
    eps = float(np.finfo(g.dtype).eps)
    sizes = np.sqrt(np.maximum(np.diag(g).real, 0))
    alive = sizes > wide
    scale = np.divide(1, sizes, out=np.zeros_like(sizes), where=alive)
    scaled = g * scale[:, np.newaxis] * scale
    if alive.all():
        try:
            low = np.linalg.cholesky(scaled)
        except np.linalg.LinAlgError:
            pass
        else:
            if np.diag(low).real.min() > _TRUSTED:
                inverse: NDArray[Any] = scale[:, np.newaxis] * adjoint(np.linalg.inv(low))
                return inverse, True
    values, vectors = eigh(scaled)
    seen = 8 * len(g) * eps
    kept = values > (seen if drop else -1)
    if not drop:  # columns of zeros have nothing to be made larger
        kept[: int((~alive).sum())] = False
    factor = scale[:, np.newaxis] * vectors[:, kept] / np.sqrt(np.maximum(values[kept], seen))
    return factor, False


def orthonormal(
    w: NDArray[Any],
    rng: np.random.Generator,
    basis: NDArray[Any] | None = None,
    wide: float = 0.0,
) -> NDArray[Any]:
    """As many orthonormal columns as w has, that span w's; random ones where w's depend on each other.

    They are orthogonal to the orthonormal columns `basis`, of which there must be few enough for that.
    Columns of length `wide` or less are taken for zero.
    """
    count, q = w.shape[1], w
    for round_ in range(_ROUNDS if count else 0):
        gram = _core.gram(q)
        off = gram - np.eye(count, dtype=gram.dtype)
        if round_ and float(np.abs(off).max()) < 64 * float(np.finfo(gram.dtype).eps):
            break
        factor, whole = _factor(gram, wide, drop=round_ >= 2)
        q, wide = _core.matmul(q, factor), 0.0
        if q.shape[1] < count:
            fresh = random_columns(len(w), count - q.shape[1], w.dtype, rng)
            q = np.concatenate([q, fresh], axis=1)
        if basis is not None and basis.shape[1] and not whole:
            project_out(q, basis)
    return q


def random_columns(
    rows: int, count: int, dtype: np.dtype[Any], rng: np.random.Generator
) -> NDArray[Any]:
    """Of about unit length."""
    made = rng.standard_normal((rows, count))
    if np.dtype(dtype).kind == "c":
        made = made + 1j * rng.standard_normal((rows, count))
    made /= max(rows, 1) ** 0.5
    return made.astype(dtype)


def _portions(x: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Rows, some at a time: their squares in float64 take memory."""
    step = max(1, _SQUARED // max(math.prod(x.shape[1:]), 1))
    return (x[i : i + step] for i in range(0, len(x), step))


def squares(x: NDArray[Any]) -> float:
    """The sum of squared magnitudes, in float64."""
    if x.dtype.kind == "c":
        return squares(x.real) + squares(x.imag)
    return sum((float(np.square(part, dtype=np.float64).sum()) for part in _portions(x)), 0.0)


def lengths(columns: NDArray[Any]) -> NDArray[np.float64]:
    """Of each column, in float64."""
    total = np.zeros(columns.shape[1])
    for part in _portions(columns):
        total += np.square(part.real, dtype=np.float64).sum(axis=0)
        if columns.dtype.kind == "c":
            total += np.square(part.imag, dtype=np.float64).sum(axis=0)
    return np.sqrt(total)
