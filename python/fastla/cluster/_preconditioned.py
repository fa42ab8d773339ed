"""The smallest eigenvalues of a sparse Laplacian, by multigrid and LOBPCG.

Borzi and Borzi, "Algebraic multigrid methods for solving generalized eigenvalue problems", Int. J. Numer.
Methods Eng. 65 (2006). Most of the way is gone in float32, whose products take half the time: what they
leave is made good in float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._sparse import SparseMatrix
from ..decomposition._rounding import unit
from ._eigen import Still
from ._lobpcg import lobpcg
from ._multigrid import Multigrid, laplacian_matrix, with_dtype

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Vectors beside those that are asked for, so that the last ones are not alone at the end of the block;
# those of the coarsest level that make the first block, beside some at random. Blocks that do not do in
# MOST steps are not for this method, nor are those of a graph with fewer nodes than TIMES their columns.
_BESIDE, _COARSE, _RANDOM = 2, 2, 4
_MOST, _TIMES = 60, 8
# Residuals that float32 reaches with ease.
_ROUGH = 2.2e-6
# And steps in which it does, where it does.
_ROUGH_STEPS = 20
_SINGLE = np.dtype(np.float32)


def preconditioned(
    still: Still,
    k: int,
    tol: float | None,
    rng: np.random.Generator | int | None,
    max_iter: int | None,
) -> tuple[NDArray[Any], int] | None:
    """Vectors of the k smallest eigenvalues but the components' own, and how often L was applied; None if the
    graph is not sparse or not of the kind this is for."""
    n, width = still.shape[0], k + _BESIDE
    laplacian = still.laplacian
    if not isinstance(laplacian.adjacency, SparseMatrix) or n < _TIMES * width:
        return None
    matrix = laplacian_matrix(laplacian)
    if matrix is None:
        return None
    grids = Multigrid(matrix, np.sqrt(laplacian.degrees), _SINGLE)
    random = np.random.default_rng(0 if rng is None else rng).standard_normal((n, _RANDOM), _SINGLE)
    smooth = [grids.smooth_vectors(_COARSE * width), grids.solve(random)]
    found = still.project(np.concatenate(smooth, axis=1, dtype=_SINGLE))
    wide = still.dtype == np.float64
    wanted = 2 * max(
        (1e-6 if wide else 1e-4) if tol is None else float(tol), 16 * unit(still.dtype)
    )
    most = _MOST + _ROUGH_STEPS
    left, applied, done = most if max_iter is None else min(max_iter, most), 0, False
    first = found
    for dtype in (_SINGLE, still.dtype)[: 1 + wide]:

        def solve(off: NDArray[Any], dtype: np.dtype[Any] = dtype) -> NDArray[Any]:
            return still.project(
                grids.solve(off.astype(_SINGLE, copy=False)).astype(dtype, copy=False)
            )

        enough = max(wanted, _ROUGH) if wide and dtype == _SINGLE else wanted
        times = with_dtype(matrix, dtype).matmat
        found = found.astype(dtype, copy=False)
        if wide and dtype != _SINGLE:
            still.project(found)
        most = min(_ROUGH_STEPS if dtype == _SINGLE and wide else _MOST, left - applied)
        if most < 1:
            return None
        found, steps, done = lobpcg(times, solve, found, k, width, enough, most)
        applied += steps
        if not done:  # eigenvalues below float32's rounding are not for it
            found = first
    return (found[:, :k], applied) if done else None
