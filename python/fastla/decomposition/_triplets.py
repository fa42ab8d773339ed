"""Singular triplets of what can be applied to columns: which way, and by it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._not_converged import NotConverged
from . import _lapack
from ._krylov import lanczos, largest, leading_eigh, settings
from ._lapack import adjoint
from ._operands import Dense, Operand, Operator, Sparse
from ._orthonormal import lengths, orthonormal
from ._residuals import approximation_bound, triplet_residuals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Report = Callable[[int, NDArray[Any], NDArray[Any]], None]

METHODS = ("auto", "full", "gram", "krylov")
# Singular values are then right to about its square.
_TOL = 1e-3
# Multiplications up to which LAPACK's decomposition of all of a dense matrix is taken, some tenths of a
# second.
_FULL_WORK = 2e8
# Rows of the short side whose Gram matrix is decomposed rather than iterated on.
_GRAM_SIDE = 1024


@dataclass(frozen=True)
class SVDResult:
    """Singular triplets, the largest first: A is about ``u * s @ vh``.

    Attributes
    ----------
    u : ndarray
        (m, k), orthonormal columns.
    s : ndarray
        (k,), real, descending.
    vh : ndarray
        (k, n), orthonormal rows; of each the entry of largest magnitude is positive, or real and positive.
    residuals : ndarray of float64
        (k,), bounds of sqrt(||A v - s u||^2 + ||A^H u - s v||^2), rounding included: within residuals[i]
        of s[i] there is a singular value of A.
    bound : float
        Of the Frobenius norm of A - u s vh, rounding included; infinite for an operator, whose entries
        are not seen.
    iterations : int
        How often A^H A was applied to a block; 0 where that was not the way.
    method : str
        "full", "gram" or "krylov".
    why : str
        What decided for it.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import decomposition
    >>> decomposition.svd(np.diag([2.0, 1.0]), 1).vh
    array([[1., 0.]])
    """

    u: NDArray[Any]
    s: NDArray[Any]
    vh: NDArray[Any]
    residuals: NDArray[np.float64]
    bound: float
    iterations: int
    method: str
    why: str


def choose(a: Operand, k: int, method: str) -> tuple[str, str]:
    """The method and what decided for it."""
    m, n = a.shape
    if method != "auto":
        return method, "asked for"
    if not isinstance(a, Dense):
        return "krylov", "entries are not in a dense array"
    short = min(m, n)
    if m * n * short <= _FULL_WORK:
        return "full", f"{m} x {n} is small"
    if short <= _GRAM_SIDE:
        return "gram", f"the short side has {short} <= {_GRAM_SIDE}"
    if 4 * k > short and short <= 8 * _GRAM_SIDE:
        return "gram", f"{k} of {short} triplets are a large part"
    return "krylov", f"{k} of {short} triplets are a small part"


def count_for(squares: NDArray[Any], k: int | float) -> int:
    """k, or how many of the leading squares have that share of their sum."""
    if not isinstance(k, float):
        return k
    parts = np.cumsum(squares) / max(float(squares.sum()), np.finfo(np.float64).tiny)
    return min(int(np.searchsorted(parts, k, side="right")) + 1, len(squares))


def decompose(
    matrix: Any,
    k: int | float,
    tol: float | None,
    method: str,
    rng: np.random.Generator | int | None,
    max_iter: int | None,
    each: Report,
    name: str = "svd",
) -> SVDResult:
    """`svd` of an operand; k may be a share of the squares, but not of "krylov"."""
    wanted = _TOL if tol is None else float(tol)
    if not wanted >= 0:
        raise ValueError(f"{name}: tol is {tol}; it must not be negative")
    if not isinstance(k, float):
        method, why = choose(matrix, k, method)
    else:
        method, why = (
            ("gram" if method == "auto" else method),
            "a share of the squares takes all singular values",
        )
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.turned()
    random = np.random.default_rng(0 if rng is None else rng)
    passes = 0
    if k == 0:
        u, s, v = (np.zeros((n, 0), matrix.dtype) for n in (tall.shape[0], 0, tall.shape[1]))
        s = s.reshape(0).real
    elif method == "full":
        u, s, v = _full(tall, k, random)
    else:
        if method == "gram":
            v = _gram_vectors(tall, k)
        else:
            assert isinstance(k, int)
            v, passes = _krylov_vectors(tall, k, wanted, max_iter, random, each)
        u, s, v = _from_right_vectors(tall, v, random)
    seen, residuals, inner = triplet_residuals(tall, u, s, v)
    bound = approximation_bound(tall, u, s, v, inner)
    if tall is not matrix:
        u, v = v, u
    u, vh = flip_signs(u, adjoint(v))
    result = SVDResult(u, s, vh, residuals, bound, passes, method, why)
    if method == "krylov" and k and seen.max() > (1.01 * wanted + 8 * _floor(matrix)) * s[0]:
        raise NotConverged(
            f"{name}: the largest residual is {seen.max():.3g} after {passes} blocks; asked for was "
            f"{wanted:.3g} times {s[0]:.3g} (tol, the largest singular value)",
            result,
        )
    return result


def _floor(matrix: Operand) -> float:
    """Rounding leaves residuals of so much."""
    return float(np.finfo(matrix.dtype).eps) * 8 * math.sqrt(min(matrix.shape))


def flip_signs(u: NDArray[Any], vh: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Of each row of vh the entry of largest magnitude becomes positive (of equals the first one)."""
    if vh.size == 0:
        return u, vh
    peak = vh[np.arange(len(vh)), np.argmax(np.abs(vh), axis=1)]
    sizes = np.abs(peak)
    turn = np.divide(peak, sizes, out=np.ones_like(peak), where=sizes > 0)
    return u * turn, vh * turn.conj()[:, np.newaxis]


def _full(
    tall: Any, k: int | float, rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Of a matrix that is twice as high as wide LAPACK sees the triangle alone."""
    m, n = tall.shape
    rows = (
        np.concatenate([np.array(rows) for _, rows in tall.pieces()])
        if isinstance(tall, Dense)
        else (tall.matmat(np.eye(n, dtype=tall.dtype)))
    )
    if m < 2 * n:
        u, s, vh = _lapack.svd(rows)
        k = count_for(np.square(s), k)
    else:
        q = orthonormal(rows, rng)
        inner, s, vh = _lapack.svd(_core.matmul(adjoint(q), rows))
        k = count_for(np.square(s), k)
        u = _core.matmul(q, inner[:, :k])
    return u[:, :k], s[:k], adjoint(vh[:k])


def _gram_vectors(tall: Any, k: int | float) -> NDArray[Any]:
    n = tall.shape[1]
    if isinstance(tall, Dense):
        gram = np.zeros((n, n), tall.dtype)
        for _, rows in tall.pieces():
            gram += _core.gram(rows)
        tall.remember_norm(float(np.trace(gram).real))
    else:
        gram = tall.normal(np.eye(n, dtype=tall.dtype))
    if not isinstance(k, float):
        return leading_eigh(gram, k)
    values, vectors = _lapack.eigh(gram)
    return np.ascontiguousarray(vectors[:, ::-1][:, : count_for(np.maximum(values[::-1], 0), k)])


def _krylov_vectors(
    tall: Dense | Sparse | Operator,
    k: int,
    tol: float,
    max_iter: int | None,
    rng: np.random.Generator,
    each: Report,
) -> tuple[NDArray[Any], int]:
    floor = _floor(tall)

    def singular(
        values: NDArray[Any], estimates: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        s = np.sqrt(np.maximum(values, 0))
        return s, estimates / np.maximum(s, s[0] * floor + 1e-300)

    def converged(values: NDArray[Any], estimates: NDArray[Any]) -> bool:
        s, residuals = singular(values, estimates)
        return bool((residuals <= max(tol, floor) * s[0]).all())

    def report(passes: int, values: NDArray[Any], estimates: NDArray[Any]) -> None:
        each(passes, *singular(values, estimates))

    n = tall.shape[1]
    how = settings(n, k, max_iter)
    found = lanczos(tall.normal, n, k, tall.dtype, converged, largest, how, rng, report)
    return found.vectors, found.passes


def _from_right_vectors(
    tall: Any, v: NDArray[Any], rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The best triplets whose right vectors are combinations of v's columns."""
    images = tall.matmat(v)
    wide = float(np.finfo(v.dtype).eps) * float(lengths(images).max())
    q = orthonormal(images, rng, None, wide)
    inner, s, wh = _lapack.svd(_core.matmul(adjoint(q), images))
    return _core.matmul(q, inner), s, _core.matmul(v, adjoint(wh))
