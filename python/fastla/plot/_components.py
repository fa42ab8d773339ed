"""Components of images, as images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._figure import axes, fitted

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class ComponentsDisplay:
    """Rows of pixels as images side by side, each from -1 to 1 by its largest magnitude.

    Parameters
    ----------
    components : array_like
        (k, height * width), real.
    shape : tuple of int
        (height, width) of an image.
    mean : array_like, optional
        (height * width,), shown first, from black at its least to white.
    columns : int, optional
        Images in a row; a square of them unless given.
    titles : sequence of str, optional
        Above each image, the mean's included.

    Attributes
    ----------
    images : ndarray
        (k, height, width), or one more with a mean, from -1 to 1.
    mosaic : ndarray
        What is drawn: NaN between the images.
    titles : sequence of str or None
        As given.
    figure_, ax_, im_ : Matplotlib's objects
        Once it is drawn.

    Methods
    -------
    from_pca(result, shape, n=16, *, mean=True, columns=None, titles=None, ax=None, **kwargs)
        Drawn from what `fastla.decomposition.pca` gave, or a fitted estimator: its first n components.
    plot(ax=None, **kwargs)
        Draws it; more arguments go to Matplotlib's imshow.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import plot
    >>> plot.ComponentsDisplay(np.eye(6)[:4], (2, 3)).mosaic.shape
    (5, 7)
    """

    def __init__(
        self,
        components: ArrayLike,
        shape: tuple[int, int],
        *,
        mean: ArrayLike | None = None,
        columns: int | None = None,
        titles: Sequence[str] | None = None,
    ):
        rows = np.asarray(components)
        height, width = shape
        if rows.ndim != 2 or rows.shape[1] != height * width or not len(rows):
            raise ValueError(
                f"ComponentsDisplay: components are {rows.shape}; images of {height} x {width} need "
                f"(k, {height * width})"
            )
        tops = np.abs(rows).max(axis=1, keepdims=True)
        images = np.divide(rows, tops, out=np.zeros(rows.shape), where=tops > 0)
        if mean is not None:
            first = np.asarray(mean, np.float64)
            if first.shape != (height * width,):
                raise ValueError(
                    f"ComponentsDisplay: mean is {first.shape}; it must be ({height * width},)"
                )
            low, high = first.min(), first.max()
            grey = 2 * (first - low) / (high - low) - 1 if high > low else np.zeros_like(first)
            images = np.concatenate([grey[np.newaxis], images])
        if titles is not None and len(titles) != len(images):
            raise ValueError(f"ComponentsDisplay: {len(titles)} titles for {len(images)} images")
        self.images: NDArray[np.float64] = images.reshape(-1, height, width)
        self.titles = titles
        self._columns = math.ceil(math.sqrt(len(images))) if columns is None else columns
        # Letters need room above an image, of whatever size.
        self._gap = max(2, height // 5) if titles is not None else max(1, height // 28)
        self.mosaic = self._tiled()

    def _corner(self, i: int) -> tuple[int, int]:
        """The row and column of the mosaic where an image begins."""
        _, height, width = self.images.shape
        row, column = divmod(i, self._columns)
        return row * (height + self._gap), column * (width + self._gap)

    def _tiled(self) -> NDArray[np.float64]:
        n, height, width = self.images.shape
        down, across = self._corner(n - 1)[0], self._corner(min(n, self._columns) - 1)[1]
        mosaic = np.full((down + height, across + width), np.nan)
        for i, image in enumerate(self.images):
            y, x = self._corner(i)
            mosaic[y : y + height, x : x + width] = image
        return mosaic

    @classmethod
    def from_pca(
        cls,
        result: Any,
        shape: tuple[int, int],
        n: int = 16,
        *,
        mean: bool = True,
        columns: int | None = None,
        titles: Sequence[str] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> ComponentsDisplay:
        """Drawn from what `fastla.decomposition.pca` gave, or a fitted estimator: its first n components."""
        components = fitted(result, "components")[:n]
        first = fitted(result, "mean") if mean else None
        return cls(components, shape, mean=first, columns=columns, titles=titles).plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> ComponentsDisplay:
        """Draws it, into new axes unless given; more arguments go to Matplotlib's imshow."""
        self.figure_, self.ax_ = axes(ax)
        style = {"cmap": "gray", "vmin": -1, "vmax": 1, "interpolation": "nearest"} | kwargs
        self.im_ = self.ax_.imshow(self.mosaic, **style)
        for i, title in enumerate(self.titles or ()):
            y, x = self._corner(i)
            middle = x + (self.images.shape[2] - 1) / 2
            self.ax_.text(
                middle, y - 0.5 - self._gap / 8, title, ha="center", va="bottom", fontsize="small"
            )
        self.ax_.set_axis_off()
        return self
