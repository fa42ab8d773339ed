"""Noise taken off scikit-learn's digits: principal components of noisy images, and nothing else of them.

    python examples/denoise.py [--noise 0.25]

Components are learned from noisy images alone. One is worth keeping where the images themselves vary more
than the noise, by noise^2: where both together have a variance above 2 noise^2.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastla import plot
from fastla.decomposition import PCAResult, pca

Images = NDArray[np.float64]


def load(held_out: int = 400) -> tuple[Images, Images]:
    """Digits from 0 to 1, a row each: to learn from, and others."""
    from sklearn import datasets

    images = datasets.load_digits().data / 16
    return images[:-held_out], images[-held_out:]


def psnr(images: Images, clean: Images) -> float:
    """Decibels from the mean square of the error up to that of white."""
    return -10 * math.log10(np.square(images - clean).mean())


def above_noise(noisy: Images, noise: float) -> PCAResult:
    """The components of more signal than noise, one at least."""
    variance = pca(noisy).explained_variance
    return pca(noisy, max(1, int((variance > 2 * noise**2).sum())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--noise", type=float, default=0.25, help="its standard deviation; white is 1 (0.25)")
    parser.add_argument("--components", type=int, help="how many to keep; found out unless given")
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument("--out", type=Path, default=Path("denoise.png"), help="the picture's file")
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    learned, clean = load()
    noisy, seen = (images + rng.normal(0, given.noise, images.shape) for images in (learned, clean))
    found = above_noise(noisy, given.noise) if given.components is None else pca(noisy, given.components)
    restored = found.inverse_transform(found.transform(seen)).clip(0, 1)
    print(f"{len(found.components)} of {clean.shape[1]} components, learned from {len(noisy)} noisy images")
    before, after = psnr(seen.clip(0, 1), clean), psnr(restored, clean)
    print(f"PSNR of {len(clean)} other images: {before:.2f} dB before, {after:.2f} dB after")

    rows = np.concatenate([images[:10] for images in (clean, seen.clip(0, 1), restored)])
    picture = plot.ComponentsDisplay(2 * rows - 1, (8, 8), columns=10).plot()
    picture.ax_.set_title(f"clean; noisy, {before:.1f} dB; restored, {after:.1f} dB")
    picture.figure_.set_size_inches(8, 2.8)
    picture.figure_.savefig(given.out)
    print(f"picture: {given.out}")


if __name__ == "__main__":
    main()
