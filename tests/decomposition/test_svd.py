"""Singular triplets: against LAPACK, of every kind of spectrum, with residuals that are never too small."""

import numpy as np
import pytest
from matrices import DTYPES, gaussian, of_singular_values, rounding

import fastla
from fastla.decomposition import NotConverged, svd
from fastla.decomposition._triplets import choose

METHODS = ("full", "gram", "krylov")


def spectrum(rng, kind, count):
    if kind == "fast":
        return 0.5 ** np.arange(count)
    if kind == "slow":
        return 1 / np.sqrt(1 + np.arange(count))
    if kind == "flat":
        return np.ones(count)
    if kind == "clustered":
        return np.sort(np.repeat(rng.random(-(-count // 5)) + 0.1, 5)[:count])[::-1]
    return np.where(np.arange(count) < count // 4, 1.0, 0.0)  # rank-deficient


def widest(x):
    """In extended precision."""
    return x.astype(np.clongdouble if x.dtype.kind == "c" else np.longdouble)


def true_residuals(a, found):
    a, u, s, v = widest(a), widest(found.u), widest(found.s), widest(found.vh).conj().T
    right, left = a @ v - u * s, a.conj().T @ u - v * s
    return np.sqrt((abs(right) ** 2).sum(axis=0) + (abs(left) ** 2).sum(axis=0))


@pytest.mark.parametrize("number", range(200))
def test_residuals_and_bound_are_never_too_small(number):
    rng = np.random.default_rng(number)
    kind = ("fast", "slow", "flat", "clustered", "deficient")[number % 5]
    dtype, method = DTYPES[number // 5 % 4], METHODS[number // 20 % 3]
    shape = tuple(int(n) for n in rng.integers(5, 70, 2))
    a = of_singular_values(rng, shape, spectrum(rng, kind, min(shape)) * 10.0 ** rng.integers(-3, 4), dtype)
    k = int(rng.integers(1, min(shape) + 1))
    tol = (None, 1e-2, 1e-6)[number % 3]
    try:
        found = svd(a, k, method=method, tol=tol)
    except NotConverged as error:
        found = error.result
    true = true_residuals(a, found)
    assert (found.residuals >= true).all()
    exact = widest(a) - widest(found.u) * widest(found.s) @ widest(found.vh)
    assert found.bound >= np.sqrt((abs(exact) ** 2).sum())
    # What is promised of each: a singular value of the matrix is that near.
    values = np.linalg.svd(a.astype(np.result_type(a, np.float64)), compute_uv=False)
    nearest = abs(values[:, np.newaxis] - found.s).min(axis=0)
    assert (nearest <= found.residuals + rounding(a.astype(np.float64 if a.dtype.kind == "f" else complex))
            * values[0]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(60, 40), (40, 60), (300, 12), (12, 300), (50, 50)])
def test_agrees_with_lapack(rng, shape, method, dtype):
    a = of_singular_values(rng, shape, np.geomspace(1, 0.01, min(shape)), dtype)
    found = svd(a, 6, method=method, tol=1e-9)
    s = np.linalg.svd(a, compute_uv=False)
    assert abs(found.s - s[:6]).max() <= rounding(a) * s[0]
    for q in (found.u, found.vh.conj().T):
        assert abs(q.conj().T @ q - np.eye(6)).max() <= rounding(a)
    peak = np.take_along_axis(found.vh, np.argmax(abs(found.vh), axis=1)[:, np.newaxis], axis=1)
    assert (peak.real > 0).all() and abs(peak.imag).max() <= rounding(a)
    assert found.method == method and found.s.dtype == a.real.dtype and found.u.dtype == a.dtype


def test_a_flat_spectrum_needs_the_whole_space(rng):
    found = svd(np.linalg.qr(rng.standard_normal((90, 90)))[0], 5, method="krylov", tol=1e-8)
    assert abs(found.s - 1).max() < 1e-12


@pytest.mark.parametrize("rank", [0, 1, 4])
def test_more_triplets_than_the_rank(rng, rank):
    a = of_singular_values(rng, (40, 30), np.linspace(2, 1, rank), np.float64)
    for method in METHODS:
        found = svd(a, 8, method=method)
        assert found.s[rank:].max() <= 1e-7 and abs(found.u.T @ found.u - np.eye(8)).max() < 1e-12


def test_ill_conditioned_columns_of_a_tall_matrix(rng):
    """Twelve orders of magnitude: the triangle sees them where the Gram matrix does not."""
    a = of_singular_values(rng, (400, 20), np.geomspace(1, 1e-12, 20), np.float64)
    assert abs(svd(a, method="full").s - np.linalg.svd(a, compute_uv=False)).max() < 1e-14


class Counted:
    """An operator that has no entries to be looked at."""

    def __init__(self, a):
        self.a, self.shape, self.dtype, self.columns = a, a.shape, a.dtype, 0

    def matmat(self, x):
        self.columns += x.shape[1]
        return self.a @ x

    def rmatmat(self, x):
        return self.a.conj().T @ x


def test_operators(rng):
    a = of_singular_values(rng, (200, 150), 0.8 ** np.arange(150), np.complex128)
    operator = Counted(a)
    found = svd(operator, 5, tol=1e-8)
    assert abs(found.s - 0.8 ** np.arange(5)).max() < 1e-10 and found.bound == np.inf
    assert (found.residuals >= true_residuals(a, found)).all() and 0 < operator.columns < 3 * 150

    class Wrong(Counted):
        def matmat(self, x):
            return self.a[:3] @ x

    with pytest.raises(ValueError, match=r"matmat of the operator \(200, 150\) gave \(3, "):
        svd(Wrong(a), 5)


def test_bits_do_not_depend_on_threads(rng):
    a = rng.standard_normal((900, 500))
    for method in METHODS:
        one, two, eight = (svd(a, 5, method=method, num_threads=t, tol=1e-2) for t in (1, 2, 8))
        for other in (two, eight):
            for name in ("u", "s", "vh", "residuals"):
                assert (getattr(one, name) == getattr(other, name)).all(), (method, name)


def test_what_is_chosen_and_why():
    class Shape(fastla.decomposition._operands.Dense):
        def __init__(self, *shape):
            self.shape = shape

    assert choose(Shape(100, 100), 5, "auto")[0] == "full"
    assert choose(Shape(100_000, 500), 5, "auto")[0] == "gram"
    assert choose(Shape(20_000, 5_000), 20, "auto")[0] == "krylov"
    assert choose(Shape(20_000, 5_000), 4_000, "auto")[0] == "gram"
    assert all(choose(Shape(20_000, 5_000), 20, m) == (m, "asked for") for m in METHODS)


def test_not_converged_carries_what_there_is(rng):
    a = np.linalg.qr(rng.standard_normal((400, 400)))[0] * np.linspace(1, 0.9, 400)
    with pytest.raises(NotConverged, match=r"after 3 blocks; asked for was 1e-10 times") as caught:
        svd(a, 10, method="krylov", tol=1e-10, max_iter=3)
    assert caught.value.result.u.shape == (400, 10)
    assert (caught.value.result.residuals >= true_residuals(a, caught.value.result)).all()


def test_callback_sees_residuals_fall_and_can_stop(rng, capsys):
    a, seen = rng.standard_normal((700, 600)), []
    svd(a, 5, method="krylov", callback=lambda n, s, r: seen.append((n, r.max())), progress=True)
    assert len(seen) > 1 and seen[-1][1] < seen[0][1] and seen[0][0] < seen[-1][0]
    assert "largest residual" in capsys.readouterr().err

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        svd(a, 5, method="krylov", callback=stop)


def test_bad_input(rng):
    a = rng.standard_normal((6, 4))
    for k in (0, 5, -1):
        with pytest.raises(ValueError, match=rf"k is {k}, a is \(6, 4\); k must be from 1 to 4"):
            svd(a, k)
    a[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"shape \(6, 4\), dtype float64 contains nan at \(3, 1\)"):
        svd(a, 1)
    with pytest.raises(ValueError, match=r"two dimensions"):
        svd(np.ones(3))
    with pytest.raises(ValueError, match="method is 'lanczos'"):
        svd(np.ones((3, 3)), method="lanczos")
    with pytest.raises(TypeError, match="dtype object"):
        svd(np.ones((3, 3), object))
    with pytest.raises(ValueError, match="tol is -1"):
        svd(np.ones((3, 3)), tol=-1)


@pytest.mark.parametrize("dtype", [np.int32, np.float16, bool, ">f8"])
def test_other_dtypes(rng, dtype):
    a = rng.integers(0, 2, (30, 20)).astype(dtype)
    found = svd(a, 3)
    assert found.s.dtype == (np.float32 if dtype == np.float16 else np.float64)
    assert np.allclose(found.s, np.linalg.svd(a.astype(float), compute_uv=False)[:3], rtol=1e-5)


def test_empty():
    found = svd(np.zeros((5, 0)))
    assert found.u.shape == (5, 0) and found.s.shape == (0,) and found.vh.shape == (0, 0)


def test_layouts_give_the_same(rng):
    a = gaussian(rng, (80, 50), np.float32)
    first = svd(a, 4, method="krylov")
    for other in (np.asfortranarray(a), np.repeat(a, 2, axis=1)[:, ::2], a[::-1][::-1]):
        assert (svd(other, 4, method="krylov").s == first.s).all()
