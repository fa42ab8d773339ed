"""Train a 784-256-128-64-10 network on MNIST, or a 64-256-128-64-10 one on scikit-learn's digits.

    python examples/mnist.py FOLDER    # with train-images-idx3-ubyte and its three companions, .gz or not
    python examples/mnist.py           # without a folder: 1797 images that come with scikit-learn

Every product, forward and backward, is fastla's: for a seed the weights have the same bits for every number
of threads.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastla import nn

HIDDEN = (256, 128, 64)
MNIST = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
         "t10k-labels-idx1-ubyte")


class Split(NamedTuple):
    """Images (n, pixels) in 0..1 and their digits (n,), for training and held out."""

    x_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int64]


def read_idx(path: Path) -> NDArray[np.uint8]:
    """An array of bytes from a file in the IDX format: 0, 0, type, axes; their lengths; the bytes."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    axes = data[3] if data[:3] == b"\0\0\x08" else 0
    start = 4 + 4 * axes
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4))
    if not axes or len(data) != start + np.prod(shape):
        raise ValueError(f"{path} is not an IDX file of bytes: shape {shape}, {len(data)} bytes")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def load_mnist(folder: Path) -> Split:
    """The four files of MNIST, as they are distributed."""
    found = []
    for name in MNIST:
        paths = [p for p in (folder / name, folder / f"{name}.gz", folder / name.replace("-idx", ".idx"))
                 if p.exists()]
        if not paths:
            raise FileNotFoundError(f"{folder} has neither {name} nor {name}.gz")
        found.append(read_idx(paths[0]))
    x, y, x_test, y_test = found
    return Split(as_rows(x), y.astype(np.int64), as_rows(x_test), y_test.astype(np.int64))


def as_rows(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return images.reshape(len(images), -1).astype(np.float32) / 255


def load_digits(seed: int, held_out: float = 0.25) -> Split:
    """1797 images of 8x8 pixels; `held_out` of every digit's images are kept for the test."""
    from sklearn import datasets

    data = datasets.load_digits()
    images, digits = (data.data / 16).astype(np.float32), data.target.astype(np.int64)
    rng = np.random.default_rng(seed)
    test = np.zeros(len(digits), bool)
    for digit in range(10):
        (where,) = np.nonzero(digits == digit)
        test[rng.permutation(where)[: round(held_out * len(where))]] = True
    return Split(images[~test], digits[~test], images[test], digits[test])


def network(pixels: int, seed: int) -> nn.MLP:
    return nn.MLP((pixels, *HIDDEN, 10), rng=seed)


def described(model: nn.MLP) -> str:
    """How many parameters there are."""
    sizes = {name: x.size for name, x in model.parameters.items()}
    weights = sum(n for name, n in sizes.items() if name.endswith("weight"))
    total = sum(sizes.values())
    return f"{weights:,} weights + {total - weights:,} biases = {total:,} parameters"


def train(data: Split, seed: int, *, epochs: int, batch_size: int = 32, progress: bool = False,
          checkpoint: Path | None = None) -> tuple[nn.MLP, nn.History]:
    """The seed decides weights and order of images; the rate falls along half a cosine."""
    model = network(data.x_train.shape[1], seed)
    steps = epochs * -(-len(data.y_train) // batch_size)
    history = nn.fit(
        model, data.x_train, data.y_train,
        optimizer=nn.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=1e-4),
        schedule=nn.cosine_schedule(0.1, steps, warmup=steps // 20),
        epochs=epochs, batch_size=batch_size, rng=np.random.default_rng([seed, 1]), progress=progress,
        validation=(data.x_test, data.y_test) if progress else None,
        checkpoint=checkpoint, resume=checkpoint is not None,
    )
    return model, history


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="with the files of MNIST")
    parser.add_argument("--seeds", type=int, help="how many trainings (MNIST: 1, digits: 10)")
    parser.add_argument("--epochs", type=int, help="MNIST: 10, digits: 20")
    parser.add_argument("--checkpoint", type=Path, help="a .npz file, of a training of one seed")
    given = parser.parse_args()
    mnist = load_mnist(given.folder) if given.folder else None
    seeds, epochs = given.seeds or (1 if mnist else 10), given.epochs or (10 if mnist else 20)
    if given.checkpoint and seeds > 1:
        parser.error("--checkpoint needs --seeds 1")
    results = []
    for seed in range(seeds):
        data = mnist or load_digits(seed)
        if seed == 0:
            print(described(network(data.x_train.shape[1], 0)))
        start = time.perf_counter()
        model, history = train(data, seed, epochs=epochs, progress=seeds == 1, checkpoint=given.checkpoint)
        results.append(nn.score(model, data.x_test, data.y_test))
        print(f"seed {seed}: {results[-1]:.2%} of the held-out images, {time.perf_counter() - start:.1f} s")
        if history.stopped:
            break
    print(f"median accuracy on held-out images: {statistics.median(results):.2%}")


if __name__ == "__main__":
    main()
