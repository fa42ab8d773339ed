"""What scikit-learn asks of clusterers, and that ours are as good as its own."""

import doctest
import inspect

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs scikit-learn")

import sklearn.cluster
from sklearn.datasets import load_iris, make_circles, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastla
from fastla.sklearn import KMeans, SpectralClustering

ESTIMATORS = [KMeans, SpectralClustering]


@parametrize_with_checks([
    KMeans(), KMeans(3, init="random", n_init=2), SpectralClustering(),
    SpectralClustering(2, affinity="nearest_neighbors", n_neighbors=3, assign_labels="cluster_qr"),
    SpectralClustering(3, assign_labels="discretize"),
], expected_failed_checks=lambda estimator: {
    # As of scikit-learn's own: where centres begin depends on the rows' places.
    "check_sample_weight_equivalence_on_dense_data": "weights are not rows repeated, but for given centres",
} if isinstance(estimator, KMeans) else {})
def test_check_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("ours", ESTIMATORS)
def test_signatures_are_theirs(ours):
    theirs = getattr(sklearn.cluster, ours.__name__)
    methods = [n for n, m in vars(ours).items() if inspect.isfunction(m) and not n.startswith("_")]
    for name in ["__init__", *methods]:
        mine, its = (inspect.signature(getattr(c, name)).parameters.values() for c in (ours, theirs))
        assert [(p.name, p.default, p.kind) for p in mine] == [(p.name, p.default, p.kind) for p in its], name


def test_kmeans_attributes_are_theirs():
    x = load_iris().data
    mine, its = (c(3, init=x[[0, 60, 120]], n_init=1).fit(x) for c in (KMeans, sklearn.cluster.KMeans))
    for name in (n for n in vars(its) if n.endswith("_")):
        np.testing.assert_allclose(getattr(mine, name), getattr(its, name), rtol=1e-9, err_msg=name)
    np.testing.assert_array_equal(mine.predict(x), its.predict(x))
    np.testing.assert_allclose(mine.transform(x), its.transform(x), rtol=1e-6)
    np.testing.assert_allclose(mine.score(x), its.score(x), rtol=1e-9)
    assert mine.labels_.dtype == its.labels_.dtype == np.int32


def test_kmeans_begins_as_it_is_told():
    x = load_iris().data
    called = []
    found = KMeans(3, init=lambda X, k, random_state: called.append(k) or X[:k], n_init=2).fit(x)
    assert called == [3, 3]
    np.testing.assert_array_equal(found.labels_, KMeans(3, init=x[:3]).fit(x).labels_)
    with pytest.warns(RuntimeWarning, match="performing only one init"):
        KMeans(3, init=x[:3], n_init=4).fit(x)
    with pytest.warns(ConvergenceWarning, match=r"\(1\) found smaller"):
        KMeans(2).fit(np.ones((5, 2)))
    with pytest.raises(ValueError, match="does not match the number of clusters 3"):
        KMeans(3, init=x[:4]).fit(x)


@pytest.mark.parametrize("assign", ["kmeans", "cluster_qr", "discretize"])
@pytest.mark.parametrize("make", [make_moons, lambda **how: make_circles(factor=0.5, **how)])
def test_shapes_that_are_not_round(make, assign):
    x, y = make(n_samples=400, noise=0.05, random_state=0)
    found = SpectralClustering(2, affinity="nearest_neighbors", assign_labels=assign).fit(x)
    assert adjusted_rand_score(y, found.labels_) == 1
    its = sklearn.cluster.SpectralClustering(2, affinity="nearest_neighbors", random_state=0).fit(x)
    np.testing.assert_array_equal(found.affinity_matrix_.toarray(), its.affinity_matrix_.toarray())


@pytest.mark.parametrize("affinity", ["rbf", "precomputed", "precomputed_nearest_neighbors", "laplacian",
                                      lambda x, y: float(np.exp(-abs(x - y).sum()))])
def test_affinities(rng, affinity):
    x = np.concatenate([rng.standard_normal((30, 2)), 20 + rng.standard_normal((30, 2))])
    given = x
    if affinity == "precomputed":
        given = (np.abs(x[:, None] - x).max(axis=2) < 5).astype(float)
    if affinity == "precomputed_nearest_neighbors":
        given = np.abs(x[:, None] - x).sum(axis=2)
    labels = SpectralClustering(2, affinity=affinity).fit_predict(given)
    assert adjusted_rand_score(np.repeat([0, 1], 30), labels) == 1


def documented():
    for ours in ESTIMATORS:
        yield ours.__name__
        for name, method in inspect.getmembers(ours, inspect.isfunction):
            if not name.startswith("_") and method.__module__.startswith("fastla."):
                yield f"{ours.__name__}.{name}"


@pytest.mark.parametrize("name", [*documented()])
def test_docstrings_run(name):
    found = fastla.sklearn
    for part in name.split("."):
        found = getattr(found, part)
    test = doctest.DocTestParser().get_doctest(inspect.getdoc(found), {}, name, name, 0)
    assert test.examples
    assert not doctest.DocTestRunner().run(test).failed
