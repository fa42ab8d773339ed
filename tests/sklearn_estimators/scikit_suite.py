"""scikit-learn's own tests of its estimators, of ours."""

import importlib
from unittest import mock

import pytest

pytest.importorskip("sklearn", minversion="1.9", reason="needs scikit-learn 1.9's tests")

import sklearn.decomposition
import sklearn.decomposition._pca
import sklearn.utils._array_api

from fastla import sklearn as ours
from fastla.sklearn import _minka

# Of scikit-learn's module.
NAMES = ("PCA", "IncrementalPCA", "TruncatedSVD")


def theirs(name, left_out):
    """Tests and fixtures of sklearn/decomposition/tests/{name}.py, in which estimators are ours.

    left_out: names of tests that are skipped, each with the reason why. Of the array API NumPy's arrays alone
    are tried: ours take no others.
    """
    full = f"sklearn.decomposition.tests.{name}"
    with (mock.patch.object(sklearn.utils._array_api, "yield_namespace_device_dtype_combinations",
                            lambda: [("numpy", None, None)]),
          mock.patch.multiple(sklearn.decomposition, **{n: getattr(ours, n) for n in NAMES}),
          mock.patch.multiple(sklearn.decomposition._pca, _assess_dimension=_minka.log_evidence,
                              _infer_dimension=_minka.best_rank)):
        module = importlib.import_module(full)
    assert module.PCA is ours.PCA, f"{full} was imported before"
    found = {n: test for n, test in vars(module).items() if n.startswith("test_") or n == "X_sparse"}
    assert set(left_out) <= set(found), set(left_out) - set(found)
    for test, reason in left_out.items():
        found[test] = pytest.mark.skip(reason=reason)(found[test])
    return found
