"""The singular value decomposition by rotations of pairs of rows: slow, short, and it always converges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._vectors import vecdot
from ._scaling import exponent, scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SWEEPS = 60  # ten are many: convergence is quadratic in the end
_NOTHING = 2.0**-1000  # a row whose square is less counts as zero beside numbers near 1


def svd(a: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """U, s, V^H of a square matrix, computed in float64 or complex128.

    Rotations from the left make the rows of J a orthogonal; then J a = S V^H and U = J^H.
    """
    n, power = len(a), exponent(a)
    wide = a.astype(np.result_type(a.dtype, np.float64))
    work = np.zeros((n + n % 2, 2 * n), wide.dtype)  # J a beside J; an even number of rows
    work[:n, :n], work[:n, n:] = scaled(wide, -power), np.eye(n)
    for _ in range(_SWEEPS):
        if not _sweep(work, n):
            break
    else:
        raise np.linalg.LinAlgError(f"rotations of {a.shape}, {a.dtype} did not converge")
    squares = vecdot(work[:n, :n], work[:n, :n]).real
    s = np.where(squares > _NOTHING, np.sqrt(squares), 0)
    order = np.argsort(-s, kind="stable")
    s, work = s[order], work[order]
    rank = np.count_nonzero(s)
    vt = work[:, :n] / np.where(s > 0, s, 1)[:, np.newaxis]
    if rank < n:  # any rows that are orthogonal to the others
        vt[rank:] = np.linalg.qr(vt[:rank].conj().T, mode="complete")[0][:, rank:].conj().T
    return (
        work[:, n:].conj().T.astype(a.dtype),
        scaled(s, power).astype(a.real.dtype),
        vt.astype(a.dtype),
    )


def _sweep(work: NDArray[Any], n: int) -> bool:
    """Every row with every other, half of them at a time, as in a tournament; whether any were rotated."""
    order, half, any_rotated = np.arange(len(work)), len(work) // 2, False
    for _ in range(len(work) - 1):
        any_rotated |= _rotate(work, n, order[:half], order[half:][::-1])
        order[1:] = np.roll(order[1:], 1)
    return any_rotated


def _rotate(work: NDArray[Any], n: int, i: NDArray[Any], j: NDArray[Any]) -> bool:
    """Rows i and j, pair by pair, where they are not orthogonal as far as rounding lets one see."""
    x, y = work[i], work[j]
    left, right = x[:, :n], y[:, :n]
    alpha, beta = vecdot(left, left).real, vecdot(right, right).real
    gamma = vecdot(left, right)
    size = np.abs(gamma)
    tolerance = n * np.finfo(np.float64).eps  # twice what rounding does to a product of n terms
    turn = size > tolerance * np.sqrt(alpha) * np.sqrt(beta)
    turn &= np.minimum(alpha, beta) > _NOTHING
    if not turn.any():
        return False
    x, y, size = x[turn], y[turn], size[turn]
    zeta = (beta[turn] - alpha[turn]) / (2 * size)
    t = np.copysign(1, zeta) / (np.abs(zeta) + np.hypot(1, zeta))
    c = 1 / np.sqrt(1 + t * t)
    c, s = c[:, np.newaxis], (c * t)[:, np.newaxis]
    y = y * (gamma[turn].conj() / size)[:, np.newaxis]  # now the product with x is real
    work[i[turn]], work[j[turn]] = c * x - s * y, s * x + c * y
    return True
