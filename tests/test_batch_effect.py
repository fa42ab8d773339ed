"""A batch of 256 is enough for nine tenths of a square product's rate; where weights are packed anew, 512.

On one thread a layer of 256 rows, whose weights are (out, in), spends an eighth of its time on packing them.
"""

import statistics
import time
from functools import partial

import numpy as np
import pytest

import fastla

LAYERS = {
    "product": lambda x, w, bias: partial(fastla.matmul, x, w, num_threads=1),
    "packed": lambda x, w, bias: partial(linear, x, fastla.pack(w), bias),
    "linear": lambda x, w, bias: partial(linear, x, w, bias),
}


def linear(x, w, bias, out):
    fastla.linear(x, w, bias, out=out, num_threads=1)


@pytest.mark.parametrize("kind, batch",
                         [("product", 256), ("packed", 256), ("linear", 512), ("linear", 1024)])
def test_a_wide_layer_at_the_rate_of_a_square_product(kind, batch, rng):
    """Medians of turns; the machine may be busy with other things, so that the best of ten counts."""
    a, b, w = rng.standard_normal((3, 1024, 1024), np.float32)
    x, bias = a[:batch].copy(), b[0].copy()
    layer = LAYERS[kind](x, w, bias)
    square, out = np.empty_like(a), np.empty_like(x)

    def seconds(call):
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    def turn():
        """The layer's rate as a share of the product's; as many multiply-adds of each."""
        large = seconds(lambda: fastla.matmul(a, b, out=square, num_threads=1))
        small = sum(seconds(lambda: layer(out)) for _ in range(1024 // batch))
        return large / small

    shares = []
    for _ in range(10):
        shares.append(statistics.median(turn() for _ in range(15)))
        if shares[-1] >= 0.9:
            return
    raise AssertionError(f"{kind} of {batch} rows ran at {shares} of the rate of a square product")
