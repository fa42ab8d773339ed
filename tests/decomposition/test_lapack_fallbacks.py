"""Where LAPACK does not converge: every other way gives the same answer, for the matrix that failed alone."""

import numpy as np
import pytest
from matrices import DTYPES, SHAPES, gaussian, of_rank, of_singular_values, rounding, spectral, svd

from fastla import decomposition
from fastla.decomposition import _jacobi, _lapack

WAYS = (_lapack._svd, _lapack._scaled_svd, _lapack._transposed_svd, _lapack._svd_of_r, _lapack._jacobi_svd)


def assert_svd(a, u, s, vt):
    k = min(a.shape)
    assert (u.shape, s.shape, vt.shape) == ((a.shape[0], k), (k,), (k, a.shape[1]))
    assert (u.dtype, s.dtype, vt.dtype) == (a.dtype, a.real.dtype, a.dtype)
    size = max(spectral(a), np.finfo(a.dtype).tiny)
    assert (np.diff(s) <= 0).all() and (s >= 0).all()
    assert spectral(u.conj().T @ u - np.eye(k)) <= rounding(a)
    assert spectral(vt @ vt.conj().T - np.eye(k)) <= rounding(a)
    assert spectral((u * (s / size)) @ vt - a / size) <= rounding(a)
    assert abs(s - svd(a, compute_uv=False)).max() <= rounding(a) * size


@pytest.mark.parametrize("way", WAYS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_way(rng, way, dtype):
    for shape in SHAPES:
        for rank in {0, 1, min(shape) // 2, min(shape)}:
            a = of_rank(rng, shape, rank, dtype)
            assert_svd(a, *way(a))


@pytest.mark.parametrize("dtype", DTYPES)
def test_rotations_of_hard_matrices(rng, dtype):
    graded = np.geomspace(1, np.finfo(dtype).tiny, 24)
    big = np.asarray(np.finfo(dtype).max / 64, dtype)
    whole = gaussian(rng, (16, 16), dtype)
    for a in (np.eye(9, dtype=dtype), np.ones((9, 9), dtype), np.diag(graded).astype(dtype),
              of_singular_values(rng, (24, 24), graded, dtype), np.triu(np.ones((20, 20), dtype)),
              whole / spectral(whole) * big, whole * np.finfo(dtype).tiny,
              np.vander(np.linspace(0, 1, 12)).astype(dtype), whole + whole.conj().T):
        with np.errstate(all="raise", under="ignore"):
            found = _jacobi.svd(a)
        assert_svd(a, *found)


def test_rotations_keep_small_singular_values():
    """Relative to themselves, where the rows are scaled (J. Demmel and K. Veselic, 1992)."""
    a = np.random.default_rng(0).standard_normal((8, 8)) * 10.0 ** -np.arange(0, 120, 15)[:, np.newaxis]
    s, scales = _jacobi.svd(a)[1], 10.0 ** -np.arange(0, 120, 15)
    assert (abs(np.log10(s / scales)) < 2).all()
    logarithm = np.linalg.slogdet(a / scales[:, np.newaxis])[1] + np.log(scales).sum()
    assert abs(np.log(s).sum() - logarithm) <= 1e-11


class Lapack:
    """numpy.linalg's functions that fail for the matrices that `bad` says, as often as `times` says."""

    def __init__(self, monkeypatch, bad=lambda a: True, times=10**9, nan=False):
        self.left, self.failed = times, 0
        for name in ("svd", "eigh"):
            monkeypatch.setattr(np.linalg, name, self.replaced(getattr(np.linalg, name), bad, nan))

    def replaced(self, function, bad, nan):
        def call(a, *args, **kwargs):
            if self.left and any(bad(x) for x in a.reshape(-1, *a.shape[-2:])):
                self.left -= 1
                self.failed += 1
                if nan:
                    return type(found := function(a, *args, **kwargs))(*(x * np.nan for x in found))
                raise np.linalg.LinAlgError("SVD did not converge")
            return function(a, *args, **kwargs)
        return call


@pytest.mark.parametrize("times", [1, 2, 3, 4, 10**9])
@pytest.mark.parametrize("nan", [False, True], ids=["error", "nan"])
def test_down_the_chain(rng, monkeypatch, times, nan):
    a = of_rank(rng, (9, 5), 4, np.complex128)
    b = gaussian(rng, (9, 2), np.complex128)
    calls = {
        "pinv": lambda: decomposition.pinv(a, rtol=1e-9),
        "lstsq": lambda: decomposition.lstsq(a, b).x,
        "low_rank": lambda: (near := decomposition.low_rank(a, 4)).a @ near.b,
        "nearest_orthogonal": lambda: decomposition.nearest_orthogonal(a[:, :4]),
        "whiten": lambda: abs(decomposition.whiten(a, rtol=1e-9).transform(a)),
    }
    want = {name: call() for name, call in calls.items()}
    lapack = Lapack(monkeypatch, nan=nan)
    for name, call in calls.items():
        lapack.left, lapack.failed = times, 0
        assert abs(call() - want[name]).max() <= 16 * rounding(a) * (1 + spectral(b)), name
        assert lapack.failed == min(times, 4)  # the last way calls LAPACK no more


@pytest.mark.parametrize("dtype", DTYPES)
def test_hermitian_down_the_chain(rng, monkeypatch, dtype):
    half = gaussian(rng, (7, 7), dtype)
    a = half + half.conj().T
    w, _ = np.linalg.eigh(a)
    Lapack(monkeypatch)
    found, v = _lapack.eigh(np.tril(a))
    monkeypatch.undo()
    bound = 4 * rounding(a) * np.abs(a).sum()
    assert abs(found - w).max() <= bound
    assert spectral(v.conj().T @ v - np.eye(7)) <= rounding(a)
    assert spectral(a @ v - v * found) <= bound
    assert found.dtype == w.dtype and v.dtype == a.dtype


@pytest.mark.parametrize("hermitian", [False, True])
def test_one_of_a_thousand(rng, monkeypatch, hermitian):
    stack = gaussian(rng, (10, 100, 4, 4), np.float64)
    stack += hermitian * stack.swapaxes(-1, -2)
    want = decomposition.pinv(stack, hermitian=hermitian)
    chosen = stack[4, 17]
    lapack = Lapack(monkeypatch, bad=lambda a: np.array_equal(a, chosen))
    found = decomposition.pinv(stack, hermitian=hermitian)
    assert lapack.failed >= 2  # in the stack, and alone
    others = np.ones((10, 100), bool)
    others[4, 17] = False
    assert np.array_equal(found[others], want[others])
    inverse = want[4, 17]
    assert abs(found[4, 17] - inverse).max() <= 16 * rounding(stack) * spectral(chosen) * spectral(inverse)**2


def test_a_nan_among_a_thousand_is_named(rng):
    stack = gaussian(rng, (1000, 4, 3), np.float64)
    stack[417, 0, 2] = np.nan
    for call in (decomposition.pinv, decomposition.nearest_orthogonal,
                 lambda a: decomposition.lstsq(a, np.ones(4))):
        with pytest.raises(ValueError, match=r"\(1000, 4, 3\), dtype float64 contains nan at \(417, 0, 2\)"):
            call(stack)


def test_nothing_converges(monkeypatch):
    Lapack(monkeypatch)
    monkeypatch.setattr(_jacobi, "_SWEEPS", 1)
    a = np.arange(12.0, dtype=np.float32).reshape(4, 3) ** 2
    with pytest.raises(np.linalg.LinAlgError, match=r"\(4, 3\), dtype float32 did not converge, in 5 ways"):
        decomposition.pinv(a)
