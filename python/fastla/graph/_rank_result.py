"""What PageRank finds, and what is proven of it."""

from __future__ import annotations

import operator as op
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PageRankResult:
    """Ranks of nodes, and how far they are from the exact ones at most.

    Attributes
    ----------
    ranks : ndarray
        (n,), or (n, b) of b personalisations; each column adds up to 1 but for `bound`.
    bound : float or ndarray of float64
        Of the sum of |rank - exact rank| over all nodes, rounding included; (b,) where there are columns.
        Infinite where alpha is 1.
    iterations : int or ndarray of int64
        Steps along the edges; what an extrapolation tries comes on top.
    residuals : ndarray of float64
        (iterations,) or (iterations, b): how far each step moved, as a sum of magnitudes; NaN after the
        column's last.
    method : str
        "power", "extrapolated" or "gauss_seidel".
    ids : ndarray or None
        The graph's names of nodes.

    Examples
    --------
    >>> from fastla.graph import Graph, pagerank
    >>> pagerank(Graph.from_edges(["a", "b"], ["b", "a"])).top(1)
    [('a', 0.5)]
    """

    ranks: NDArray[Any]
    bound: float | NDArray[np.float64]
    iterations: int | NDArray[np.int64]
    residuals: NDArray[np.float64]
    method: str
    ids: NDArray[Any] | None = None

    def top(
        self, k: int, certified: bool = False, *, column: int | None = None
    ) -> list[tuple[Any, float]]:
        """The k nodes of highest rank.

        Parameters
        ----------
        k : int
            How many; of equal ones the first ones.
        certified : bool
            Whether the list ends before the first place that is not proven: where the next rank is not
            lower by more than twice the bound.
        column : int, optional
            Of which personalisation, where there are several.

        Returns
        -------
        list of (node, rank)
            Nodes by name where the graph has names. It is shorter than k where there are fewer nodes, or
            fewer proven places.
        """
        count = op.index(k)
        if count < 0:
            raise ValueError(f"top: k is {k}; it must not be negative")
        if (column is None) == (self.ranks.ndim == 2):
            raise ValueError(
                f"top: column is {column}, ranks are {self.ranks.shape}; say which column, if any"
            )
        ranks = self.ranks if column is None else self.ranks[:, column]
        count = min(count, len(ranks))
        nodes = _largest(ranks, min(count + 1, len(ranks)))
        if certified:
            bound = float(self.bound if column is None else np.asarray(self.bound)[column])
            found = ranks[nodes].astype(np.float64)
            unproven = np.flatnonzero(~(found[:-1] - found[1:] > 2 * bound)[:count])
            count = int(unproven[0]) if len(unproven) else count
        names = nodes if self.ids is None else self.ids[nodes]
        return [
            (name, float(ranks[node]))
            for name, node in zip(names[:count].tolist(), nodes, strict=False)
        ]


def _largest(ranks: NDArray[Any], count: int) -> NDArray[np.int64]:
    """The places of the largest ones in order; of equal ones the first."""
    if count == 0:
        return np.zeros(0, np.int64)
    least = np.partition(ranks, len(ranks) - count)[len(ranks) - count]
    above, equal = np.flatnonzero(ranks > least), np.flatnonzero(ranks == least)
    chosen = np.concatenate([above, equal[: count - len(above)]])
    return chosen[np.lexsort((chosen, -ranks[chosen]))]
