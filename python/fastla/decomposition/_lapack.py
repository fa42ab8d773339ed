"""The factorisations of numpy.linalg, for stacks too, and what is done where LAPACK does not converge.

Matrices must be finite. Of a stack in which some matrices fail, only those are computed in another way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from . import _jacobi
from ._scaling import exponent, scaled

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Factors = tuple[NDArray[Any], ...]
    Attempt = Callable[[NDArray[Any]], Factors]


def adjoint(a: NDArray[Any]) -> NDArray[Any]:
    """The conjugate transpose of each matrix; a view if they are real."""
    return a.conj().swapaxes(-1, -2)


def reciprocals(s: NDArray[Any], keep: NDArray[Any]) -> NDArray[Any]:
    """1 / s, and 0 for what is not kept."""
    made: NDArray[Any] = np.divide(1, s, out=np.zeros_like(s), where=keep)
    return made


def svd(a: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """U, s, V^H, thin: of (..., m, n) these are (..., m, k), (..., k), (..., k, n)."""
    u, s, vt = _first_of((_svd, _scaled_svd, _transposed_svd, _svd_of_r, _jacobi_svd), a)
    return u, s, vt


def eigh(a: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Increasing eigenvalues and eigenvectors of Hermitian matrices, of which the lower halves are read."""
    w, v = _first_of((_eigh, _shifted_eigh), a)
    return w, v


def qr(a: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Q with orthonormal columns, (..., m, k), and R, upper triangular, (..., k, n)."""
    q, r = np.linalg.qr(a)
    return q, r


def r_of_qr(a: NDArray[Any]) -> Any:
    """R alone."""
    return np.linalg.qr(a, mode="r")


def _first_of(attempts: tuple[Attempt, ...], a: NDArray[Any]) -> Factors:
    """What the first attempt that succeeds gives; the second and later ones are for single matrices."""
    found = _tried(attempts[0], a)
    if found is not None:
        return found
    if a.ndim > 2:
        each = [_first_of(attempts, x) for x in a.reshape(-1, *a.shape[-2:])]
        return tuple(np.reshape(x, a.shape[:-2] + x[0].shape) for x in zip(*each, strict=True))
    for attempt in attempts[1:]:
        found = _tried(attempt, a)
        if found is not None:
            return found
    raise np.linalg.LinAlgError(
        f"a factorisation of a matrix of shape {a.shape}, dtype {a.dtype} did not converge, "
        f"in {len(attempts)} ways"
    )


def _tried(attempt: Attempt, a: NDArray[Any]) -> Factors | None:
    try:
        found = attempt(a)
    except np.linalg.LinAlgError:
        return None
    return None if any(np.isnan(x).any() for x in found) else found


def _svd(a: NDArray[Any]) -> Factors:
    return np.linalg.svd(a, full_matrices=False)


def _scaled_svd(a: NDArray[Any]) -> Factors:
    power = exponent(a)
    u, s, vt = _svd(scaled(a, -power))
    return u, scaled(s, power), vt


def _transposed_svd(a: NDArray[Any]) -> Factors:
    u, s, vt = _svd(adjoint(a))
    return adjoint(vt), s, adjoint(u)


def _svd_of_r(a: NDArray[Any], small: Attempt = _svd) -> Factors:
    """Of R, where a = Q R; of a wide matrix, of its adjoint's R."""
    if a.shape[0] < a.shape[1]:
        u, s, vt = _svd_of_r(adjoint(a), small)
        return adjoint(vt), s, adjoint(u)
    q, r = qr(a)
    u, s, vt = small(r)
    return _core.matmul(q, u), s, vt


def _jacobi_svd(a: NDArray[Any]) -> Factors:
    return _svd_of_r(a, _jacobi.svd)


def _eigh(a: NDArray[Any]) -> Factors:
    return np.linalg.eigh(a)


def _shifted_eigh(a: NDArray[Any]) -> Factors:
    """With a multiple of the identity added no eigenvalue is negative: they are the singular values."""
    low, diagonal = np.tril(a, -1), a.diagonal().real
    whole = low + adjoint(low)
    shift = np.abs(whole).sum(axis=-1).max() + np.abs(diagonal).max()
    u, s, _ = svd(whole + np.diag(diagonal + shift))
    return (s - shift)[::-1], u[:, ::-1]
