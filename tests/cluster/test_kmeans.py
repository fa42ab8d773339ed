"""kmeans beside scikit-learn's and plain NumPy."""

import numpy as np
import pytest

from fastla import cluster


def blobs(rng, n, d, k, dtype=np.float64):
    centers = 4 * rng.standard_normal((k, d))
    return (rng.standard_normal((n, d)) + centers[rng.integers(k, size=n)]).astype(dtype)


def plain(x, centers, iterations):
    """Lloyd's iterations as they are written down."""
    for _ in range(iterations):
        labels = np.square(x[:, None] - centers).sum(axis=2).argmin(axis=1)
        off = np.square(x - centers[labels]).sum(axis=1)
        for j in set(range(len(centers))) - set(labels):  # an empty one takes the farthest point
            labels[off.argmax()], off[off.argmax()] = j, 0
        centers = np.stack([x[labels == j].mean(axis=0) for j in range(len(centers))])
    return centers, np.square(x[:, None] - centers).sum(axis=2).argmin(axis=1)


@pytest.mark.parametrize(("n", "d", "k"), [(1, 1, 1), (50, 2, 3), (400, 5, 7), (300, 40, 20), (20, 3, 20)])
def test_lloyd(rng, dtype, n, d, k):
    x = blobs(rng, n, d, k, dtype)
    init = x[rng.choice(n, k, replace=False)]
    found = cluster.kmeans(x, k, init=init, tol=0, max_iter=4)
    centers, labels = plain(x.astype(float), init.astype(float), 4)
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_allclose(found.centers, centers, rtol=1e-4, atol=1e-4)
    inertia = np.square(x - centers[labels]).sum()
    np.testing.assert_allclose(found.inertia, inertia, rtol=1e-4, atol=1e-6)
    assert found.centers.dtype == dtype and found.labels.dtype == np.int32


@pytest.mark.parametrize("k", [1, 2, 10, 32])
def test_as_good_as_scikit_learn(rng, k):
    theirs = pytest.importorskip("sklearn.cluster")
    x = blobs(rng, 2000, 8, 12)
    init = x[:k]
    mine, its = cluster.kmeans(x, k, init=init), theirs.KMeans(k, init=init, n_init=1).fit(x)
    assert mine.inertia <= its.inertia_ * (1 + 1e-9)
    np.testing.assert_array_equal(mine.labels, its.labels_)
    np.testing.assert_array_equal(mine.predict(x[:100]), its.predict(x[:100]))
    assert mine.iterations == its.n_iter_


def test_an_empty_cluster_takes_the_farthest_point():
    theirs = pytest.importorskip("sklearn.cluster")
    x = np.array([[0.0], [1.0], [2.0], [50.0], [51.0], [70.0]])
    init = np.array([[1.0], [50.0], [1000.0], [2000.0]])
    mine, its = cluster.kmeans(x, 4, init=init), theirs.KMeans(4, init=init, n_init=1).fit(x)
    assert len(set(mine.labels)) == 4
    assert mine.inertia <= its.inertia_ * (1 + 1e-12)


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_fewer_points_than_clusters(init):
    x = np.repeat([[0.0, 1.0], [5.0, 5.0]], 10, axis=0)
    found = cluster.kmeans(x, 4, init=init)
    assert found.inertia == 0 and len(set(found.labels)) == 2


@pytest.mark.parametrize("weights", [True, False])
def test_threads_change_nothing(rng, threads, weights):
    x = blobs(rng, 5000, 6, 9, np.float32)
    w = rng.random(5000) if weights else None
    one = cluster.kmeans(x, 9, rng=1, sample_weight=w, num_threads=1)
    many = cluster.kmeans(x, 9, rng=1, sample_weight=w, num_threads=threads)
    np.testing.assert_array_equal(one.centers, many.centers)
    np.testing.assert_array_equal(one.labels, many.labels)
    assert one.inertia == many.inertia


def test_weights_are_copies(rng):
    x = rng.integers(-9, 9, (60, 2)).astype(float)
    times = rng.integers(0, 4, 60)
    init = x[:3]
    mine = cluster.kmeans(x, 3, init=init, sample_weight=times, tol=0)
    copied = cluster.kmeans(np.repeat(x, times, axis=0), 3, init=init, tol=0)
    np.testing.assert_allclose(mine.centers, copied.centers, rtol=1e-12)
    np.testing.assert_allclose(mine.inertia, copied.inertia, rtol=1e-12)


def test_more_runs_are_no_worse(rng):
    x = blobs(rng, 400, 2, 15)
    runs = [cluster.kmeans(x, 15, init="random", n_init=n, rng=3).inertia for n in (1, 2, 8)]
    assert runs[0] >= runs[1] >= runs[2]
    assert cluster.kmeans(x, 15, init="random", rng=3).inertia <= runs[2]


def test_a_far_mean_costs_no_accuracy(rng):
    x = blobs(rng, 500, 3, 4)
    near, far = (cluster.kmeans(x + s, 4, init=x[:4] + s) for s in (0, 1e6))
    np.testing.assert_array_equal(near.labels, far.labels)
    np.testing.assert_allclose(far.inertia, near.inertia, rtol=1e-6)
    np.testing.assert_array_equal(far.predict(x + 1e6), far.labels)


@pytest.mark.parametrize(("call", "said"), [
    (lambda x: cluster.kmeans(x[0], 1), r"kmeans: X is \(2,\); it must have two dimensions"),
    (lambda x: cluster.kmeans(x[:0], 1), r"X is \(0, 2\); it must have rows and columns"),
    (lambda x: cluster.kmeans(x, 4), r"kmeans: k is 4; X is \(3, 2\), so it must be from 1 to 3"),
    (lambda x: cluster.kmeans(x, 2, init=x), r"init is \(3, 2\), X is \(3, 2\); it must be \(2, 2\)"),
    (lambda x: cluster.kmeans(x, 2, init="best"), "init is 'best'"),
    (lambda x: cluster.kmeans(x, 2, n_init=0), "n_init is 0"),
    (lambda x: cluster.kmeans(x, 2, max_iter=0), "max_iter is 0"),
    (lambda x: cluster.kmeans(x, 2, sample_weight=[1, -1, 1]), r"sample_weight is \(3,\)"),
    (lambda x: cluster.kmeans(np.where(x == 3, np.nan, x), 2), r"contains nan at \(1, 1\)"),
    (lambda x: cluster.kmeans(x, 2).predict(x[:, :1]), r"X is \(3, 1\), centers are \(2, 2\)"),
])
def test_errors(call, said):
    with pytest.raises(ValueError, match=said):
        call(np.arange(6.0).reshape(3, 2))
