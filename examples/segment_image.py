"""A photograph cut into regions: normalised cuts of the graph of its pixels.

    python examples/segment_image.py                    # scikit-learn's photograph of a temple in China
    python examples/segment_image.py IMAGE.png --height 120 --regions 8

Neighbouring pixels are joined the more strongly, the more alike their colours are; regions are what weak
joints leave together.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastla._sparse import SparseMatrix
from fastla.cluster import SpectralClusteringResult, spectral_clustering


def load(path: Path | None) -> NDArray[np.float64]:
    """(height, width, 3), from 0 to 1."""
    if path is None:
        from sklearn import datasets

        return datasets.load_sample_image("china.jpg") / 255
    from matplotlib import image

    pixels = np.asarray(image.imread(path))
    pixels = pixels / 255 if pixels.dtype == np.uint8 else pixels.astype(np.float64)
    return np.repeat(pixels[..., np.newaxis], 3, axis=2) if pixels.ndim == 2 else pixels[..., :3]


def shrunk(image: NDArray[np.float64], height: int) -> NDArray[np.float64]:
    """Means of squares of pixels, about `height` rows of them."""
    side = max(1, round(len(image) / height))
    rows, columns = len(image) // side, image.shape[1] // side
    cut = image[: rows * side, : columns * side]
    return cut.reshape(rows, side, columns, side, 3).mean(axis=(1, 3))


def pixel_graph(image: NDArray[np.float64], beta: float = 10.0, least: float = 1e-6) -> SparseMatrix:
    """Of each pixel and its four neighbours, exp(-beta |colour difference| / their deviation) + least."""
    number = np.arange(image.shape[0] * image.shape[1]).reshape(image.shape[:2])
    pairs = [(number[:, :-1], number[:, 1:]), (number[:-1], number[1:])]
    one, other = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    colours = image.reshape(-1, 3)
    off = np.sqrt(np.square(colours[one] - colours[other]).sum(axis=1))
    weights = np.exp(-beta * off / max(off.std(), 1e-12)) + least
    rows, columns = np.concatenate([one, other]), np.concatenate([other, one])
    order = np.lexsort((columns, rows))
    starts = np.searchsorted(rows[order], np.arange(number.size + 1))
    return SparseMatrix(starts, columns[order], np.tile(weights, 2)[order], (number.size, number.size))


def segment(image: NDArray[np.float64], regions: int) -> SpectralClusteringResult:
    """A region for each pixel, in the order of rows."""
    return spectral_clustering(pixel_graph(image), regions, affinity="precomputed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("image", nargs="?", type=Path, help="a file that Matplotlib reads")
    parser.add_argument("--height", type=int, default=107, help="rows of pixels, about (107)")
    parser.add_argument("--regions", type=int, default=11, help="(11)")
    parser.add_argument("--out", type=Path, default=Path("segment_image.png"), help="the picture's file")
    given = parser.parse_args()
    image = shrunk(load(given.image), given.height)
    start = time.perf_counter()
    found = segment(image, given.regions)
    took = time.perf_counter() - start
    labels = found.labels.reshape(image.shape[:2])
    print(f"{image.shape[0]}x{image.shape[1]} pixels, {given.regions} regions in {took:.2f} s; "
          f"eigenvalues up to {found.embedding.values[-1]:.2e}, each within {found.embedding.bound:.1e}")
    sizes = np.bincount(found.labels, minlength=given.regions)
    print("pixels of regions: " + ", ".join(str(size) for size in np.sort(sizes)[::-1]))

    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    left.imshow(image)
    for region in range(given.regions):
        if sizes[region]:
            colour = pyplot.cm.nipy_spectral(region / given.regions)
            left.contour(labels == region, levels=[0.5], colors=[colour])
    colours = image.reshape(-1, 3)
    means = np.stack([np.bincount(found.labels, colours[:, c], given.regions) for c in range(3)], axis=1)
    right.imshow((means / np.maximum(sizes, 1)[:, np.newaxis])[labels].clip(0, 1))
    for ax, title in ((left, "borders"), (right, "mean colours")):
        ax.set_axis_off()
        ax.set_title(title)
    figure.savefig(given.out)
    print(f"picture: {given.out}")


if __name__ == "__main__":
    main()
