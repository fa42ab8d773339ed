"""No product of a training is made by NumPy or SciPy."""

import numpy as np
import pytest

from fastla import nn

NAMES = ("matmul", "dot", "einsum", "tensordot", "inner", "outer", "vdot", "vecdot", "matvec", "vecmat",
         "kron")


def raiser(name):
    def call(*_, **__):
        raise AssertionError(f"{name} was called")
    return call


@pytest.fixture
def no_other_product(monkeypatch):
    for name in NAMES:
        if hasattr(np, name):
            monkeypatch.setattr(np, name, raiser(name))
    for name in ("multi_dot", "matrix_power", "norm"):
        monkeypatch.setattr(np.linalg, name, raiser(name))
    try:
        import scipy.linalg.blas as blas
    except ImportError:
        return
    for name in dir(blas):
        if not name.startswith("_") and callable(getattr(blas, name)):
            monkeypatch.setattr(blas, name, raiser(name))


@pytest.mark.usefixtures("no_other_product")
def test_a_training_step():
    with pytest.raises(AssertionError, match="dot was called"):
        np.dot(np.ones(3), np.ones(3))
    rng = np.random.default_rng(0)
    table = nn.Embedding(20, 8, rng=rng)
    model = nn.Sequential(table, nn.RMSNorm(8), nn.MLP((8, 16, 8), "gelu", rng=rng), nn.LayerNorm(8),
                          nn.Unembedding(table))
    tokens = rng.integers(0, 20, (30, 7))
    history = nn.fit(model, tokens, tokens, optimizer=nn.AdamW(0.01), epochs=3, batch_size=8, clip=1.0,
                     rng=rng, validation=(tokens, tokens), progress=False)
    assert history.loss[-1] < history.loss[0]
    x, y = rng.standard_normal((2, 30, 4))
    other = nn.MLP((4, 5, 4), "tanh", rng=rng)
    nn.fit(other, x, y, loss="mse", optimizer=nn.SGD(0.1, momentum=0.9), epochs=1, progress=False)
    lora = rng.standard_normal((2, 4)), rng.standard_normal((5, 2)), 0.5
    weights = other.parameters["0.weight"]
    nn.linear_backward(nn.linear(x, nn.merge_lora(weights, lora), lora=lora), x, weights, lora=lora)
    nn.most_similar(x[0], y, 3)
