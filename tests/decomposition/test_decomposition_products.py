"""Every product of decompositions is fastla's: those of NumPy raise, the core counts."""

import numpy as np
import pytest
from matrices import gaussian

import fastla
from fastla import decomposition
from fastla.decomposition import _jacobi

NUMPYS = ("matmul", "dot", "einsum", "tensordot", "inner", "outer", "vdot", "vecdot", "matvec", "vecmat",
          "kron", "cov", "corrcoef")
LINALGS = ("matmul", "tensordot", "outer", "vecdot", "multi_dot", "matrix_power", "norm", "pinv", "lstsq")


@pytest.fixture
def no_other_product(monkeypatch):
    def raiser(*_, **__):
        raise AssertionError("a product of NumPy was called")

    for module, names in ((np, NUMPYS), (np.linalg, LINALGS)):
        for name in names:
            if hasattr(module, name):
                monkeypatch.setattr(module, name, raiser)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_every_product_is_ours(rng, no_other_product, dtype):
    tall, square = gaussian(rng, (2000, 20), dtype), gaussian(rng, (6, 6), dtype)
    calls = {
        "pinv": (lambda: decomposition.pinv(square), 1),
        "lstsq": (lambda: decomposition.lstsq(square, square), 2),
        "lstsq, tall": (lambda: decomposition.lstsq(tall, tall[:, :2]), 10),
        "low_rank": (lambda: decomposition.low_rank(square, 2), 1),
        "nearest_orthogonal": (lambda: decomposition.nearest_orthogonal(square.real, special=True), 2),
        "cov": (lambda: decomposition.cov(square), 1),
        "eigh_topk": (lambda: decomposition.eigh_topk(np.eye(30, dtype=dtype), 2), 3),
        **{f"svd, {how}": (lambda how=how: decomposition.svd(tall, 2, method=how), 3)
           for how in ("full", "gram", "krylov")},
        **{f"pca, {how}": (lambda how=how: decomposition.pca(tall, 2, method=how).transform(tall), 2)
           for how in ("full", "gram", "krylov")},
        "whiten": (lambda: decomposition.whiten(tall, method="zca").transform(tall), 7),
    }
    for name, (call, least) in calls.items():
        before = sum(fastla.call_counts().values())
        call()
        assert sum(fastla.call_counts().values()) - before >= least, name
    before = sum(fastla.call_counts().values())
    _jacobi.svd(square)
    assert sum(fastla.call_counts().values()) - before >= 3 * 5


def test_the_raisers_are_in_place(no_other_product):
    with pytest.raises(AssertionError, match="was called"):
        np.matmul(1, 2)
    with pytest.raises(AssertionError, match="was called"):
        np.linalg.pinv(np.ones((2, 2)))
