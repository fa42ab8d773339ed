"""How far triplets are from a matrix's own, computed from the matrix, and never too small."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from ._lapack import adjoint
from ._operands import Dense
from ._orthonormal import lengths, squares
from ._rounding import gamma, unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of the square of what is left over: a part of it that may be rounding's, a half of that of the bound.
_UNCERTAIN = 0.1


def triplet_residuals(
    a: Any, u: NDArray[Any], s: NDArray[Any], v: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[Any]]:
    """sqrt(||A v - s u||^2 + ||A^H u - s v||^2) of each triplet as computed, bounds of it, and the real
    parts of u^H A v.

    A product is wrong by at most gamma |A| |v|, whose norm is at most gamma ||A||_F ||v||; an operator's
    norm is taken to be the largest s times the root of its short side.
    """
    m, n = a.shape
    total = a.squared_norm()
    norm = (
        math.sqrt(total)
        if total is not None
        else (float(s[0]) if len(s) else 0.0) * math.sqrt(min(m, n))
    )
    down, up = a.both(v, u)
    inner = (u.conj() * down).sum(axis=0).real
    right, left = lengths(down - u * s), lengths(up - v * s)
    # Pieces of A are summed on the way up: m / 256 additions more at most.
    most = np.hypot(
        right + gamma(n, a.dtype, 4) * norm, left + gamma(m, a.dtype, 4 + m // 256) * norm
    )
    return np.hypot(right, left), most * (1 + 1e-10), inner.astype(np.float64)


def approximation_bound(
    a: Any, u: NDArray[Any], s: NDArray[Any], v: NDArray[Any], inner: NDArray[Any]
) -> float:
    """Of the Frobenius norm of A - u s v^H.

    Its square is ||A||^2 - 2 sum s Re(u^H A v) + sum s^2; where rounding makes that uncertain and A is
    dense, it is computed.
    """
    k, more, (m, n) = len(s), 1 + 1e-10, a.shape
    total = a.squared_norm()
    if total is None:
        return math.inf
    wide = s.astype(np.float64)
    left_over = total - 2 * float((wide * inner).sum()) + float((wide**2).sum())
    wrong = (gamma(m, a.dtype, 8) + gamma(n, a.dtype, 8)) * math.sqrt(total) * float(wide.sum())
    wrong += (8 * k * float(np.finfo(a.dtype).eps) + gamma(m, a.dtype, 8)) * total
    if wrong <= _UNCERTAIN * left_over or not isinstance(a, Dense):
        return math.sqrt(max(left_over, 0.0) + wrong) * more
    right, left_over = adjoint(v * s) if k else v.T, 0.0
    for part, rows in a.pieces():
        left_over += squares(rows - _core.matmul(u[part], right))
    slack = gamma(k, a.dtype, 4) * math.sqrt(float((wide**2).sum()) * k)
    return (math.sqrt(left_over) + slack + 2 * unit(a.dtype) * math.sqrt(total)) * more
