"""The variance along each component, and of all up to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._figure import axes, fitted

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class ScreeDisplay:
    """The share of the variance that each principal component explains, and that of all up to it.

    Parameters
    ----------
    explained_variance_ratio : array_like
        (k,), shares from 0 to 1.
    threshold : float, default 0.95
        A share that is marked, with how many components reach it.

    Attributes
    ----------
    explained_variance_ratio, cumulative : ndarray
        (k,), the shares and their sums.
    threshold : float
        As given.
    n_needed : int or None
        How many components reach the threshold; None if k do not.
    figure_, ax_, bars_, line_ : Matplotlib's objects
        Once it is drawn.

    Methods
    -------
    from_pca(result, *, threshold=0.95, ax=None, **kwargs)
        Drawn from what `fastla.decomposition.pca` gave, or a fitted estimator.
    plot(ax=None, **kwargs)
        Draws it; more arguments go to the bars.

    Examples
    --------
    >>> from fastla import plot
    >>> plot.ScreeDisplay([0.9, 0.06, 0.04]).n_needed
    2
    """

    def __init__(self, explained_variance_ratio: ArrayLike, *, threshold: float = 0.95):
        ratio = np.asarray(explained_variance_ratio, np.float64)
        if ratio.ndim != 1 or not ratio.size:
            raise ValueError(
                f"ScreeDisplay: explained_variance_ratio is {ratio.shape}; it must be (k,)"
            )
        if not 0 < threshold <= 1:
            raise ValueError(
                f"ScreeDisplay: threshold is {threshold}; it must be above 0 and at most 1"
            )
        self.explained_variance_ratio: NDArray[np.float64] = ratio
        self.cumulative = np.cumsum(ratio)
        self.threshold = threshold
        reached = np.flatnonzero(self.cumulative >= threshold)
        self.n_needed = int(reached[0]) + 1 if len(reached) else None

    @classmethod
    def from_pca(
        cls, result: Any, *, threshold: float = 0.95, ax: Any = None, **kwargs: Any
    ) -> ScreeDisplay:
        """Drawn from what `fastla.decomposition.pca` gave, or a fitted estimator."""
        return cls(fitted(result, "explained_variance_ratio"), threshold=threshold).plot(
            ax, **kwargs
        )

    def plot(self, ax: Any = None, **kwargs: Any) -> ScreeDisplay:
        """Draws it, into new axes unless given; more arguments go to the bars."""
        self.figure_, self.ax_ = axes(ax)
        ax = self.ax_
        numbers = np.arange(1, len(self.cumulative) + 1)
        style = {"color": "tab:blue", "label": "each component"} | kwargs
        self.bars_ = ax.bar(numbers, self.explained_variance_ratio, **style)
        (self.line_,) = ax.plot(
            numbers, self.cumulative, color="tab:orange", marker="." if len(numbers) <= 50 else "",
            label="all up to it",
        )  # fmt: skip
        said = f"{self.threshold:.0%}"
        if self.n_needed is not None:
            said += f": {self.n_needed} component" + "s" * (self.n_needed > 1)
            ax.plot(
                [self.n_needed],
                [self.cumulative[self.n_needed - 1]],
                "o",
                color="black",
                mfc="none",
            )
        ax.axhline(self.threshold, color="black", linestyle="--", linewidth=1, label=said)
        ax.set(xlabel="component", ylabel="share of the variance", ylim=(0, 1.05))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend(loc="center right")
        return self
