"""A photograph as a matrix of low rank: what is left out, and what it takes to keep the rest.

    python examples/image_svd.py             # scikit-learn's photograph of a temple in China, 427x640
    python examples/image_svd.py IMAGE.png   # another one

The rows of a matrix are the image's, its columns the columns in three colours; of its singular value
decomposition the first are kept, u s and v, which are fewer numbers than pixels.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import fastla
from fastla.decomposition import SVDResult, svd


def load(path: Path | None) -> NDArray[np.float64]:
    """(height, width, 3), from 0 to 1."""
    if path is None:
        from sklearn import datasets

        return datasets.load_sample_image("china.jpg") / 255
    from matplotlib import image

    pixels = np.asarray(image.imread(path))
    pixels = pixels / 255 if pixels.dtype == np.uint8 else pixels.astype(np.float64)
    return np.repeat(pixels[..., np.newaxis], 3, axis=2) if pixels.ndim == 2 else pixels[..., :3]


def approximated(found: SVDResult, rank: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """By the first `rank` triplets."""
    return fastla.matmul(found.u[:, :rank] * found.s[:rank], found.vh[:rank]).reshape(shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("image", nargs="?", type=Path, help="a file that Matplotlib reads")
    parser.add_argument("--ranks", type=int, nargs="+", default=[5, 20, 50, 100], help="(5 20 50 100)")
    parser.add_argument("--out", type=Path, default=Path("image_svd.png"), help="the picture's file")
    given = parser.parse_args()
    image = load(given.image)
    matrix = image.reshape(len(image), -1)
    if not 1 <= min(given.ranks) <= max(given.ranks) <= min(matrix.shape):
        parser.error(f"ranks of a matrix of {matrix.shape} are from 1 to {min(matrix.shape)}")
    start = time.perf_counter()
    found = svd(matrix, max(given.ranks))
    print(f"{image.shape[0]}x{image.shape[1]} pixels, a matrix of {matrix.shape[0]}x{matrix.shape[1]}: "
          f"{len(found.s)} triplets in {time.perf_counter() - start:.2f} s ({found.method})")
    size, shown = math.sqrt(np.square(image).sum()), [("the image", image)]
    for rank in sorted(given.ranks):
        near = approximated(found, rank, image.shape)
        error = math.sqrt(np.square(near - image).sum())
        decibels = -20 * math.log10(max(error, 1e-300) / math.sqrt(image.size))
        storage = rank * (sum(matrix.shape) + 1) / matrix.size
        print(f"rank {rank}: error {error / size:.2%}, PSNR {decibels:.1f} dB, {storage:.1%} of the numbers")
        shown.append((f"rank {rank}, {storage:.0%} of the numbers", near))

    from matplotlib import pyplot

    figure, axes = pyplot.subplots(math.ceil(len(shown) / 3), 3, figsize=(12, 3 * math.ceil(len(shown) / 3)),
                                   layout="constrained", squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (title, pixels) in zip(axes.flat, shown, strict=False):
        ax.imshow(pixels.clip(0, 1))
        ax.set_title(title)
    figure.savefig(given.out)
    print(f"picture: {given.out}")


if __name__ == "__main__":
    main()
