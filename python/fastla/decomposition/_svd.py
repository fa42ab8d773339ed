"""The largest singular triplets of a matrix, with proof of how good they are."""

from __future__ import annotations

import operator as op
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import _core
from .._progress import show
from .._runtime import threads
from ._operands import operand
from ._triplets import METHODS, SVDResult, decompose

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Callback = Callable[[int, NDArray[Any], NDArray[Any]], object]


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
    callback: Callback | None = None,
) -> SVDResult:
    """The k largest singular values of a matrix, and their vectors.

    Parameters
    ----------
    a : array_like, sparse matrix, memmap or operator
        (m, n), real or complex. Sparse: anything like scipy.sparse's matrices, never made dense.
        Operator: an object with shape, dtype, matmat and rmatmat.
    k : int, optional
        1 to min(m, n), which is the default.
    tol : float, optional
        Iterations stop when every residual is at most tol times the largest singular value, 1e-3 unless
        given; errors of singular values are then about its square, where gaps allow.
    method : {"auto", "full", "gram", "krylov"}
        "full": LAPACK's decomposition of the whole matrix. "gram": of the Gram matrix of the short side;
        singular values below the root of the unit roundoff times the largest are only as exact as that.
        "krylov": block Lanczos on A^H A. "auto" chooses by shape, kind and k.
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
    "krylov" takes 4 k m n operations for some 2 to 6 times k columns (of sparse matrices: 4 times their
    entries a column) and memory for 6 k columns of the short side. Residuals are computed from the
    result, not estimated: a pass more. The bits do not depend on the number of threads.

    References
    ----------
    Musco and Musco, "Randomized block Krylov methods for stronger and faster approximate singular value
    decomposition", NeurIPS 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla.decomposition import svd
    >>> found = svd(np.diag([3.0, 2.0, 1.0]), 2)
    >>> found.s
    array([3., 2.])
    >>> bool(abs(found.bound - 1.0) < 1e-9)
    True
    """
    if method not in METHODS:
        raise ValueError(f"svd: method is {method!r}; it must be one of {METHODS}")
    with threads(num_threads or _core.get_num_threads()):
        matrix = operand("svd", a)
        return decompose(
            matrix,
            check_k("svd", k, matrix.shape),
            tol,
            method,
            rng,
            max_iter,
            reporter("svd", progress, callback),
        )


def check_k(name: str, k: int | None, shape: tuple[int, int]) -> int:
    most = min(shape)
    count = most if k is None else op.index(k)
    if not (1 <= count <= most or count == most == 0):
        raise ValueError(f"{name}: k is {k}, a is {shape}; k must be from 1 to {most}")
    return count


def reporter(
    name: str, progress: bool, callback: Callback | None
) -> Callable[[int, NDArray[Any], NDArray[Any]], None]:
    def each(iterations: int, s: NDArray[Any], residuals: NDArray[Any]) -> None:
        if progress:
            share = residuals.max(initial=0) / max(s[0], 1e-300)
            show(f"{name}: {iterations} blocks, largest residual {share:.1e}")
        if callback is not None:
            callback(iterations, s, residuals)

    return each
