"""The Moore-Penrose inverse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from ._checks import matrices, require_finite
from ._lapack import adjoint, eigh, reciprocals, svd

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_UNSET: Any = np._NoValue


def pinv(
    a: ArrayLike,
    rcond: ArrayLike | None = None,
    hermitian: bool = False,
    *,
    rtol: ArrayLike | None = _UNSET,
    num_threads: int | None = None,
) -> NDArray[Any]:
    """The pseudo-inverse of a matrix or of each matrix of a stack, as `numpy.linalg.pinv`.

    Parameters
    ----------
    a : array_like
        (..., m, n).
    rcond : float or array_like, optional
        Singular values of at most `rcond` times the largest count as zero; (...) for a stack. Default: 1e-15,
        as in NumPy.
    hermitian : bool, default False
        `a` is Hermitian (symmetric if real); its lower half is read. Faster.
    rtol : float or array_like, optional
        Another name of `rcond`; None is max(m, n) eps, eps the distance from 1 to the next number.
    num_threads : int, optional
        Of the product; default: `get_num_threads()`.

    Returns
    -------
    ndarray
        (..., n, m), of the dtype it is computed in: float32 for float16, float64 for integers.

    Raises
    ------
    ValueError
        If `a` has fewer than two dimensions, has a NaN or infinity, or is said to be Hermitian but is not
        square; if `rcond` and `rtol` are both given, or do not fit the stack.
    TypeError
        If `a` is not of real or complex numbers of at most 64 bits a part.

    See Also
    --------
    lstsq

    Notes
    -----
    V S^-1 U^H by a singular value decomposition, in O(m n min(m, n)) operations, and a product of fastla. A
    matrix of rank less than min(m, n) has singular values near eps times the largest, not 0: with the default
    they may be inverted, and are in float32. ``rtol=None`` is meant for such matrices.

    References
    ----------
    R. Penrose, "A generalized inverse for matrices", Proceedings of the Cambridge Philosophical
    Society 51 (1955).

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import decomposition
    >>> decomposition.pinv(np.array([[1.0, 1.0], [1.0, 1.0]]), rtol=None).round(9)
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    x = matrices("pinv", a, stacks=True)
    require_finite("pinv", x)
    m, n = x.shape[-2:]
    if hermitian and m != n:
        raise np.linalg.LinAlgError(f"pinv: a is {x.shape}; a Hermitian matrix is square")
    if rtol is not _UNSET and rcond is not None:
        raise ValueError(
            f"pinv: rcond={rcond!r} and rtol={rtol!r} are both given; they are the same"
        )
    small: Any = rcond if rtol is _UNSET else rtol
    if small is None:
        small = 1e-15 if rtol is _UNSET else max(m, n) * np.finfo(x.dtype).eps
    try:
        small = np.broadcast_to(small, x.shape[:-2])
    except ValueError:
        raise ValueError(
            f"pinv: rcond is {np.shape(small)}; for a {x.shape} it must be a number or {x.shape[:-2]}"
        ) from None
    if x.size == 0:
        return np.zeros((*x.shape[:-2], n, m), x.dtype)
    if hermitian:
        s, v = eigh(x)
        left, right = v, adjoint(v)
    else:
        u, s, vt = svd(x)
        left, right = adjoint(vt), adjoint(u)
    sizes = np.abs(s)
    inverted = reciprocals(s, sizes > small[..., np.newaxis] * sizes.max(axis=-1, keepdims=True))
    made: NDArray[Any] = _core.matmul(
        left * inverted[..., np.newaxis, :], right, num_threads=num_threads
    )
    return made
