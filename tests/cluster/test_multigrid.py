"""What multigrid is made of, beside dense matrices; neighbours by a sweep; a step of k-means."""

import numpy as np
import pytest

import fastla
from fastla import _core, cluster
from fastla._sparse import SparseMatrix
from fastla.cluster import _embedding
from fastla.cluster._multigrid import Multigrid, _product, laplacian_matrix


def grid(m):
    """The graph of m x m pixels, with weights of very different sizes and stored zeros on the diagonal."""
    rng = np.random.default_rng(m)
    at = np.arange(m * m).reshape(m, m)
    a = np.concatenate([at[:, :-1].ravel(), at[:-1].ravel()])
    b = np.concatenate([at[:, 1:].ravel(), at[1:].ravel()])
    w = np.zeros((m * m, m * m))
    w[a, b] = 10.0 ** rng.uniform(-4, 0, len(a))
    w += w.T
    stored = (w > 0) | np.eye(m * m, dtype=bool)
    rows, columns = np.nonzero(stored)
    return SparseMatrix(np.searchsorted(rows, np.arange(m * m + 1)), columns, w[stored], w.shape), w


def test_a_product_of_sparse_matrices(rng, threads):
    a, b = (np.where(rng.random(s) < 0.1, rng.standard_normal(s), 0) for s in ((300, 200), (200, 150)))
    sparse = []
    for x in (a, b):
        rows, columns = np.nonzero(x)
        starts = np.searchsorted(rows, np.arange(len(x) + 1)).astype(np.int32)
        sparse.append(SparseMatrix(starts, columns.astype(np.int32), x[rows, columns], x.shape))
    made = _product(*sparse)
    np.testing.assert_allclose(made.matmat(np.eye(150)), a @ b, atol=1e-12)
    again = _core.csr_product(*sparse[0]._rows[:3], *sparse[1]._rows[:3], 150, threads)
    for x, y in zip(made._rows[:3], again, strict=True):
        np.testing.assert_array_equal(x, y)


def test_a_cycle_contracts_every_error():
    """Eigenvalues of cycle x matrix lie in (0, 1], but for the constant vector's, and are far from 0."""
    affinity, _ = grid(24)
    laplacian = cluster.NormalizedLaplacian(affinity)
    matrix = laplacian_matrix(laplacian)
    grids = Multigrid(matrix, np.sqrt(laplacian.degrees), np.dtype(np.float64))
    n = matrix.shape[0]
    cycle, dense = grids.cycle(np.eye(n)), matrix.matmat(np.eye(n))
    np.testing.assert_allclose(cycle, cycle.T, atol=1e-9 * np.abs(cycle).max())
    values = np.sort(np.linalg.eigvals(cycle @ dense).real)
    assert abs(values[0]) < 1e-8 and values[1] > 0.1 and values[-1] < 1 + 1e-8


def test_eigenvalues_below_what_float32_resolves(monkeypatch):
    """Regions that a photograph's borders nearly part: single precision loses its way, and double goes on."""
    seen = []
    whole = _embedding.preconditioned
    monkeypatch.setattr(_embedding, "preconditioned", lambda *a: seen.append(whole(*a)) or seen[-1])
    rng = np.random.default_rng(0)
    height, width = 48, 72
    regions = np.add.outer(np.arange(height) // 16 * 3, np.arange(width) // 24)
    colours = rng.random((9, 3))[regions] + 0.002 * rng.standard_normal((height, width, 3))
    at = np.arange(height * width).reshape(height, width)
    a = np.concatenate([at[:, :-1].ravel(), at[:-1].ravel()])
    b = np.concatenate([at[:, 1:].ravel(), at[1:].ravel()])
    off = np.sqrt(np.square(colours.reshape(-1, 3)[a] - colours.reshape(-1, 3)[b]).sum(axis=1))
    w = np.exp(-60 * off) + 1e-8
    order = np.lexsort((np.r_[b, a], np.r_[a, b]))
    starts = np.searchsorted(np.r_[a, b][order], np.arange(at.size + 1))
    affinity = SparseMatrix(starts, np.r_[b, a][order], np.r_[w, w][order], (at.size, at.size))
    found = cluster.spectral_clustering(affinity, 9, affinity="precomputed", rng=0)
    assert len(seen) == 1 and seen[0] is not None and seen[0][1] < 60
    pairs = set(zip(regions.ravel().tolist(), found.labels.tolist(), strict=True))
    assert len(pairs) == 9  # the regions themselves


@pytest.mark.parametrize("k", [2, 7, 16])
def test_small_eigenvalues_of_a_hard_graph(k, threads):
    affinity, w = grid(24)
    found = cluster.spectral_embedding(affinity, k)
    scale = 1 / np.sqrt(w.sum(axis=1))
    true = np.linalg.eigvalsh(np.eye(len(w)) - scale[:, None] * w * scale)[:k]
    np.testing.assert_allclose(found.values, true, atol=1e-8)
    assert found.bound < 3e-6 and found.iterations < 60
    again = cluster.spectral_embedding(affinity, k, num_threads=threads)
    np.testing.assert_array_equal(found.embedding, again.embedding)


@pytest.mark.parametrize(("n", "d"), [(2, 1), (300, 1), (700, 2)])
def test_a_sweep_finds_what_topk_finds(rng, dtype, n, d):
    x = rng.standard_normal((n, d)).round(1).astype(dtype)  # with ties and duplicates
    k = min(5, n - 1)
    true = fastla.topk(x, x, k, metric="l2", exclude=np.arange(n))
    made = cluster.knn_graph(x, k, mode="distance")
    order = np.argsort(true.indices, axis=1)
    np.testing.assert_array_equal(made.indices.reshape(n, k), np.take_along_axis(true.indices, order, axis=1))
    np.testing.assert_array_equal(made.data.reshape(n, k), np.take_along_axis(true.values, order, axis=1))


@pytest.mark.parametrize("weighted", [True, False])
def test_a_step_of_k_means(rng, dtype, weighted):
    x, centers = (rng.standard_normal(s).astype(dtype) for s in ((3000, 7), (11, 7)))
    weights = rng.random(3000).astype(dtype) if weighted else None
    bias = (-np.square(centers).sum(axis=1) / 2).astype(dtype)
    labels, sums, counts = np.empty(3000, np.int32), np.empty((11, 7)), np.empty(11)
    _core.lloyd(x, np.ascontiguousarray(centers.T), bias, weights, labels, sums, counts)
    away = np.square(x[:, None].astype(float) - centers).sum(axis=2)
    assert (away[np.arange(3000), labels] <= away.min(axis=1) + 1e-5).all()
    share = np.ones(3000) if weights is None else weights.astype(float)
    for j in range(11):
        mine = labels == j
        true = (share[mine, None] * x[mine]).sum(axis=0)
        np.testing.assert_allclose(sums[j], true, atol=2e-3 if dtype == np.float32 else 1e-10)
        np.testing.assert_allclose(counts[j], share[mine].sum(), rtol=1e-6)
