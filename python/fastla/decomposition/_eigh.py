"""Leading eigenpairs of symmetric operators."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._not_converged import NotConverged
from .._runtime import threads
from ._krylov import Order, lanczos, largest, settings
from ._lapack import adjoint
from ._operands import operand
from ._orthonormal import lengths
from ._rounding import gamma
from ._svd import check_k, reporter
from ._triplets import flip_signs

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ORDERS: dict[str, Order] = {
    "LA": largest,
    "SA": lambda values: np.argsort(values, kind="stable"),
    "LM": lambda values: np.argsort(-np.abs(values), kind="stable"),
}


@dataclass(frozen=True)
class EighResult:
    """Eigenpairs of a Hermitian matrix.

    Attributes
    ----------
    values : ndarray
        (k,), real, in the order asked for.
    vectors : ndarray
        (n, k), orthonormal columns.
    residuals : ndarray of float64
        (k,), bounds of ||A v - value v||, rounding included: within residuals[i] of values[i] there is
        an eigenvalue.
    bound : float
        The largest of them.
    iterations : int
        How often A was applied to a block.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import decomposition
    >>> decomposition.eigh_topk(np.diag([2.0, 1.0]), 1).values
    array([2.])
    """

    values: NDArray[Any]
    vectors: NDArray[Any]
    residuals: NDArray[np.float64]
    bound: float
    iterations: int


def eigh_topk(
    a: Any,
    k: int,
    *,
    which: str = "LA",
    tol: float | None = None,
    rng: np.random.Generator | int | None = None,
    max_iter: int | None = None,
    num_threads: int | None = None,
    progress: bool = False,
    callback: Callable[[int, NDArray[Any], NDArray[Any]], object] | None = None,
) -> EighResult:
    """k eigenvalues at an end of the spectrum of a Hermitian matrix, and their vectors.

    Parameters
    ----------
    a : array_like, sparse matrix or operator
        (n, n), Hermitian. Operator: an object with shape, dtype, matmat and rmatmat.
    k : int
        1 to n.
    which : {"LA", "SA", "LM"}
        The largest, the smallest, or those of largest magnitude.
    tol : float, optional
        Iterations stop when every residual is at most tol times the largest magnitude of an eigenvalue
        seen. 1e-6 unless given (float32: 1e-4).
    rng : numpy.random.Generator or int, optional
        Of the first block. The same one each time unless given.
    max_iter : int, optional
        Blocks that A is applied to at most, 300 unless given.
    num_threads : int, optional
        Threads of the products.
    progress : bool
        Whether residuals are shown on stderr as they fall.
    callback : callable, optional
        callback(iterations, values, residuals), as they are estimated on the way; an exception stops the
        work.

    Returns
    -------
    EighResult
        With values, vectors, residuals, bound, iterations.

    Raises
    ------
    ValueError
        If a is not square, contains NaN or infinity, or k is out of range.
    NotConverged
        If max_iter blocks do not do; its `result` is what was found.

    See Also
    --------
    svd

    Notes
    -----
    Block Lanczos with full orthogonalisation and thick restarts; memory for 6 k vectors. That `a` is
    Hermitian is not checked. The bits do not depend on the number of threads.

    References
    ----------
    Wu and Simon, "Thick-restart Lanczos method for large symmetric eigenvalue problems", SIAM J. Matrix
    Anal. Appl. 22 (2000).

    Examples
    --------
    >>> import numpy as np
    >>> from fastla.decomposition import eigh_topk
    >>> eigh_topk(np.diag([1.0, 5.0, -7.0, 3.0]), 2, which="LM").values.round(12)
    array([-7.,  5.])
    """
    if which not in _ORDERS:
        raise ValueError(f"eigh_topk: which is {which!r}; it must be one of {tuple(_ORDERS)}")
    with threads(num_threads or _core.get_num_threads()):
        matrix = operand("eigh_topk", a)
        n, columns = matrix.shape
        if n != columns:
            raise ValueError(f"eigh_topk: a is {matrix.shape}; it must be square")
        count = check_k("eigh_topk", k, matrix.shape)
        eps = float(np.finfo(matrix.dtype).eps)
        wanted = (1e-6 if eps < 1e-10 else 1e-4) if tol is None else float(tol)
        size = 0.0

        def converged(values: NDArray[Any], estimates: NDArray[Any]) -> bool:
            nonlocal size
            size = max(size, float(np.abs(values).max()))
            return bool((estimates <= max(wanted, 8 * eps * math.sqrt(n)) * size).all())

        found = lanczos(
            matrix.matmat, n, count, matrix.dtype, converged, _ORDERS[which], settings(n, count, max_iter),
            np.random.default_rng(0 if rng is None else rng), reporter("eigh_topk", progress, callback),
        )  # fmt: skip
        total = matrix.squared_norm()
        size = max(size, float(np.abs(found.values).max()))
        norm = math.sqrt(total) if total is not None else size * math.sqrt(n)
        off = matrix.matmat(found.vectors) - found.vectors * found.values.astype(
            np.finfo(matrix.dtype).dtype
        )
        residuals = (lengths(off) + gamma(n, matrix.dtype, 4) * norm) * (1 + 1e-10)
        vectors = adjoint(flip_signs(found.vectors, adjoint(found.vectors))[1])
        values = found.values.astype(np.finfo(matrix.dtype).dtype)
        result = EighResult(values, vectors, residuals, float(residuals.max()), found.passes)
        slack = gamma(n, matrix.dtype, 4) * norm
        if residuals.max() - slack > 2 * max(wanted, 8 * eps * math.sqrt(n)) * size:
            raise NotConverged(
                f"eigh_topk: the largest residual is {residuals.max():.3g} after {found.passes} blocks; "
                f"asked for was {wanted:.3g} times {size:.3g} (tol, the largest magnitude of an eigenvalue)",
                result,
            )
        return result
