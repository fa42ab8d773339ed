"""Leading eigenvectors of small Hermitian matrices, as exact as LAPACK's whichever way they are found."""

import numpy as np
import pytest

from fastla.decomposition import _krylov
from fastla.decomposition._krylov import leading_eigh

N, K = 300, 20
SPECTRA = {
    "falling": np.geomspace(1, 1e-20, N),
    "flat": np.ones(N),
    "clustered": np.repeat(np.geomspace(1, 1e-3, N // 30), 30),
    "noise": 1 + 0.1 * np.random.default_rng(1).random(N),
    "rank 5": np.where(np.arange(N) < 5, 1.0, 0.0),
    "zero": np.zeros(N),
}


@pytest.mark.parametrize("k", [1, 5, K])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("name", SPECTRA)
def test_as_exact_as_lapack(name, dtype, k):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, N)) + (
        1j * rng.standard_normal((N, N)) if dtype == np.complex128 else 0
    )
    q, _ = np.linalg.qr(x)
    values = np.sort(SPECTRA[name])[::-1]
    a = (q * values) @ q.conj().T
    a = ((a + a.conj().T) / 2).astype(dtype)
    v = leading_eigh(a, k)
    assert v.shape == (N, k) and v.dtype == dtype
    eps, wide = np.finfo(dtype).eps, v.astype(np.complex128)
    assert np.abs(wide.conj().T @ wide - np.eye(k)).max() < 100 * eps
    inner = np.einsum("ij,ij->j", wide.conj(), a @ wide).real
    assert np.abs(inner - values[:k]).max() < 100 * eps * max(values[0], eps)
    assert np.linalg.norm(a @ wide - wide * inner, axis=0).max() < 200 * eps * max(values[0], eps)


def test_the_way_depends_on_the_spectrum(monkeypatch):
    seen = []
    whole = _krylov.eigh
    monkeypatch.setattr(_krylov, "eigh", lambda a: seen.append(len(a)) or whole(a))
    leading_eigh(np.diag(SPECTRA["falling"]), K)
    assert max(seen) < N
    leading_eigh(np.diag(SPECTRA["noise"]), K)
    assert max(seen) == N
