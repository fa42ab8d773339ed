"""Leading eigenpairs of Hermitian operators: block Lanczos with full orthogonalisation and thick restarts.

Golub and Underwood, "The block Lanczos method for computing eigenvalues" (1977); Wu and Simon,
"Thick-restart Lanczos method for large symmetric eigenvalue problems", SIAM J. Matrix Anal. Appl. 22
(2000). That few blocks do, whatever the gaps: Musco and Musco, "Randomized block Krylov methods for
stronger and faster approximate SVD" (2015).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from ._lapack import adjoint, eigh
from ._orthonormal import lengths, orthonormal, project_out, random_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray


Order = Callable[["NDArray[Any]"], "NDArray[Any]"]


def largest(values: NDArray[Any]) -> NDArray[Any]:
    return np.argsort(-values, kind="stable")


class Found(NamedTuple):
    values: NDArray[np.float64]
    vectors: NDArray[Any]
    estimates: NDArray[np.float64]  # of the residuals' norms
    passes: int


class Settings(NamedTuple):
    """How far to go: columns side by side, columns of the basis at most, applications of the operator at
    most."""

    block: int
    most: int
    passes: int


def settings(n: int, k: int, passes: int | None) -> Settings:
    """Wide blocks read the operator seldom; a basis of many blocks has the more powers of it."""
    block = min(n, max(8, -(-k // 24) * 8))
    return Settings(block, min(n, max(6 * k, k + 8 * block, 64)), 300 if passes is None else passes)


def lanczos(
    apply: Callable[[NDArray[Any]], NDArray[Any]],
    n: int,
    k: int,
    dtype: np.dtype[Any],
    converged: Callable[[NDArray[Any], NDArray[Any]], bool],
    order: Order,
    how: Settings,
    rng: np.random.Generator,
    each: Callable[[int, NDArray[Any], NDArray[Any]], None],
) -> Found:
    """k eigenpairs, those whose values `order` puts first.

    converged(values, estimates) says when to stop; each(passes, values, estimates) is called when they
    are known.
    """
    basis = np.empty((n, how.most), dtype)
    projected = np.zeros((how.most, how.most), dtype)
    q = orthonormal(random_columns(n, how.block, dtype, rng), rng)
    used, passes, recent, look = 0, 0, 0, min(how.most, max(2 * k, k + 2 * how.block))
    while True:
        first, used = used, used + q.shape[1]
        basis[:, first:used] = q
        w = apply(q)
        passes += 1
        noise = 10 * float(np.finfo(dtype).eps) * float(lengths(w).max())
        there = basis[:, :used]
        coefficients = project_out(w, there, recent)
        projected[:used, first:used] = coefficients
        projected[first:used, :used] = adjoint(coefficients)
        recent = first  # A q lies along q, the block before and the one to come
        whole = used == n
        rest = q[:, :0] if whole else _next_block(w[:, : n - used], there, noise, rng)
        full = used + rest.shape[1] > how.most
        if used < look and not full and not whole and passes < how.passes:
            q = rest
            continue
        look = min(how.most, used + max(how.block, used // 2))
        values, inner = eigh(projected[:used, :used])
        chosen = order(values)
        coupling = _core.matmul(adjoint(rest), w)
        # A's part along the basis' last block is all that leaves the space.
        estimates = lengths(_core.matmul(coupling, inner[first:used, chosen[:k]]))
        each(passes, values[chosen[:k]], estimates)
        if whole or passes >= how.passes or converged(values[chosen[:k]], estimates):
            vectors = _core.matmul(there, inner[:, chosen[:k]])
            return Found(values[chosen[:k]].astype(np.float64), vectors, estimates, passes)
        q = rest
        if full:
            keep = chosen[: min(k + (how.most - k) // 3, how.most - 2 * how.block)]
            basis[:, : len(keep)] = _core.matmul(there, inner[:, keep])
            used, recent = len(keep), 0
            projected[:] = 0
            projected[range(used), range(used)] = values[keep]
            look = min(how.most, used + 2 * how.block)


# Of fewer rows LAPACK finds all eigenvectors as soon, as it does where many are wanted.
_LEADING_ROWS, _LEADING_SHARE = 256, 6


def leading_eigh(a: NDArray[Any], k: int) -> NDArray[Any]:
    """The eigenvectors of a Hermitian matrix for its k largest eigenvalues, the largest first, as exact as
    LAPACK's: by `lanczos` where few are wanted and their values fall off, by LAPACK otherwise."""
    n = len(a)
    if n >= _LEADING_ROWS and 0 < _LEADING_SHARE * k <= n:
        wrong, most = 16 * float(np.finfo(a.dtype).eps), max(5 * k, k + 40)
        found = lanczos(
            lambda q: _core.matmul(a, q),
            n,
            k,
            a.dtype,
            lambda values, estimates: bool((estimates <= wrong * values[0]).all()),
            largest,
            Settings(8, most, most // 8),
            np.random.default_rng(0),
            lambda passes, values, estimates: None,
        )
        if (found.estimates <= wrong * found.values[0]).all():
            return found.vectors
    return np.ascontiguousarray(eigh(a)[1][:, ::-1][:, :k])


def _next_block(
    w: NDArray[Any], basis: NDArray[Any], noise: float, rng: np.random.Generator
) -> NDArray[Any]:
    """Orthonormal columns of what is left of w; random ones where only noise is."""
    q = orthonormal(w, rng, basis, noise)
    project_out(q, basis)
    return orthonormal(q, rng, basis)
