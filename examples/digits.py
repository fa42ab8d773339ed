"""Train a 64-256-128-64-10 network on scikit-learn's handwritten digits.

Every product, forward and backward, is `fastla.linear` or `fastla.matmul`; scikit-learn only
supplies the images. Run it with `python examples/digits.py` (needs scikit-learn). The products have
the same bits on every CPU and for every thread count; exp, log and sums are NumPy's own.
"""

from __future__ import annotations

import statistics
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastla

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

SIZES = (64, 256, 128, 64, 10)


class Split(NamedTuple):
    """Images (n, 64) in 0..1 and their digits (n,), for training and held out."""

    x_train: Floats
    y_train: Ints
    x_test: Floats
    y_test: Ints


class Layer:
    """y = activation(x w^T + b), with the momentum of its parameters."""

    def __init__(self, rng: np.random.Generator, n_in: int, n_out: int, activation: str | None):
        # He et al., 2015: variance 2 / n_in keeps the scale of the signal through a relu.
        self.w = (rng.standard_normal((n_out, n_in)) * np.sqrt(2 / n_in)).astype(np.float32)
        self.b = np.zeros(n_out, np.float32)
        self.w_step = np.zeros_like(self.w)
        self.b_step = np.zeros_like(self.b)
        self.activation = activation

    def forward(self, x: Floats) -> Floats:
        return fastla.linear(x, self.w, self.b, activation=self.activation)

    def update(self, x: Floats, dz: Floats, rate: float, momentum: float, decay: float) -> None:
        """One step against the gradient: dL/dw = dz^T x, dL/db = sum of dz over the batch."""
        dw = fastla.matmul(dz.T, x)
        self.w_step = momentum * self.w_step - rate * (dw + decay * self.w)
        self.b_step = momentum * self.b_step - rate * dz.sum(axis=0)
        self.w += self.w_step
        self.b += self.b_step


def load_split(seed: int, held_out: float = 0.25) -> Split:
    """The 1797 images of 8x8 pixels; `held_out` of every digit's images are kept for the test."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images, digits = (data.data / 16).astype(np.float32), data.target.astype(np.int64)
    rng = np.random.default_rng(seed)
    test = np.zeros(len(digits), bool)
    for digit in range(10):
        (where,) = np.nonzero(digits == digit)
        test[rng.permutation(where)[: round(held_out * len(where))]] = True
    return Split(images[~test], digits[~test], images[test], digits[test])


def softmax_cross_entropy(z: Floats, y: Ints) -> tuple[float, Floats]:
    """Mean loss over the batch, and dL/dz."""
    z = z - z.max(axis=1, keepdims=True)
    p = np.exp(z)
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = float(-np.log(p[rows, y] + 1e-30).mean())
    p[rows, y] -= 1
    return loss, p / np.float32(len(y))


def train_batch(layers: list[Layer], x: Floats, y: Ints, rate: float, momentum: float,
                decay: float) -> float:
    """Forward, backward and update; returns the loss before the update."""
    inputs = [x]
    for layer in layers:
        inputs.append(layer.forward(inputs[-1]))
    loss, dz = softmax_cross_entropy(inputs.pop(), y)
    for layer, x_in in zip(reversed(layers), reversed(inputs), strict=True):
        # dL/dx = dz w, times relu's derivative (0 or 1) while the tiles are still in registers.
        below = None
        if layer is not layers[0]:
            below = fastla.linear(dz, layer.w.T, gate=(x_in > 0).astype(np.float32))
        layer.update(x_in, dz, rate, momentum, decay)
        if below is not None:
            dz = below
    return loss


def accuracy(layers: list[Layer], x: Floats, y: Ints) -> float:
    """Share of images whose largest output is their digit."""
    for layer in layers:
        x = layer.forward(x)
    return float((x.argmax(axis=1) == y).mean())


def fit(data: Split, seed: int, *, epochs: int = 30, batch: int = 32, rate: float = 0.05,
        momentum: float = 0.9, decay: float = 1e-4, verbose: bool = False) -> list[Layer]:
    """The layers, trained on the training images; the rate falls along half a cosine."""
    rng = np.random.default_rng([seed, 1])
    last = len(SIZES) - 2
    layers = [Layer(rng, SIZES[i], SIZES[i + 1], "relu" if i < last else None)
              for i in range(last + 1)]
    for epoch in range(epochs):
        now = rate * 0.5 * (1 + np.cos(np.pi * epoch / epochs))
        order = rng.permutation(len(data.y_train))
        losses = []
        for start in range(0, len(order), batch):
            some = order[start : start + batch]
            x, y = data.x_train[some], data.y_train[some]
            losses.append(train_batch(layers, x, y, float(now), momentum, decay))
        if verbose and (epoch + 1) % 10 == 0:
            held_out = accuracy(layers, data.x_test, data.y_test)
            print(f"  epoch {epoch + 1:3}: loss {np.mean(losses):.4f}, held-out {held_out:.2%}")
    return layers


def train(seed: int, *, verbose: bool = False) -> float:
    """Accuracy on held-out images; the seed decides split, weights and order of images."""
    data = load_split(seed)
    layers = fit(data, seed, verbose=verbose)
    return accuracy(layers, data.x_test, data.y_test)


def main() -> None:
    results = []
    for seed in range(5):
        print(f"seed {seed}")
        start = time.perf_counter()
        results.append(train(seed, verbose=True))
        print(f"  {results[-1]:.2%} of the held-out images, {time.perf_counter() - start:.1f} s")
    print(f"median accuracy on held-out images: {statistics.median(results):.2%}")


if __name__ == "__main__":
    main()
