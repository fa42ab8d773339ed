"""Spectral embedding and clustering: eigenpairs beside LAPACK's, components, hard graphs."""

import numpy as np
import pytest

from fastla import cluster
from fastla._sparse import SparseMatrix
from fastla.cluster._components import components
from fastla.decomposition import NotConverged


def laplacian(w):
    """Of dense weights, as it is written down."""
    w = w * (1 - np.eye(len(w)))
    d = w.sum(axis=1)
    s = 1 / np.sqrt(np.where(d > 0, d, 1))
    return np.diag((d > 0).astype(float)) - s[:, None] * w * s


def sparse(w):
    rows, columns = np.nonzero(w)
    indptr = np.searchsorted(rows, np.arange(len(w) + 1))
    return SparseMatrix(indptr, columns, w[rows, columns], w.shape)


def random_graph(rng, n, degree):
    w = np.triu(rng.random((n, n)) * (rng.random((n, n)) < degree / n))
    return w + w.T


def blocks(rng, sizes):
    """A graph in pieces, its nodes in any order; and the piece of each."""
    n = sum(sizes)
    piece = np.repeat(np.arange(len(sizes)), sizes)
    w = (piece[:, None] == piece) * (0.5 + rng.random((n, n)))
    w = w + w.T
    order = rng.permutation(n)
    return w[order][:, order], piece[order]


def alike(a, b):
    """Whether two labellings are the same but for names."""
    return len(set(zip(a, b, strict=True))) == len(set(a)) == len(set(b))


@pytest.mark.parametrize("form", [np.asarray, sparse])
@pytest.mark.parametrize("n", [1, 2, 30])
def test_laplacian(rng, form, n):
    w = random_graph(rng, n, 3)
    w[n // 2] = w[:, n // 2] = 0
    w[0, 0] = 7
    x = rng.standard_normal((n, 3))
    made = cluster.NormalizedLaplacian(form(w))
    np.testing.assert_allclose(made.matmat(x), laplacian(w) @ x, atol=1e-12)
    np.testing.assert_allclose(made.degrees, (w * (1 - np.eye(n))).sum(axis=1), rtol=1e-12)
    assert made.shape == (n, n) and w[0, 0] == 7


@pytest.mark.parametrize("form", [np.asarray, sparse])
@pytest.mark.parametrize(("n", "degree", "k"), [(60, 3, 60), (300, 1, 5), (300, 5, 12), (200, 200, 3)])
def test_embedding_is_of_eigenvectors(rng, dtype, form, n, degree, k):
    w = random_graph(rng, n, degree)
    found = cluster.spectral_embedding(form(w.astype(dtype)), k)
    true = np.linalg.eigvalsh(laplacian(w.astype(dtype).astype(float)))[:k]
    tol = 1e-8 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(found.values, true, atol=tol)
    degrees = (w * (1 - np.eye(n))).sum(axis=1)
    scale = 1 / np.sqrt(np.where(degrees > 0, degrees, 1))
    vectors = found.embedding / scale[:, None]
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(k), atol=1e-5 if dtype == np.float64 else 1e-3)
    off = np.linalg.norm(laplacian(w) @ vectors - vectors * found.values, axis=0)
    near = 1e-12 if dtype == np.float64 else 1e-5
    assert (off <= found.residuals + near).all() and found.bound == found.residuals.max()


@pytest.mark.parametrize("degree", [0.5, 1, 2, 40])
@pytest.mark.parametrize("form", [np.asarray, sparse])
def test_components(rng, form, degree):
    csgraph = pytest.importorskip("scipy.sparse.csgraph")
    w = random_graph(rng, 400, degree)
    np.testing.assert_array_equal(components(form(w)), csgraph.connected_components(w)[1])


def test_components_of_a_long_path_and_of_stored_zeros():
    n = 5000
    order = np.random.default_rng(0).permutation(n)
    rows, columns = np.concatenate([order[:-1], order[1:]]), np.concatenate([order[1:], order[:-1]])
    at = np.argsort(rows, kind="stable")
    starts = np.searchsorted(rows[at], np.arange(n + 1))
    assert (components(SparseMatrix(starts, columns[at], None, (n, n))) == 0).all()
    data = np.ones(len(rows))
    data[[n // 2, n // 2 + n - 1]] = 0  # an edge, in both directions
    assert components(SparseMatrix(starts, columns[at], data[at], (n, n))).max() == 1


@pytest.mark.parametrize("assign", ["cluster_qr", "kmeans", "discretize"])
@pytest.mark.parametrize("form", [np.asarray, sparse])
def test_pieces_are_clusters(rng, form, assign):
    w, piece = blocks(rng, [1, 2, 5, 9, 30, 41])
    found = cluster.spectral_clustering(form(w), 6, affinity="precomputed", assign_labels=assign)
    assert alike(found.labels, piece)
    np.testing.assert_allclose(found.embedding.values, 0, atol=1e-12)
    assert found.embedding.iterations == 0
    for label in range(6):
        rows = found.embedding.embedding[piece == label]
        np.testing.assert_allclose(rows, np.broadcast_to(rows[:1], rows.shape), atol=1e-14)


@pytest.mark.parametrize("assign", ["cluster_qr", "kmeans", "discretize"])
def test_any_number_of_clusters(rng, assign):
    """With pieces, isolated nodes, duplicates."""
    w, _ = blocks(rng, [1, 1, 4, 20, 30])
    x = np.repeat(rng.standard_normal((20, 2)), 2, axis=0)
    for k in (*range(1, 17), len(w)):
        found = cluster.spectral_clustering(w, k, affinity="precomputed", assign_labels=assign)
        assert found.labels.min() >= 0 and found.labels.max() < k and found.embedding.bound < 1e-5
    for k in (*range(1, 17), len(x)):
        for affinity in ("rbf", "nearest_neighbors"):
            found = cluster.spectral_clustering(x, k, affinity=affinity, n_neighbors=5, assign_labels=assign)
            assert found.labels.max() < k and found.embedding.bound < 1e-5


def test_one_cluster_of_each_node(rng):
    w = random_graph(rng, 12, 12)
    assert sorted(cluster.spectral_clustering(w, 12, affinity="precomputed").labels) == list(range(12))
    assert cluster.spectral_clustering(w[:1, :1], 1, affinity="precomputed").labels.tolist() == [0]


def test_many_pieces(rng):
    """More of them than columns of a block of Lanczos', and more than clusters."""
    w, piece = blocks(rng, [3] * 40)
    found = cluster.spectral_clustering(sparse(w), 40, affinity="precomputed")
    assert alike(found.labels, piece)
    few = cluster.spectral_clustering(sparse(w), 5, affinity="precomputed")
    for label in range(40):
        assert len(set(few.labels[piece == label])) == 1


def test_a_weak_bridge_is_cut(rng):
    """Two eigenvalues that differ from 0 by rounding at most, or by little more."""
    w, piece = blocks(rng, [20, 20])
    for bridge in (1e-3, 1e-9, 1e-15, 1e-300):
        w[np.flatnonzero(piece == 0)[0], np.flatnonzero(piece == 1)[0]] = bridge
        v = np.maximum(w, w.T)
        for assign in ("cluster_qr", "kmeans", "discretize"):
            found = cluster.spectral_clustering(v, 2, affinity="precomputed", assign_labels=assign)
            assert alike(found.labels, piece)


def test_a_small_gap_converges():
    """A long path: its smallest eigenvalues are within 1e-5 of 0 and of each other."""
    n = 1500
    indices = np.stack([np.arange(n) - 1, np.arange(n) + 1], axis=1).ravel()[1:-1]
    indptr = np.concatenate([[0], np.arange(1, 2 * n - 1, 2), [2 * n - 2]])
    found = cluster.spectral_embedding(SparseMatrix(indptr, indices, None, (n, n)), 4, tol=1e-8)
    np.testing.assert_allclose(found.values, 1 - np.cos(np.pi * np.arange(4) / (n - 1)), atol=1e-12)


def test_what_does_not_converge_says_so(rng):
    w = random_graph(rng, 500, 30)
    with pytest.raises(NotConverged, match="after 3 blocks"):
        cluster.spectral_embedding(w, 5, tol=1e-12, max_iter=3)


@pytest.mark.parametrize("affinity", ["rbf", "nearest_neighbors"])
def test_as_good_as_scikit_learn(affinity):
    theirs = pytest.importorskip("sklearn.cluster")
    from sklearn.datasets import load_digits
    from sklearn.metrics import adjusted_rand_score

    digits = load_digits()
    x, y = digits.data[:900], digits.target[:900]
    for assign in ("cluster_qr", "discretize", "kmeans"):
        how = {"affinity": affinity, "gamma": 1e-3, "assign_labels": assign}
        its = adjusted_rand_score(y, theirs.SpectralClustering(10, random_state=0, **how).fit_predict(x))
        mine = adjusted_rand_score(y, cluster.spectral_clustering(x, 10, **how).labels)
        assert mine >= its - 0.02, assign  # "kmeans" and "discretize" begin at random


@pytest.mark.parametrize("affinity", ["rbf", "nearest_neighbors"])
def test_threads_change_nothing(rng, threads, affinity):
    x = rng.standard_normal((300, 3))
    one, many = (cluster.spectral_clustering(x, 4, affinity=affinity, num_threads=t) for t in (1, threads))
    np.testing.assert_array_equal(one.labels, many.labels)
    np.testing.assert_array_equal(one.embedding.embedding, many.embedding.embedding)


def test_rbf(rng, dtype):
    x = (50 + rng.standard_normal((200, 3))).astype(dtype)
    made = cluster.rbf_affinity(x, 0.7)
    true = np.exp(-0.7 * np.square(x[:, None].astype(np.float64) - x).sum(axis=2))
    np.testing.assert_allclose(made, true, atol=1e-5 if dtype == np.float32 else 1e-13)
    np.testing.assert_array_equal(made, made.T)
    assert (made.diagonal() == 1).all() and made.dtype == dtype
    np.testing.assert_array_equal(cluster.rbf_affinity(x, None), cluster.rbf_affinity(x, 1 / 3))


@pytest.mark.parametrize(("call", "said"), [
    (lambda w: cluster.spectral_embedding(w[:2], 1), r"affinity is \(2, 3\) of dtype float64; it must be sq"),
    (lambda w: cluster.spectral_embedding(-w, 1), r"affinity of shape \(3, 3\) contains -1.0"),
    (lambda w: cluster.spectral_embedding(sparse(-w), 1), r"affinity of shape \(3, 3\) contains -1.0"),
    (lambda w: cluster.spectral_embedding(np.triu(w), 1), "symmetric, but row 0 sums to 2, column 0 to 0"),
    (lambda w: cluster.spectral_embedding(sparse(np.triu(w)), 1), "must be symmetric"),
    (lambda w: cluster.spectral_embedding(w * np.nan, 1), "contains nan"),
    (lambda w: cluster.spectral_embedding(sparse(w * np.inf), 1), "contains"),
    (lambda w: cluster.spectral_embedding(w, 4), r"n_components is 4; affinity is \(3, 3\)"),
    (lambda w: cluster.spectral_clustering(w, 4), "n_clusters is 4"),
    (lambda w: cluster.spectral_clustering(w, 2, affinity="cosine"), "affinity is 'cosine'"),
    (lambda w: cluster.spectral_clustering(w, 2, assign_labels="qr"), "assign_labels is 'qr'"),
    (lambda w: cluster.spectral_clustering(w, 2, n_init=0), "n_init is 0"),
    (lambda w: cluster.spectral_clustering(w, 2, gamma=0), "gamma is 0"),
    (lambda w: cluster.spectral_clustering(w, 2, affinity="nearest_neighbors"), "k is 10"),
])
def test_errors(call, said):
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=said):
        call(np.ones((3, 3)) - np.eye(3))
