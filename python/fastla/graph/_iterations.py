"""Measures of nodes by products with the adjacency matrix, until iterations move as little as is asked for.

Each gives None if they still move more after as many as are allowed; that is a sum of magnitudes.
Row i of a matrix has the weights of the edges that lead to node i.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._sparse import SparseMatrix
from ..decomposition._lapack import eigh
from ..decomposition._orthonormal import project_out
from ._arrays import CompressedGraph
from ._steps import Problem, State
from ._walk import walk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

# Columns of a Krylov basis, and how many of them a restart keeps: few, as one vector is looked for.
_MOST, _KEPT = 20, 6


def length(x: Vector) -> float:
    """Of a vector; neither too large nor too small for its squares."""
    most = float(np.abs(x).max(initial=0))
    if most == 0 or not np.isfinite(most):
        return most
    return most * float(np.sqrt(np.square(x / most).sum()))


def ranks(
    graph: CompressedGraph,
    alpha: float,
    jump: Vector | None,
    sink: Vector | None,
    start: Vector | None,
    moved: float,
    max_iter: int,
) -> Vector | None:
    """PageRank by steps; distributions are everywhere alike, the sink where jumps lead, unless given."""
    way = walk(graph, True, np.dtype(np.float64))
    alike = np.full((graph.n, 1), 1 / graph.n)

    def column(x: Vector) -> Vector:
        return way.inside(x[:, np.newaxis])

    to_jump = np.full((1, 1), 1 / graph.n) if jump is None else column(jump)
    to_sink = None if sink is None else column(sink)
    begin = alike if start is None else column(start).copy()  # steps write there
    state = State(Problem(way, alpha, to_jump, to_sink, np.inf, "power", None), begin)
    for _ in range(max_iter):
        state.step()
        if state.residual[0] < moved:
            found: Vector = way.outside(state.ranks)[:, 0]
            return found
    return None


def eigenvector(matrix: SparseMatrix, start: Vector, moved: float, max_iter: int) -> Vector | None:
    """The leading one, of length 1, by powers of the matrix plus the identity: without directions the largest
    eigenvalue is the only one of its size then."""
    x: Vector = start
    for _ in range(max_iter):
        last, x = x, x + matrix.matmat(x)
        x /= length(x) or 1
        if np.abs(x - last).sum() < moved:
            return x
    return None


def katz(
    matrix: SparseMatrix, alpha: float, beta: Vector, start: Vector, moved: float, max_iter: int
) -> Vector | None:
    """x = alpha A x + beta."""
    x = start
    with np.errstate(over="ignore", invalid="ignore"):  # where alpha is too large
        for _ in range(max_iter):
            last, x = x, alpha * matrix.matmat(x) + beta
            if np.abs(x - last).sum() < moved:
                return x
    return None


def hubs_and_authorities(
    matrix: SparseMatrix, symmetric: bool, start: Vector, tol: float, restarts: int
) -> tuple[Vector, Vector] | None:
    """The leading singular vectors h = A^T a and a, of which a has length 1.

    Of all vectors that lead alike a is the one nearest to the start, as the powers' limit is: it has no
    negative entries where the start has none.
    """
    across = matrix.matmat if symmetric else matrix.rmatmat
    found = _leading(lambda a: matrix.matmat(across(a)), start, tol, restarts)
    if found is None:
        return None
    if (start >= 0).all():
        found = np.maximum(found, 0)
        found /= length(found)
    return across(found), found


def _leading(
    apply: Callable[[Vector], Vector], start: Vector, tol: float, restarts: int
) -> Vector | None:
    """The leading eigenvector of a semidefinite operator in the start's Krylov space.

    By Lanczos' process with full orthogonalisation and thick restarts; the residual is at most tol times the
    eigenvalue.
    """
    n = len(start)
    most = min(_MOST, n)
    basis, images = np.zeros((n, most)), np.zeros((n, most))
    q, used, eps = start / length(start), 0, float(np.finfo(np.float64).eps)
    for _ in range(restarts):
        rest = 1.0
        while used < most and rest > 0:
            basis[:, used], images[:, used] = q, apply(q)
            used += 1
            q = images[:, used - 1].copy()
            noise = 10 * eps * length(q)
            project_out(q[:, np.newaxis], basis[:, :used])
            rest = length(q)
            rest = rest if rest > noise else 0.0
            q = q / rest if rest else q
        there, mapped = basis[:, :used], images[:, :used]
        values, inner = eigh(_core.matmul(there.T, mapped))
        x = _core.matmul(there, inner[:, -1])
        residual = length(_core.matmul(mapped, inner[:, -1]) - values[-1] * x)
        if rest == 0 or residual <= max(tol, 8 * eps) * values[-1]:
            unit: Vector = x / (length(x) if x.sum() >= 0 else -length(x))
            return unit
        kept = inner[:, -min(_KEPT, used - 1) :]
        used = kept.shape[1]
        basis[:, :used], images[:, :used] = _core.matmul(there, kept), _core.matmul(mapped, kept)
    return None


def matrix_of(graph: CompressedGraph) -> SparseMatrix:
    """Its arrays, as a matrix."""
    weight: Any = graph.weight
    return SparseMatrix(graph.indptr, graph.indices, weight, (graph.n, graph.n))
