"""Principal components of the rows of a matrix."""

from __future__ import annotations

import math
import operator as op
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._runtime import threads
from ._checks import require_finite
from ._lapack import adjoint, eigh
from ._moments import Moments, wide_dtype
from ._operands import Dense, Sparse, is_sparse
from ._pca_result import PCAResult
from ._streaming import PCA
from ._svd import reporter
from ._triplets import METHODS, choose, count_for, decompose, flip_signs

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pca(
    x: Any,
    n_components: int | float | None = None,
    *,
    method: str = "auto",
    tol: float | None = None,
    rng: np.random.Generator | int | None = None,
    max_iter: int | None = None,
    num_threads: int | None = None,
    progress: bool = False,
    callback: Callable[[int, NDArray[Any], NDArray[Any]], object] | None = None,
) -> PCAResult:
    """Principal components: orthogonal directions along which the rows of x vary most.

    Parameters
    ----------
    x : array_like, memmap, sparse matrix or iterator of arrays
        (n, d), a row for each sample. An iterator gives some rows at a time, which are not kept. Sparse
        matrices stay sparse.
    n_components : int or float, optional
        How many; or, between 0 and 1, the share of the variance that they explain at least. min(n, d)
        unless given.
    method : {"auto", "gram", "krylov", "full"}
        "gram": by the scatter matrix, or the products of rows where there are fewer rows than columns.
        "krylov": block Lanczos, for few components of large matrices. "full": LAPACK's singular value
        decomposition of a centred copy. "auto" chooses by shape.
    tol : float, optional
        Of "krylov": residuals are at most tol times the largest singular value. 1e-3 unless given.
    rng : numpy.random.Generator or int, optional
        Of the first block of "krylov". The same one each time unless given.
    max_iter : int, optional
        Blocks of "krylov" at most, 300 unless given.
    num_threads : int, optional
        Threads of the products.
    progress : bool
        Whether it is shown on stderr how far "krylov" is.
    callback : callable, optional
        callback(iterations, singular_values, residuals), of "krylov", on the way.

    Returns
    -------
    PCAResult
        With mean, components, explained_variance, transform, inverse_transform, bound and more.

    Raises
    ------
    ValueError
        If x is no matrix of at least one row, contains NaN or infinity, or n_components is out of range.
    NotConverged
        If max_iter blocks do not do; its `result` is a SVDResult of the centred rows.

    See Also
    --------
    PCA, svd, whiten

    Notes
    -----
    Nowhere is there a centred copy of x (but for "full"): rows are centred a piece at a time, within the
    caches, and so that a large mean costs no accuracy. "gram" takes n d min(n, d) operations and memory
    for min(n, d)^2 numbers of float64. The bits do not depend on the number of threads. Signs: of each
    component the entry of largest magnitude is positive, as scikit-learn has it.

    References
    ----------
    Jolliffe, "Principal Component Analysis", 2nd edition, Springer, 2002.

    Examples
    --------
    >>> from fastla.decomposition import pca
    >>> found = pca([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0], [6.0, 6.0]], 1)
    >>> found.transform([[5.0, 5.0]]).round(6)
    array([[2.828427]])
    >>> found.explained_variance_ratio.round(6)
    array([1.])
    """
    if method not in METHODS:
        raise ValueError(f"pca: method is {method!r}; it must be one of {METHODS}")
    with threads(num_threads or _core.get_num_threads()):
        if isinstance(x, Iterator):
            if method not in ("auto", "gram"):
                raise ValueError(f"pca: method is {method!r}; rows that are not kept take 'gram'")
            stream = PCA(n_components)
            for rows in x:
                stream.partial_fit(rows)
            return stream.result()
        given = _operand(x)
        n, d = given.shape
        if n == 0 or d == 0:
            raise ValueError(f"pca: x is {given.shape}; there must be a row and a column at least")
        wanted = check_components(n_components, given.shape)
        method, why = _choose(given, wanted, method)
        if method == "gram" and isinstance(given, Dense) and d <= n:
            moments = Moments(d, given.dtype, "pca")
            moments.add(given.a)
            return from_moments(moments, wanted, why)
        mean, less = centred(given)
        each = reporter("pca", progress, callback)
        found = decompose(less, wanted, tol, method, rng, max_iter, each, "pca")
        return PCAResult.of(mean, found.vh, found.s, less.squared_norm(), n, found.residuals, found.bound,
                            found.iterations, method, why)  # fmt: skip


def _operand(x: Any) -> Dense | Sparse:
    if is_sparse(x):
        return Sparse.of(x, "pca")
    array = x if isinstance(x, np.ndarray) else np.asarray(x)
    if array.ndim != 2:
        raise ValueError(f"pca: x is {array.shape}; it must have two dimensions")
    return Dense(array, name="pca")


def check_components(n_components: int | float | None, shape: tuple[int, int]) -> int | float:
    most = min(shape)
    if n_components is None:
        return most
    if isinstance(n_components, float | np.floating) and 0 < n_components < 1:
        return float(n_components)
    count = op.index(n_components) if not isinstance(n_components, float | np.floating) else -1
    if not 0 <= count <= most or count < 0:
        raise ValueError(
            f"pca: n_components is {n_components}, x is {shape}; it must be an integer from 0 to {most} "
            "or a share of the variance between 0 and 1"
        )
    return count


def _choose(given: Dense | Sparse, wanted: int | float, method: str) -> tuple[str, str]:
    if method == "auto" and isinstance(wanted, float):
        return "gram", "a share of the variance takes all singular values"
    n, d = given.shape
    if method == "auto" and isinstance(given, Dense) and d <= n and n * d * d > 2e6 and d <= 1024:
        return "gram", f"{d} columns are few: one pass gives their scatter matrix"
    return choose(given, int(wanted) if wanted >= 1 else min(given.shape), method)


def centred(given: Dense | Sparse) -> tuple[NDArray[Any], Dense | Sparse]:
    """The means of columns, and what is left without them; no copy."""
    mean = _column_means(given)
    if isinstance(given, Sparse):
        return mean, Sparse(given.matrix, mean)
    return mean, Dense(given.a, mean, name="pca")


def _column_means(given: Dense | Sparse) -> NDArray[Any]:
    if isinstance(given, Sparse):
        sums = np.asarray(given.matrix.column_sums())
    else:
        sums = np.zeros(given.shape[1], wide_dtype(given.dtype))
        for part, rows in given.pieces():
            sums += rows.sum(axis=0, dtype=sums.dtype)
            if not np.isfinite(sums).all():
                require_finite("pca", given.a[part], f"x[{part.start}:{part.stop}]")
    mean: NDArray[Any] = sums / given.shape[0]
    return mean


def from_moments(moments: Moments, wanted: int | float, why: str) -> PCAResult:
    """By the eigenvectors of the scatter matrix."""
    scatter = moments.scatter()
    values, vectors = eigh(scatter)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    total = float(values.sum())
    k = count_for(values, wanted) if isinstance(wanted, float) else wanted
    wrong = moments.rounding() + 8 * np.finfo(np.float64).eps * math.sqrt(len(values)) * total
    kept = np.ascontiguousarray(vectors[:, :k])
    defect = _core.matmul(scatter, kept) - kept * values[:k]
    s = np.sqrt(values[:k])
    off = np.sqrt(np.square(np.abs(defect)).sum(axis=0)) + wrong
    residuals = np.minimum(np.divide(off, s, out=np.full(k, np.inf), where=s > 0), np.sqrt(off))
    bound = math.sqrt(float(values[k:].sum()) + wrong + float(off.sum()))
    _, components = flip_signs(kept, adjoint(kept))
    found, s = components.astype(moments.dtype), s.astype(np.finfo(moments.dtype).dtype)
    left_out = float(values[k:].sum())
    return PCAResult.of(
        moments.mean, found, s, total, moments.count, residuals, bound, 0, "gram", why, left_out
    )
