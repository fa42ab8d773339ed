"""The largest singular triplets of a matrix, with proof of how good they are."""

from __future__ import annotations

import math
import operator as op
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._runtime import threads
from ._krylov import lanczos, settings
from ._operands import Dense, Operand, Operator, Sparse, operand
from ._orthonormal import adjoint, lengths, orthonormal
from ._residuals import approximation_bound, triplet_residuals

if TYPE_CHECKING:
    from numpy.typing import NDArray

METHODS = ("auto", "full", "gram", "krylov")
# Singular values are then right to about its square.
_TOL = 1e-3
# Multiplications up to which LAPACK's decomposition of all of a dense matrix is taken, some tenths of a second.
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
        (k,), bounds of sqrt(||A v - s u||^2 + ||A^H u - s v||^2), rounding included: within residuals[i] of s[i] there is
        a singular value of A.
    bound : float
        Of the Frobenius norm of A - u s vh, rounding included; infinite for an operator, whose entries are not seen.
    iterations : int
        How often A^H A was applied to a block; 0 where that was not the way.
    method : str
        "full", "gram" or "krylov".
    why : str
        What decided for it.
    """

    u: NDArray[Any]
    s: NDArray[Any]
    vh: NDArray[Any]
    residuals: NDArray[np.float64]
    bound: float
    iterations: int
    method: str
    why: str


class NotConverged(RuntimeError):
    """Not as exact as asked after so many iterations; `result` is what there is."""

    def __init__(self, message: str, result: Any):
        super().__init__(message)
        self.result = result


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


def svd(
    a: Any,
    k: int | None = None,
    *,
    tol: float | None = None,
    method: str = "auto",
    rng: np.random.Generator | int | None = None,
    max_iter: int | None = None,
    num_threads: int | None = None,
    progress: bool = False,
    callback: Callable[[int, NDArray[Any], NDArray[Any]], object] | None = None,
) -> SVDResult:
    """The k largest singular values of a matrix, and their vectors.

    Parameters
    ----------
    a : array_like, sparse matrix, memmap or operator
        (m, n), real or complex. Sparse: anything like scipy.sparse's matrices, never made dense. Operator: an object with
        shape, dtype, matmat and rmatmat.
    k : int, optional
        1 to min(m, n), which is the default.
    tol : float, optional
        Iterations stop when every residual is at most tol times the largest singular value, 1e-3 unless given; errors
        of singular values are then about its square, where gaps allow.
    method : {"auto", "full", "gram", "krylov"}
        "full": LAPACK's decomposition of the whole matrix. "gram": of the Gram matrix of the short side; singular values
        below the root of the unit roundoff times the largest are only as exact as that. "krylov": block Lanczos on A^H A.
        "auto" chooses by shape, kind and k.
    rng : numpy.random.Generator or int, optional
        Of the first block. The same one each time unless given.
    max_iter : int, optional
        Blocks that A^H A is applied to at most, 300 unless given.
    num_threads : int, optional
        Threads of the products.
    progress : bool
        Whether residuals are shown on stderr as they fall.
    callback : callable, optional
        callback(iterations, s, residuals), as they are estimated on the way; an exception stops the work.

    Returns
    -------
    SVDResult
        With u, s, vh, residuals, bound, iterations, method.

    Raises
    ------
    ValueError
        If a has not two dimensions, contains NaN or infinity, or k is out of range.
    NotConverged
        If max_iter blocks do not do; its `result` is what was found.

    See Also
    --------
    pca, eigh_topk

    Notes
    -----
    "krylov" takes 4 k m n operations for some 2 to 6 times k columns (of sparse matrices: 4 times their entries a column)
    and memory for 6 k columns of the short side. Residuals are computed from the result, not estimated: a pass more.
    The bits do not depend on the number of threads.

    References
    ----------
    Musco and Musco, "Randomized block Krylov methods for stronger and faster approximate singular value decomposition",
    NeurIPS 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla.decomposition import svd
    >>> found = svd(np.diag([3.0, 2.0, 1.0]), 2)
    >>> found.s
    array([3., 2.])
    >>> bool(abs(found.bound - 1.0) < 1e-12)
    True
    """
    if method not in METHODS:
        raise ValueError(f"svd: method is {method!r}; it must be one of {METHODS}")
    with threads(num_threads or _core.get_num_threads()):
        matrix = operand("svd", a)
        return decompose(
            matrix, check_k("svd", k, matrix.shape), tol, method, rng, max_iter, reporter("svd", progress, callback)
        )


def check_k(name: str, k: int | None, shape: tuple[int, int]) -> int:
    most = min(shape)
    count = most if k is None else op.index(k)
    if not (1 <= count <= most or count == most == 0):
        raise ValueError(f"{name}: k is {k}, a is {shape}; k must be from 1 to {most}")
    return count


def count_for(squares: NDArray[Any], k: int | float) -> int:
    """k, or how many of the leading squares have that share of their sum."""
    if not isinstance(k, float):
        return k
    parts = np.cumsum(squares) / max(float(squares.sum()), np.finfo(np.float64).tiny)
    return min(int(np.searchsorted(parts, k, side="right")) + 1, len(squares))


def reporter(
    name: str, progress: bool, callback: Callable[[int, NDArray[Any], NDArray[Any]], object] | None
) -> Callable[[int, NDArray[Any], NDArray[Any]], None]:
    def each(iterations: int, s: NDArray[Any], residuals: NDArray[Any]) -> None:
        if progress:
            from ._progress import show

            show(f"{name}: {iterations} blocks, largest residual {residuals.max(initial=0) / max(s[0], 1e-300):.1e}")
        if callback is not None:
            callback(iterations, s, residuals)

    return each


def decompose(
    matrix: Any,
    k: int | float,
    tol: float | None,
    method: str,
    rng: np.random.Generator | int | None,
    max_iter: int | None,
    each: Callable[[int, NDArray[Any], NDArray[Any]], None],
    name: str = "svd",
) -> SVDResult:
    """`svd` of an operand; k may be a share of the squares, but not of "krylov"."""
    wanted = _TOL if tol is None else float(tol)
    if not wanted >= 0:
        raise ValueError(f"{name}: tol is {tol}; it must not be negative")
    if not isinstance(k, float):
        method, why = choose(matrix, k, method)
    else:
        method, why = ("gram" if method == "auto" else method), "a share of the squares takes all singular values"
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


def _full(tall: Any, k: int | float, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Of a matrix that is twice as high as wide LAPACK sees the triangle alone."""
    m, n = tall.shape
    rows = np.concatenate([np.array(rows) for _, rows in tall.pieces()]) if isinstance(tall, Dense) else (
        tall.matmat(np.eye(n, dtype=tall.dtype)))
    if m < 2 * n:
        u, s, vh = np.linalg.svd(rows, full_matrices=False)
        k = count_for(np.square(s), k)
    else:
        q = orthonormal(rows, rng)
        inner, s, vh = np.linalg.svd(_core.matmul(adjoint(q), rows))
        k = count_for(np.square(s), k)
        u = _core.matmul(q, inner[:, :k])
    return u[:, :k], s[:k], adjoint(vh[:k])


def _gram_vectors(tall: Any, k: int | float) -> NDArray[Any]:
    n = tall.shape[1]
    if isinstance(tall, Dense):
        gram = np.zeros((n, n), tall.dtype)
        for _, rows in tall.pieces():
            gram += _core.gram(rows)
    else:
        gram = tall.normal(np.eye(n, dtype=tall.dtype))
    values, vectors = np.linalg.eigh(gram)
    k = count_for(np.maximum(values[::-1], 0), k)
    return np.ascontiguousarray(vectors[:, ::-1][:, :k])


def _krylov_vectors(
    tall: Dense | Sparse | Operator,
    k: int,
    tol: float,
    max_iter: int | None,
    rng: np.random.Generator,
    each: Callable[[int, NDArray[Any], NDArray[Any]], None],
) -> tuple[NDArray[Any], int]:
    floor = _floor(tall)

    def singular(values: NDArray[Any], estimates: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        s = np.sqrt(np.maximum(values, 0))
        return s, estimates / np.maximum(s, s[0] * floor + 1e-300)

    def converged(values: NDArray[Any], estimates: NDArray[Any]) -> bool:
        s, residuals = singular(values, estimates)
        return bool((residuals <= max(tol, floor) * s[0]).all())

    found = lanczos(
        tall.normal, tall.shape[1], k, tall.dtype, converged, lambda values: np.argsort(-values, kind="stable"),
        settings(tall.shape[1], k, max_iter), rng, lambda passes, *now: each(passes, *singular(*now)),
    )  # fmt: skip
    return found.vectors, found.passes


def _from_right_vectors(
    tall: Any, v: NDArray[Any], rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The best triplets whose right vectors are combinations of v's columns."""
    images = tall.matmat(v)
    wide = float(np.finfo(v.dtype).eps) * float(lengths(images).max())
    q = orthonormal(images, rng, None, wide)
    inner, s, wh = np.linalg.svd(_core.matmul(adjoint(q), images))
    return _core.matmul(q, inner), s, _core.matmul(v, adjoint(wh))
