"""What scikit-learn asks of an estimator, and what ours promise beyond."""

import copy
import doctest
import inspect
import pickle
import tracemalloc

import numpy as np
import pytest
from process import run_python

pytest.importorskip("sklearn", reason="needs scikit-learn")

import sklearn.decomposition
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastla
from fastla import decomposition
from fastla.sklearn import PCA, IncrementalPCA, TruncatedSVD

ESTIMATORS = [PCA, IncrementalPCA, TruncatedSVD]
SOLVERS = ["auto", "full", "covariance_eigh", "arpack", "randomized"]


@parametrize_with_checks([
    PCA(), PCA(1, svd_solver="covariance_eigh"), PCA(2, whiten=True, svd_solver="randomized"),
    IncrementalPCA(), TruncatedSVD(), TruncatedSVD(1, algorithm="arpack"),
])
def test_check_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("ours", ESTIMATORS)
def test_signatures_are_theirs(ours):
    theirs = getattr(sklearn.decomposition, ours.__name__)
    methods = [n for n, m in vars(ours).items() if inspect.isfunction(m) and not n.startswith("_")]
    for name in ["__init__", *methods]:
        mine, its = (inspect.signature(getattr(c, name)).parameters.values() for c in (ours, theirs))
        assert [(p.name, p.default, p.kind) for p in mine] == [(p.name, p.default, p.kind) for p in its], name


@pytest.mark.parametrize("ours", ESTIMATORS)
def test_attributes_are_theirs(ours):
    theirs = getattr(sklearn.decomposition, ours.__name__)
    x = load_iris().data
    how = {"batch_size": 150} if ours is IncrementalPCA else {}  # theirs loses a little with every batch
    mine, its = ours(2, **how).fit(x), theirs(2, **how).fit(x)
    for name in (n for n in vars(its) if n.endswith("_")):
        got = getattr(mine, name)
        np.testing.assert_allclose(got, getattr(its, name), rtol=1e-6, atol=1e-6, err_msg=name)
        assert np.shape(got) == np.shape(getattr(its, name))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("whiten", [False, True])
def test_model_is_theirs(solver, whiten):
    x = load_digits().data[:, 2:40]
    mine = PCA(10, svd_solver=solver, whiten=whiten, iterated_power=12).fit(x)
    its = sklearn.decomposition.PCA(10, svd_solver="full", whiten=whiten).fit(x)
    for name in ("get_covariance", "get_precision"):
        np.testing.assert_allclose(getattr(mine, name)(), getattr(its, name)(), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(mine.score_samples(x), its.score_samples(x), rtol=1e-7)
    np.testing.assert_allclose(mine.transform(x), its.transform(x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_large_mean_costs_no_accuracy(solver):
    rng = np.random.default_rng(0)
    x = (1e6 + rng.standard_normal((2000, 8)) * np.arange(8, 0, -1)).astype(np.float32)
    true = np.linalg.eigvalsh(np.cov(x.astype(np.float64), rowvar=False))[::-1]
    found = PCA(3, svd_solver=solver).fit(x)
    np.testing.assert_allclose(found.explained_variance_, true[:3], rtol=1e-4)
    np.testing.assert_allclose(found.transform(x).var(axis=0, ddof=1), true[:3], rtol=1e-4)
    batches = IncrementalPCA(3, batch_size=300).fit(x)
    np.testing.assert_allclose(batches.explained_variance_, true[:3], rtol=1e-4)
    assert batches.components_.dtype == found.components_.dtype == np.float32


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95, 0.99])
@pytest.mark.parametrize("solver", ["auto", "full", "covariance_eigh"])
def test_share_of_the_variance(share, solver):
    x = load_digits().data
    squares = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2
    wanted = int(np.searchsorted(np.cumsum(squares) / squares.sum(), share, side="right")) + 1
    found = PCA(share, svd_solver=solver).fit(x)
    assert found.n_components_ == len(found.components_) == wanted
    np.testing.assert_allclose(found.noise_variance_, squares[wanted:].mean() / (len(x) - 1), rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_batches_give_what_all_rows_give(dtype):
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-9}
    x = load_digits().data.astype(dtype)
    whole = PCA(10, svd_solver="covariance_eigh").fit(x)
    for size in (10, 100, 1797):
        batches = IncrementalPCA(10, batch_size=size).fit(x)
        for name in ("explained_variance_", "explained_variance_ratio_", "singular_values_", "mean_",
                     "noise_variance_", "components_"):
            np.testing.assert_allclose(getattr(batches, name), getattr(whole, name), **close, err_msg=name)
        np.testing.assert_allclose(batches.var_, x.var(axis=0, dtype=np.float64), rtol=1e-5, atol=1e-12)
        assert batches.n_samples_seen_ == 1797


def test_batches_of_many_columns():
    x = np.random.default_rng(1).standard_normal((60, 9000)) * np.linspace(2, 1, 9000)
    batches = IncrementalPCA(3, batch_size=20).fit(x)
    np.testing.assert_allclose(batches.var_, x.var(axis=0), rtol=1e-12)
    whole = PCA(3, svd_solver="full").fit(x)
    np.testing.assert_allclose(batches.singular_values_, whole.singular_values_, rtol=0.05)


def test_results_are_computed_when_they_are_asked_for(monkeypatch):
    calls = []
    monkeypatch.setattr("fastla.decomposition._pca.from_moments",
                        lambda *args, f=decomposition._pca.from_moments: calls.append(1) or f(*args))
    x = np.random.default_rng(0).standard_normal((500, 6))
    batches = IncrementalPCA(2)
    for rows in np.split(x, 100):
        batches.partial_fit(rows)
    assert not calls
    assert batches.components_.shape == (2, 6)
    assert batches.transform(x).shape == (500, 2)
    assert len(calls) == 1


@pytest.mark.parametrize("make", [pickle.loads, copy.deepcopy])
def test_batches_go_on_elsewhere(make):
    x = np.random.default_rng(0).standard_normal((60, 6))
    batches = IncrementalPCA(2).fit(x[:40])
    again = make(pickle.dumps(batches) if make is pickle.loads else batches)
    np.testing.assert_array_equal(again.components_, batches.components_)
    again.partial_fit(x[40:])
    np.testing.assert_allclose(again.components_, PCA(2).fit(x).components_, atol=1e-12)
    assert batches.n_samples_seen_ == 40
    assert not hasattr(clone(again), "components_")


@pytest.mark.parametrize("solver", ["auto", "covariance_eigh"])
def test_no_centred_copy(solver):
    x = np.random.default_rng(0).standard_normal((100_000, 100))
    PCA(10, svd_solver=solver).fit(x[:200])
    tracemalloc.start()
    try:
        PCA(10, svd_solver=solver).fit(x)
        assert tracemalloc.get_traced_memory()[1] <= x.nbytes // 10
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("copied", [True, False])
def test_data_are_not_written_to(solver, copied):
    x = load_iris().data.copy()
    x.flags.writeable = False
    PCA(2, svd_solver=solver, copy=copied).fit(x).transform(x)
    IncrementalPCA(2, copy=copied).fit(x).transform(x)


def test_constant_rows_and_one_row():
    for x in (np.ones((5, 3)), np.ones((1, 3))):
        for k in (0, 1):
            found = PCA(k, svd_solver="full").fit(x)
            assert found.transform(x).shape == (len(x), k)
            np.testing.assert_array_equal(found.explained_variance_, np.zeros(k))
            assert found.noise_variance_ == 0


def test_arpack_of_one_row():
    with pytest.raises(ValueError, match="n_components=0 must be between 1 and min"):
        PCA(svd_solver="arpack").fit(np.ones((1, 3)))


def test_arpack_is_exact_and_randomized_is_as_exact_as_asked():
    x = np.random.default_rng(3).standard_normal((600, 300))
    true = np.linalg.svd(x, compute_uv=False)[:5]
    exact = TruncatedSVD(5, algorithm="arpack").fit(x)
    np.testing.assert_allclose(exact.singular_values_, true, rtol=1e-13)
    for digits in (3, 6):
        found = TruncatedSVD(5, n_iter=digits).fit(x)
        np.testing.assert_allclose(found.singular_values_, true, rtol=10.0 ** -(2 * digits - 1))


@pytest.mark.parametrize("estimator", [PCA(3), PCA(3, svd_solver="randomized"), TruncatedSVD(3),
                                       IncrementalPCA(3)])
def test_the_same_bits_whatever_the_threads(estimator):
    x = np.random.default_rng(3).standard_normal((3000, 200))
    found = []
    for threads in (1, 3):
        with fastla.threads(threads):
            found.append(clone(estimator).fit(x).components_)
    np.testing.assert_array_equal(*found)


def documented():
    """Our estimators and their methods, but for those of scikit-learn's base classes."""
    for ours in ESTIMATORS:
        yield ours.__name__
        for name, method in inspect.getmembers(ours, inspect.isfunction):
            if not name.startswith("_") and method.__module__.startswith("fastla."):
                yield f"{ours.__name__}.{name}"


@pytest.mark.parametrize("name", documented())
def test_docstrings_run(name):
    found = fastla.sklearn
    for part in name.split("."):
        found = getattr(found, part)
    test = doctest.DocTestParser().get_doctest(inspect.getdoc(found), {}, name, name, 0)
    assert test.examples
    assert not doctest.DocTestRunner().run(test).failed


def test_without_scikit_learn():
    assert "pip install 'fastla[sklearn]'" in run_python("""
        import sys
        sys.modules["sklearn"] = None
        import fastla
        assert "sklearn" in dir(fastla)
        try:
            fastla.sklearn
        except ImportError as error:
            print(error)
    """)
