"""Principal components: against a full decomposition of centred rows, by every way and of every shape."""

import numpy as np
import pytest
from matrices import gaussian, rounding

from fastla.decomposition import PCA, cov, pca
from fastla.decomposition import _moments as moments_module
from fastla.decomposition import _streaming as streaming_module

METHODS = ("gram", "krylov", "full")
SHAPES = ((300, 20), (30, 200), (100, 100), (1200, 300), (4, 3), (3, 4), (2, 5))


def sloped(rng, shape, dtype=np.float64, mean=5.0):
    return (rng.standard_normal(shape) * np.geomspace(1, 0.01, shape[1]) + mean).astype(dtype)


def truth(x):
    """Mean, singular values and right vectors of centred rows, in float64."""
    wide = x.astype(np.float64)
    mean = wide.mean(axis=0)
    _, s, vh = np.linalg.svd(wide - mean, full_matrices=False)
    return mean, s, vh * np.sign(vh[np.arange(len(vh)), abs(vh).argmax(axis=1)])[:, np.newaxis]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", [*METHODS, "auto"])
@pytest.mark.parametrize("shape", SHAPES)
def test_agrees_with_the_full_decomposition(rng, shape, method, dtype):
    x = sloped(rng, shape, dtype)
    k = min(2, min(shape) - 1)
    found = pca(x, k, method=method, tol=1e-7 if dtype == np.float64 else 1e-5)
    mean, s, vh = truth(x)
    near = 1e-3 if dtype == np.float32 else 1e-9
    assert abs(found.mean - mean).max() < near and abs(found.singular_values - s[:k]).max() < near * s[0]
    assert abs(found.components - vh[:k]).max() < near * s[0] / (s[k - 1] - s[k])
    assert found.components.dtype == dtype and found.n_samples == shape[0]
    assert np.allclose(found.explained_variance, s[:k] ** 2 / (shape[0] - 1), rtol=near)
    assert np.allclose(found.explained_variance_ratio, s[:k] ** 2 / (s**2).sum(), rtol=near)
    rest = s[k:] ** 2
    assert np.isclose(found.noise_variance, rest.mean() / (shape[0] - 1), rtol=near, atol=near * s[0] ** 2)
    scores = (x.astype(float) - mean) @ vh[:k].T
    assert abs(found.transform(x) - scores).max() < near * s[0] * 10
    again = found.inverse_transform(found.transform(x))
    assert abs(again - (scores @ vh[:k] + mean)).max() < near * s[0] * 10


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_bounds_hold(rng, shape, method):
    for dtype in (np.float32, np.float64):
        x = sloped(rng, shape, dtype)
        found = pca(x, min(3, *shape), method=method, tol=1e-2)
        mean, s, _ = truth(x)
        centred, v = x.astype(float) - mean, found.components.astype(float)
        assert found.bound >= np.linalg.norm(centred - centred @ v.T @ v)
        off = abs(found.singular_values.astype(float)[:, np.newaxis] - s).min(axis=1)
        assert (found.residuals >= off).all()


@pytest.mark.parametrize("shape", [(500, 40), (40, 500)])
def test_the_mathematics(rng, shape):
    x = sloped(rng, shape)
    found = pca(x)
    assert np.isclose(found.explained_variance_ratio.sum(), 1, rtol=1e-12)
    trace = np.trace(cov(x, rowvar=False))
    assert np.isclose(trace, (found.singular_values**2).sum() / (shape[0] - 1), rtol=1e-12)
    assert np.isclose(found.explained_variance.sum(), trace, rtol=1e-12)
    # Scores do not correlate.
    scores = pca(x, 5).transform(x)
    made = cov(scores, rowvar=False)
    assert abs(made - np.diag(np.diag(made))).max() < 1e-12 * made.max()


@pytest.mark.parametrize("shape", [(300, 30), (30, 300), (200, 200)])
@pytest.mark.parametrize("share", [0.5, 0.95, 0.999999])
def test_a_share_of_the_variance(rng, shape, share):
    x = sloped(rng, shape)
    ratio = np.cumsum(truth(x)[1] ** 2) / (truth(x)[1] ** 2).sum()
    count = int(np.searchsorted(ratio, share, side="right")) + 1
    for method in ("auto", "gram", "full"):
        assert len(pca(x, share, method=method).components) == count


def test_a_large_mean_costs_nothing(rng):
    """float32 with mean 1e6 and spread 1; elements are multiples of 1/16."""
    x = (rng.standard_normal((20_000, 30)) + 1e6).astype(np.float32)
    variance = x.astype(float).var(axis=0, ddof=1)
    assert abs(np.diag(cov(x, rowvar=False, dtype=np.float32)) / variance - 1).max() < 1e-6
    total = variance.sum()
    stream = PCA()
    for rows in np.split(x, 20):
        stream.partial_fit(rows)
    for found in (pca(x), pca(x, method="full"), stream.result()):
        assert abs(found.explained_variance.sum() / total - 1) < 1e-5
    few = pca(x.T[:, :50], 3, method="krylov")  # 30 rows of large, equal numbers
    assert abs(few.singular_values - truth(x.T[:, :50])[1][:3]).max() < 1e-3
    assert abs(pca(x, 3).transform(x).mean()) < 1e-4


def test_constant_columns_and_few_rows(rng):
    x = sloped(rng, (50, 6))
    x[:, 2] = 7.0
    for method in METHODS:
        found = pca(x, 6, method=method)
        assert found.singular_values[-1] < 1e-6
        assert abs(found.components @ found.components.T - np.eye(6)).max() < 1e-12
    one = pca(x[:1])
    assert one.singular_values.tolist() == [0.0] and one.explained_variance_ratio.tolist() == [0.0]
    same = pca(np.ones((5, 3)))
    assert same.explained_variance.tolist() == [0.0] * 3 and (same.mean == 1).all()
    assert pca(x, 0).components.shape == (0, 6)


def test_complex_rows(rng):
    x = gaussian(rng, (60, 8), np.complex128) * np.arange(1, 9)
    s = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    for method in METHODS:
        found = pca(x, 3, method=method, tol=1e-9)
        assert abs(found.singular_values - s[:3]).max() < 1e-9 * s[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch", [1, 7, 100, 5000])
def test_portions_are_as_good_as_all_at_once(rng, batch, dtype):
    x = sloped(rng, (5000, 12), dtype)[: 5000 if batch > 1 else 300]
    stream = PCA(4)
    for first in range(0, len(x), batch):
        stream.partial_fit(x[first : first + batch])
    found, whole = stream.result(), pca(x, 4)
    near = 1e-5 if dtype == np.float32 else 1e-11
    assert abs(found.singular_values / whole.singular_values - 1).max() < near
    assert abs(found.components - whole.components).max() < near * 100 and found.n_samples == len(x)
    assert pca(iter([x[:100], x[100:]]), 4).n_samples == len(x)


def test_merging(rng):
    x = sloped(rng, (900, 9), mean=100.0)
    parts = [PCA(3).partial_fit(rows) for rows in np.split(x, 3)]
    found = parts[0].merge(parts[1]).merge(parts[2]).result()
    assert abs(found.singular_values - pca(x, 3).singular_values).max() < 1e-10
    with pytest.raises(ValueError, match="9 columns"):
        parts[1].partial_fit(x[:, :4])
    with pytest.raises(ValueError, match="4 columns of float64 cannot join 9"):
        parts[1].merge(PCA().partial_fit(x[:, :4]))


def test_many_columns_in_portions(rng, monkeypatch):
    monkeypatch.setattr(streaming_module, "_MOST_COLUMNS", 20)
    x = sloped(rng, (400, 60), mean=3.0)
    stream = PCA(4)
    for rows in np.split(x, 8):
        stream.partial_fit(rows)
    found = stream.result()
    mean, s, vh = truth(x)
    assert abs(found.mean - mean).max() < 1e-12
    assert abs(found.singular_values / s[:4] - 1).max() < 0.02 and abs(found.components - vh[:4]).max() < 0.05
    centred = x - mean
    assert found.bound >= np.linalg.norm(centred - centred @ found.components.T @ found.components)
    assert (found.residuals >= abs(found.singular_values - s[:4])).all()
    with pytest.raises(ValueError, match="must be an integer"):
        PCA(0.9).partial_fit(x)


def test_nan_among_rows_leaves_what_was_there(rng):
    stream, x = PCA(2).partial_fit(sloped(rng, (20, 5))), sloped(rng, (20, 5))
    before = stream.result().singular_values
    x[4, 3] = np.inf
    with pytest.raises(ValueError, match=r"\(20, 5\), dtype float64 contains inf at \(4, 3\)"):
        stream.partial_fit(x)
    assert stream.n_samples == 20 and (stream.result().singular_values == before).all()


@pytest.mark.parametrize("method", METHODS)
def test_bits_do_not_depend_on_threads(rng, method):
    x = sloped(rng, (9000, 70), np.float32)
    one, three = (pca(x, 5, method=method, num_threads=t) for t in (1, 3))
    for name in ("mean", "components", "singular_values", "residuals"):
        assert (getattr(one, name) == getattr(three, name)).all()
    assert (one.transform(x, num_threads=1) == one.transform(x, num_threads=3)).all()


def test_bad_input(rng):
    x = sloped(rng, (6, 4))
    for k in (5, -1, 1.5, 1.0):
        with pytest.raises(ValueError, match=rf"n_components is {k}, x is \(6, 4\)"):
            pca(x, k)
    with pytest.raises(ValueError, match=r"x is \(0, 4\); there must be a row"):
        pca(x[:0])
    with pytest.raises(ValueError, match="two dimensions"):
        pca(x[0])
    with pytest.raises(ValueError, match=r"must be \(n, 4\)"):
        pca(x, 2).transform(x[:, :3])
    with pytest.raises(ValueError, match="method is 'krylov'; rows that are not kept"):
        pca(iter([x]), method="krylov")
    with pytest.raises(ValueError, match="no rows were given"):
        pca(iter([]))
    for method in METHODS:
        bad = x.copy()
        bad[2, 1] = np.nan
        with pytest.raises(ValueError, match=r"contains nan at \(2, 1\)"):
            pca(bad, method=method)
    with pytest.raises(ValueError, match="overflow"):
        pca(x * 1e200, method="gram")


def test_explain(rng):
    assert pca(sloped(rng, (5000, 40)), 3).explain().startswith("gram: 40 columns are few")
    text = pca(sloped(rng, (50, 40)), 3, method="krylov").explain()
    assert "asked for; 3 components of 50 x 40, " in text


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (16, 16), (513, 33), (5000, 37), (9000, 130), (4097, 100)])
def test_both_ways_to_moments_have_the_same_bits(rng, isa, dtype, shape):
    """The core's pass, on any instruction set and threads, and that of pieces for other layouts."""
    import fastla
    from fastla import _core

    x = (rng.standard_normal(shape) + 3).astype(dtype)
    d, shift = shape[1], x[0].copy()
    made = [(np.zeros(d), np.zeros((d, d))) for _ in range(3)]
    for (sums, scatter), threads in zip(made[:2], (1, 3), strict=True):
        with fastla.threads(threads):
            assert _core.moments(x, shift, sums, scatter)
    moments_module._add_chunks(np.asfortranarray(x), shift, *made[2])
    for other in made[1:]:
        assert (other[0] == made[0][0]).all() and (other[1] == made[0][1]).all()
    assert (made[0][1] == made[0][1].T).all()
    rest = x.astype(np.longdouble) - shift
    assert abs(made[0][1] - rest.T @ rest).max() <= rounding(x) * abs(rest.T @ rest).max()


def test_moments_say_no_to_what_they_cannot_take(rng):
    from fastla import _core

    x, shift = rng.standard_normal((10, 4)), np.zeros(4)
    sums, scatter = np.zeros(4), np.zeros((4, 4))
    for bad in ((np.asfortranarray(x), shift, sums, scatter), (x, shift[:3], sums, scatter),
                (x.astype(np.float32), shift, sums, scatter), (x, shift, sums, scatter[:3]),
                (x.astype(">f8"), shift, sums, scatter), (x[0], shift, sums, scatter)):
        assert not _core.moments(*bad)
    assert not sums.any() and not scatter.any()
