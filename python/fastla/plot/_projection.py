"""Rows of data along two components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._extra import package
from ._figure import axes, fitted

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_MANY = 20  # colours that can be told apart, and names that a legend has room for


class ProjectionDisplay:
    """Points in two of the dimensions that data were projected to, coloured by labels.

    Parameters
    ----------
    projected : array_like
        (n, k), such as `fastla.decomposition.PCAResult.transform` gives, k at least 2.
    labels : array_like, optional
        (n,), one for each point: floats are a scale of colours, anything else groups of a colour each.
    explained_variance_ratio : array_like, optional
        (k,), shares that are written at the axes.
    dims : tuple of int, default (0, 1)
        Which two, from 0.

    Attributes
    ----------
    points : ndarray
        (n, 2), what is drawn.
    labels, explained_variance_ratio, dims
        As given.
    figure_, ax_, scatters_ : Matplotlib's objects
        Once it is drawn; one scatter for each group, in order of the labels.

    Methods
    -------
    from_pca(result, x, *, labels=None, dims=(0, 1), ax=None, **kwargs)
        Rows x, projected by what `fastla.decomposition.pca` gave, or a fitted estimator, and drawn.
    plot(ax=None, **kwargs)
        Draws it; more arguments go to Matplotlib's scatter.

    Examples
    --------
    >>> from fastla import plot
    >>> plot.ProjectionDisplay([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dims=(0, 2)).points
    array([[1., 3.],
           [4., 6.]])
    """

    def __init__(
        self,
        projected: ArrayLike,
        labels: ArrayLike | None = None,
        *,
        explained_variance_ratio: ArrayLike | None = None,
        dims: tuple[int, int] = (0, 1),
    ):
        rows = np.asarray(projected)
        first, second = dims
        if rows.ndim != 2 or not (0 <= min(dims) and max(dims) < rows.shape[1]):
            raise ValueError(
                f"ProjectionDisplay: projected is {rows.shape}, dims are {dims}; they must be columns"
            )
        self.points: NDArray[Any] = rows[:, [first, second]]
        self.dims = (first, second)
        self.labels = None if labels is None else np.asarray(labels)
        if self.labels is not None and self.labels.shape != (len(rows),):
            raise ValueError(
                f"ProjectionDisplay: projected is {rows.shape}, labels are {self.labels.shape}; they "
                f"must be ({len(rows)},)"
            )
        self.explained_variance_ratio = (
            None if explained_variance_ratio is None else np.asarray(explained_variance_ratio)
        )

    @classmethod
    def from_pca(
        cls,
        result: Any,
        x: Any,
        *,
        labels: ArrayLike | None = None,
        dims: tuple[int, int] = (0, 1),
        ax: Any = None,
        **kwargs: Any,
    ) -> ProjectionDisplay:
        """Rows x, projected by what `fastla.decomposition.pca` gave, or a fitted estimator, and drawn."""
        ratio = fitted(result, "explained_variance_ratio")
        made = cls(result.transform(x), labels, explained_variance_ratio=ratio, dims=dims)
        return made.plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> ProjectionDisplay:
        """Draws it, into new axes unless given; more arguments go to Matplotlib's scatter."""
        self.figure_, self.ax_ = axes(ax)
        style = {"s": 12, "alpha": 0.8, "linewidths": 0} | kwargs
        if self.labels is None or self.labels.dtype.kind == "f":
            shown = {} if self.labels is None else {"c": self.labels}
            self.scatters_ = [self.ax_.scatter(*self.points.T, **(shown | style))]
            if self.labels is not None:
                self.figure_.colorbar(self.scatters_[0], ax=self.ax_)
        else:
            self._plot_groups(self.labels, style)
        names = (self._axis(dim) for dim in self.dims)
        self.ax_.set(xlabel=next(names), ylabel=next(names))
        return self

    def _plot_groups(self, labels: NDArray[Any], style: dict[str, Any]) -> None:
        groups = np.unique(labels)
        colours = package("matplotlib", "plot").colormaps["tab10" if len(groups) <= 10 else "tab20"]
        self.scatters_ = []
        for i, group in enumerate(groups):
            points = self.points[labels == group]
            given = {"color": colours(i % colours.N), "label": str(group)} | style
            self.scatters_.append(self.ax_.scatter(*points.T, **given))
        if len(groups) <= _MANY:
            self.ax_.legend(
                loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, markerscale=1.5
            )

    def _axis(self, dim: int) -> str:
        share = self.explained_variance_ratio
        return f"component {dim + 1}" + (f" ({share[dim]:.1%})" if share is not None else "")
