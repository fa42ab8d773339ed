"""Eigenfaces: principal components of images, how many there need to be, and recognition by the nearest.

    python examples/eigenfaces.py FOLDER       # of the AT&T (ORL) faces: s1/1.pgm ... s40/10.pgm
    python examples/eigenfaces.py              # without a folder: scikit-learn's 1797 digits of 8x8 pixels
    python examples/eigenfaces.py --generated  # 40 people of 10 images, 112x92, drawn by this program

Half of everybody's images, drawn by the seed, are learned from; each of the others is given the name of the
nearest one along the first 40 components.
"""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastla
from fastla import plot
from fastla.decomposition import pca


class Faces(NamedTuple):
    """Images as rows of pixels, whose each is, and (height, width)."""

    images: NDArray[np.float32]
    people: NDArray[np.int64]
    shape: tuple[int, int]


def read_pgm(path: Path) -> NDArray[np.float32]:
    """A grey image, from 0 to 1: of the format's binary kind, P5, or that in letters, P2."""
    data = path.read_bytes()
    gap = rb"(?:\s|#[^\n]*\n)+"
    head = re.match(rb"(P[25])" + 3 * (gap + rb"(\d+)") + rb"\s", data)
    if not head:
        raise ValueError(f"{path} is not a PGM file: it begins with {data[:20]!r}")
    width, height, most = (int(number) for number in head.groups()[1:])
    rest = data[head.end():]
    if head[1] == b"P5":
        kind = np.dtype(">u2" if most > 255 else "u1")
        pixels = np.frombuffer(rest, kind, min(width * height, len(rest) // kind.itemsize))
    else:
        pixels = np.array(re.sub(rb"#[^\n]*", b"", rest).split(), np.int64)
    if pixels.size != width * height or not 0 < most < 65536 or pixels.max(initial=0) > most:
        raise ValueError(f"{path}: {pixels.size} pixels for {width} x {height} of at most {most}")
    return pixels.reshape(height, width).astype(np.float32) / np.float32(most)


def load_folder(folder: Path) -> Faces:
    """A folder for each person, named by a number at its end, with PGM files in it."""
    images, people = [], []
    for person in sorted((p for p in folder.iterdir() if p.is_dir()), key=numbered):
        for path in sorted(person.glob("*.pgm"), key=numbered):
            images.append(read_pgm(path))
            people.append(numbered(person)[0])
    shapes = {image.shape for image in images}
    if len(shapes) != 1:
        raise ValueError(f"{folder}: {len(images)} images s1/1.pgm ... of the shapes {sorted(shapes)}")
    (shape,) = shapes
    return Faces(np.stack(images).reshape(len(images), -1), np.array(people), shape)


def numbered(path: Path) -> tuple[int, str]:
    """s2 before s10."""
    digits = re.findall(r"\d+", path.stem)
    return int(digits[-1]) if digits else 0, path.stem


def load_digits() -> Faces:
    from sklearn import datasets

    data = datasets.load_digits()
    return Faces((data.data / 16).astype(np.float32), data.target.astype(np.int64), (8, 8))


def generate(seed: int, people: int = 40, each: int = 10) -> Faces:
    """Ovals with eyes, nose, mouth and hair: a person has features, an image light, place and a smile."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1.2:1.2:112j, -1:1:92j].astype(np.float32)
    everybody = rng.uniform(-1, 1, (people, 12))
    images = [drawn(x, y, features, rng) for features in everybody for _ in range(each)]
    return Faces(np.stack(images).reshape(len(images), -1), np.repeat(np.arange(people), each), x.shape)


def drawn(x: NDArray[np.float32], y: NDArray[np.float32], features: NDArray[np.float64],
          rng: np.random.Generator) -> NDArray[np.float32]:
    wide, long, skin, hair, line, apart, eye, brow, nose, mouth, lips, beard = features
    left, up, turn, smile, side, bright = rng.normal(0, 1, 6)
    x, y = x - 0.012 * left - 0.012 * turn * y, y - 0.012 * up

    def spot(cx: float, cy: NDArray[np.float32] | float, rx: float, ry: float) -> NDArray[np.float32]:
        return np.exp(-(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2))

    oval = 1 / (1 + np.exp(14 * (np.hypot(x / (0.68 + 0.1 * wide), y / (0.95 + 0.1 * long)) - 1)))
    face = 0.6 + 0.15 * skin + 0.04 * bright + 0.05 * side * x
    for sign in (-1, 1):
        at = sign * (0.27 + 0.05 * apart)
        face = face - 0.45 * spot(at, -0.15, 0.1 + 0.02 * eye, 0.06 + 0.02 * eye)
        face = face - 0.3 * spot(at, -0.33 - 0.03 * brow, 0.16, 0.035 + 0.015 * brow)
    face = face - 0.18 * spot(0.03 * side, 0.2 + 0.04 * nose, 0.07 + 0.03 * nose, 0.12)
    curve = (0.04 + 0.015 * smile) * (x / 0.3) ** 2
    face = face - 0.35 * spot(0, 0.5 - curve, 0.22 + 0.06 * mouth, 0.05 + 0.02 * lips)
    face = face - (0.12 + 0.12 * beard) * spot(0, 0.8, 0.4, 0.22)
    top = 1 / (1 + np.exp(18 * (y + 0.55 + 0.12 * line)))
    face = face * (1 - top) + (0.3 + 0.22 * hair) * top
    image = oval * face + (1 - oval) * (0.15 + 0.05 * bright) + rng.normal(0, 0.02, x.shape)
    return image.clip(0, 1).astype(np.float32)


def split(people: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Which images are learned from: half of everybody's, rounded up."""
    rng = np.random.default_rng(seed)
    learned = np.zeros(len(people), bool)
    for person in np.unique(people):
        (where,) = np.nonzero(people == person)
        learned[rng.permutation(where)[: -(-len(where) // 2)]] = True
    return learned


def nearest(queries: NDArray[np.float32], known: NDArray[np.float32]) -> NDArray[np.int64]:
    """The known row at the least distance from each query: |q - k|^2 = |q|^2 - 2 q k + |k|^2."""
    lengths = np.square(known).sum(axis=1)
    return np.argmin(lengths - 2 * fastla.matmul(queries, known.T), axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="of the AT&T faces")
    parser.add_argument("--generated", action="store_true", help="faces that this program draws")
    parser.add_argument("--components", type=int, default=40, help="to recognise by (40)")
    parser.add_argument("--seed", type=int, default=0, help="of the split and of generated faces")
    parser.add_argument("--out", type=Path, default=Path("eigenfaces.png"), help="the picture's file")
    given = parser.parse_args()
    if given.folder and given.generated:
        parser.error("either a folder or --generated")
    if given.folder:
        faces = load_folder(given.folder)
    else:
        faces = generate(given.seed) if given.generated else load_digits()
    whose = "people" if given.folder or given.generated else "digits"
    height, width = faces.shape
    print(f"{len(faces.images)} images of {height}x{width}, {len(np.unique(faces.people))} {whose}")

    start = time.perf_counter()
    ratio = pca(faces.images).explained_variance_ratio
    display = plot.ScreeDisplay(ratio)
    taken = time.perf_counter() - start
    print(f"95% of the variance: {display.n_needed} of {len(ratio)} components, {taken:.2f} s")

    learned = split(faces.people, given.seed)
    rows, people = faces.images[learned], faces.people[learned]
    found = pca(rows, min(given.components, *rows.shape))
    guesses = people[nearest(found.transform(faces.images[~learned]), found.transform(rows))]
    right = (guesses == faces.people[~learned]).mean()
    print(f"recognised by {len(found.components)} components: {right:.2%} of {(~learned).sum()} images, "
          f"from {len(rows)}, half of each of the {whose}'")

    titles = ["mean", *(f"{share:.1%}" for share in found.explained_variance_ratio[:19])]
    picture = plot.ComponentsDisplay.from_pca(found, faces.shape, 19, columns=5, titles=titles)
    picture.figure_.set_size_inches(8, 8)
    picture.figure_.savefig(given.out)
    print(f"picture: {given.out}")


if __name__ == "__main__":
    main()
