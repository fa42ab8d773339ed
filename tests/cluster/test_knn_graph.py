"""Graphs of neighbours beside scikit-learn's and sorting."""

import numpy as np
import pytest

from fastla import cluster


def dense(g):
    made = np.zeros(g.shape)
    rows = np.repeat(np.arange(g.shape[0]), np.diff(g.indptr))
    assert len(set(zip(rows, g.indices, strict=True))) == g.nnz, "an entry twice"
    made[rows, g.indices] = g.data
    return made


@pytest.mark.parametrize("mode", ["connectivity", "distance"])
@pytest.mark.parametrize("include_self", [False, True])
@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_agrees_with_scikit_learn(rng, mode, include_self, metric):
    neighbors = pytest.importorskip("sklearn.neighbors")
    x = rng.standard_normal((200, 4))
    g = cluster.knn_graph(x, 6, metric, mode=mode, include_self=include_self)
    its = neighbors.kneighbors_graph(x, 6, mode=mode, include_self=include_self,
                                     metric="euclidean" if metric == "l2" else metric)
    np.testing.assert_allclose(dense(g), its.toarray(), atol=1e-7)
    assert g.nnz == 1200 and (np.diff(g.indptr) == 6).all()
    np.testing.assert_array_equal(g.tocsr().toarray(), dense(g))


@pytest.mark.parametrize("mode", ["connectivity", "distance"])
def test_symmetric(rng, mode):
    x = rng.standard_normal((90, 2))
    one, both = (dense(cluster.knn_graph(x, 5, mode=mode, symmetric=s)) for s in (False, True))
    np.testing.assert_array_equal(both, both.T)
    true = (one + one.T) / 2 if mode == "connectivity" else np.maximum(one, one.T)
    np.testing.assert_array_equal(both, true)


def test_duplicates_and_all_points():
    x = np.zeros((7, 2))
    g = cluster.knn_graph(x, 2, mode="distance")
    assert g.indices.reshape(7, 2).tolist() == [[1, 2], [0, 2], [0, 1], *[[0, 1]] * 4]
    assert (g.data == 0).all()
    assert (dense(cluster.knn_graph(x, 6)) == 1 - np.eye(7)).all()
    assert (dense(cluster.knn_graph(x, 7, include_self=True)) == 1).all()
    assert (dense(cluster.knn_graph(x, 1, include_self=True)) == np.eye(7)).all()


def test_products(rng):
    g = cluster.knn_graph(rng.standard_normal((60, 3)), 4, "dot", mode="distance")
    y = rng.standard_normal((60, 2))
    np.testing.assert_allclose(g.matrix.matmat(y), dense(g) @ y, rtol=1e-12)


@pytest.mark.parametrize(("call", "said"), [
    (lambda x: cluster.knn_graph(x, 3), r"knn_graph: k is 3; X is \(3, 2\), so it must be from 1 to 2"),
    (lambda x: cluster.knn_graph(x, 1, "l3"), "metric is 'l3'"),
    (lambda x: cluster.knn_graph(x, 1, mode="both"), "mode is 'both'"),
    (lambda x: cluster.knn_graph(np.where(x == 0, np.nan, x), 1), "contains nan"),
])
def test_errors(call, said):
    with pytest.raises(ValueError, match=said):
        call(np.arange(6.0).reshape(3, 2))
