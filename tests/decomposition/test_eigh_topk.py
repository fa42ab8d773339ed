"""Eigenpairs at the ends of spectra."""

import numpy as np
import pytest
from matrices import DTYPES, gaussian, rounding

from fastla.decomposition import NotConverged, eigh_topk


def hermitian(rng, n, dtype):
    a = gaussian(rng, (n, n), dtype)
    return a + a.conj().T


def expected(values, which, k):
    if which == "LM":
        return values[np.argsort(-abs(values))][:k]
    return values[::-1][:k] if which == "LA" else values[:k]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("which", ["LA", "SA", "LM"])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (7, 7), (60, 5), (300, 4)])
def test_agrees_with_lapack(rng, n, k, which, dtype):
    a = hermitian(rng, n, dtype)
    found = eigh_topk(a, k, which=which, tol=1e-9 if np.finfo(dtype).eps < 1e-10 else 1e-4)
    values = np.linalg.eigvalsh(a.astype(np.result_type(dtype, np.float64)))
    near = 1e-9 if np.finfo(dtype).eps < 1e-10 else 1e-5
    assert abs(found.values - expected(values, which, k)).max() <= near * abs(values).max()
    wide, v = a.astype(np.clongdouble), found.vectors.astype(np.clongdouble)
    true = np.sqrt((abs(wide @ v - v * found.values) ** 2).sum(axis=0))
    assert (found.residuals >= true).all() and found.bound == found.residuals.max()
    assert abs(v.conj().T @ v - np.eye(k)).max() <= rounding(a)


def test_multiple_eigenvalues(rng):
    q = np.linalg.qr(rng.standard_normal((120, 120)))[0]
    a = (q * np.repeat([3.0, 1.0], [12, 108])) @ q.T
    found = eigh_topk((a + a.T) / 2, 12)
    assert abs(found.values - 3).max() < 1e-12


def test_bad_input(rng):
    a = hermitian(rng, 8, np.float64)
    with pytest.raises(ValueError, match=r"a is \(8, 5\); it must be square"):
        eigh_topk(a[:, :5], 2)
    with pytest.raises(ValueError, match="k is 9"):
        eigh_topk(a, 9)
    with pytest.raises(ValueError, match="which is 'XX'"):
        eigh_topk(a, 2, which="XX")
    with pytest.raises(NotConverged, match="after 2 blocks"):
        eigh_topk(hermitian(rng, 500, np.float64), 3, tol=1e-12, max_iter=2)
