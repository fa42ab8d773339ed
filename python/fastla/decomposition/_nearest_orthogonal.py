"""The nearest matrix of orthonormal columns or rows: the orthogonal factor of the polar decomposition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from ._checks import matrices, require_finite
from ._lapack import svd

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def nearest_orthogonal(
    a: ArrayLike, *, special: bool = False, num_threads: int | None = None
) -> NDArray[Any]:
    """The orthogonal (unitary) matrix nearest to a matrix, or to each matrix of a stack.

    Parameters
    ----------
    a : array_like
        (..., m, n). Columns of the result are orthonormal if m >= n, rows if m <= n.
    special : bool, default False
        The nearest rotation: of determinant +1. For square real matrices.
    num_threads : int, optional
        Of the product; default: `get_num_threads()`.

    Returns
    -------
    ndarray
        (..., m, n), of the dtype it is computed in: float32 for float16, float64 for integers.

    Raises
    ------
    ValueError
        If `a` has fewer than two dimensions or has a NaN or infinity, or a rotation is asked for and `a` is
        not square.
    TypeError
        If `a` is not of real or complex numbers of at most 64 bits a part, or is complex and a rotation is
        asked for.

    Notes
    -----
    U V^H, where a = U S V^H is the singular value decomposition: the first factor of the polar decomposition
    (U V^H) (V S V^H). It is nearest in the Frobenius norm, and unique if `a` has full rank. For a rotation
    the direction of the least singular value is reversed where the determinant would be -1. With x and y of
    n rows, ``nearest_orthogonal(x.T @ y)`` is the orthogonal r for which x r comes nearest to y (Procrustes),
    the rotation with ``special=True`` (Kabsch).

    References
    ----------
    P. Schonemann, "A generalized solution of the orthogonal Procrustes problem", Psychometrika 31 (1966).
    W. Kabsch, "A solution for the best rotation to relate two sets of vectors", Acta Crystallographica A
    32 (1976).

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import decomposition
    >>> decomposition.nearest_orthogonal(np.array([[0.0, 2.0], [3.0, 0.0]])) + 0.0
    array([[0., 1.],
           [1., 0.]])
    """
    name = "nearest_orthogonal"
    x = matrices(name, a, stacks=True)
    if special and x.shape[-2] != x.shape[-1]:
        raise ValueError(f"{name}: a is {x.shape}; a rotation is square")
    if special and x.dtype.kind == "c":
        raise TypeError(f"{name}: a is {x.dtype}; special=True is for real matrices")
    require_finite(name, x)
    u, _, vt = svd(x)
    made: NDArray[Any] = _core.matmul(u, vt, num_threads=num_threads)
    if special and x.size:
        u[..., -1] *= np.sign(np.linalg.det(made))[..., np.newaxis]
        made = _core.matmul(u, vt, num_threads=num_threads)
    return made
