"""whiten: the covariance of whitened data is the identity; axes of no variance; there and back."""

import numpy as np
import pytest
from matrices import DTYPES, gaussian, of_singular_values, rounding, spectral

from fastla import decomposition

METHODS = ("pca", "zca")


def covariance(z):
    z = z.astype(np.result_type(z, np.float64))
    z = z - z.mean(axis=0)
    return z.T @ z.conj() / (len(z) - 1)


def data(rng, n, d, dtype, largest=10.0, rank=None):
    """Rows about a mean, of a condition of that much more or less."""
    rank = d if rank is None else rank
    spread = of_singular_values(rng, (d, d), np.geomspace(largest, 1, rank), dtype)
    return (gaussian(rng, (n, d), dtype) @ spread + gaussian(rng, (d,), dtype) * 3).astype(dtype)


def condition(x):
    s = np.linalg.svd((x - x.mean(axis=0)).astype(np.result_type(x, np.float64)), compute_uv=False)
    return s[0] / s[s > 1e-4 * s[0]][-1]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "d"), [(5, 1), (9, 8), (40, 6), (3000, 20)])
def test_covariance_is_the_identity(rng, method, dtype, n, d):
    x = data(rng, n, d, dtype)
    white = decomposition.whiten(x, method=method)
    z = white.transform(x)
    assert white.matrix.shape == white.inverse.shape == (d, d) and z.dtype == dtype
    bound = 8 * d * np.finfo(dtype).eps * 10 * (condition(x) + abs(x).max())
    assert spectral(covariance(z) - np.eye(d)) <= bound
    assert abs(z.mean(axis=0, dtype=np.result_type(x, np.float64))).max() <= bound
    assert abs(white.inverse_transform(z) - x).max() <= bound * abs(x).max()


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_zca_is_symmetric_and_nearest(rng, dtype):
    x = data(rng, 300, 5, dtype)
    white, other = (decomposition.whiten(x, method=method) for method in ("zca", "pca"))
    assert spectral(white.matrix - white.matrix.conj().T) <= rounding(white.matrix) * spectral(white.matrix)
    assert np.linalg.eigvalsh(white.matrix).min() > 0
    centred = x - x.mean(axis=0)
    near, far = (np.linalg.norm(w.transform(x) - centred) for w in (white, other))
    assert near < far


def test_axes_of_pca_come_in_order(rng):
    x = data(rng, 300, 5, np.float64)
    white = decomposition.whiten(x)
    variances = 1 / (white.matrix**2).sum(axis=0)
    assert abs(variances / np.linalg.eigvalsh(np.cov(x, rowvar=False))[::-1] - 1).max() <= 1e-10


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "d", "rank"), [(50, 6, 3), (4, 9, 3), (2, 2, 1), (4000, 12, 5), (7, 3, 0)])
def test_directions_of_no_variance(rng, dtype, n, d, rank):
    x = data(rng, n, d, dtype, rank=min(rank, d) if n > d else d) if rank else np.full((n, d), 3, dtype)
    rtol = None if n <= d or not rank else 100 * max(n, d) * np.finfo(dtype).eps  # products left some noise
    left_out = decomposition.whiten(x, rtol=rtol)
    assert left_out.matrix.shape == (d, rank) and left_out.inverse.shape == (rank, d)
    bound = 8 * max(n, d) * np.finfo(dtype).eps * 10 * (10 + abs(x).max() if rank == 0 else
                                                       condition(x) + abs(x).max())
    assert spectral(covariance(left_out.transform(x)) - np.eye(rank)) <= bound
    whole = decomposition.whiten(x, method="zca", rtol=rtol)
    s = np.linalg.svd(covariance(whole.transform(x)), compute_uv=False)
    assert abs(s[:rank] - 1).max(initial=0) <= bound and s[rank:].max(initial=0) <= bound
    for white in (left_out, whole):
        assert abs(white.inverse_transform(white.transform(x)) - x).max() <= bound * abs(x).max()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [100, 5000])
def test_a_large_mean_cancels_nothing(rng, method, dtype, n):
    """Data whose mean is 2^10 times their spread, on a grid, so that they are the same data moved."""
    x = rng.integers(-64, 65, (n, 4)).astype(dtype)
    plain = decomposition.whiten(x, method=method)
    far = x + dtype(2**16)
    moved = decomposition.whiten(far, method=method)
    bound = 4 * (min(n, 512) + n / 512) * condition(x) * np.finfo(dtype).eps  # sums of n terms, in blocks
    assert spectral(covariance(moved.transform(far)) - np.eye(4)) <= bound
    # The same map but for signs of axes, which its square does not show.
    squares = [w.matrix @ w.matrix.T for w in (plain, moved)]
    assert spectral(squares[0] - squares[1]) <= bound * condition(x) * spectral(squares[0])


def test_the_mean_is_the_nearest_number(rng):
    """Of 5000 numbers near 2^45 in float64, whose sum has lost their last digits."""
    x = rng.integers(-64, 65, (5000, 3)).astype(float)
    white = decomposition.whiten(x + 2.0**45)
    assert abs(white.mean - 2.0**45 - x.mean(axis=0)).max() <= 2.0**-8
    assert spectral(covariance(white.transform(x + 2.0**45)) - np.eye(3)) <= 1e-12


def test_a_row_fewer_than_rows(rng):
    """Centred rows have a sum of zero: one axis has no variance, whatever rtol says."""
    for n, d in ((2, 2), (5, 5), (6, 40)):
        x = gaussian(rng, (n, d), np.float64)
        white = decomposition.whiten(x, rtol=0.0)
        assert white.matrix.shape == (d, n - 1)
        assert spectral(covariance(white.transform(x)) - np.eye(n - 1)) <= 1e-10


def test_new_rows_and_dtypes(rng):
    x = rng.integers(-9, 10, (30, 3))
    white = decomposition.whiten(x)
    assert white.matrix.dtype == white.transform(x).dtype == np.float64
    assert np.array_equal(white.transform(x)[3:5], white.transform(x[3:5]))
    assert np.array_equal(white.transform(x, num_threads=1), white.transform(x.tolist(), num_threads=3))
    half = decomposition.whiten(x.astype(np.float16))
    assert half.matrix.dtype == half.transform(x.astype(np.float16)).dtype == np.float32
    assert half.transform(x).dtype == np.float64 and white.transform(x[:0]).shape == (0, 3)
    assert decomposition.whiten(np.empty((3, 0))).transform(np.empty((2, 0))).shape == (2, 0)


def test_errors(rng):
    with pytest.raises(ValueError, match="method is 'ica'; it must be 'pca' or 'zca'"):
        decomposition.whiten(np.ones((3, 2)), method="ica")
    with pytest.raises(ValueError, match=r"x is \(1, 2\); a covariance needs at least two rows"):
        decomposition.whiten(np.ones((1, 2)))
    with pytest.raises(ValueError, match=r"x is \(3,\); it must have two dimensions"):
        decomposition.whiten(np.ones(3))
    with pytest.raises(ValueError, match=r"x of shape \(2, 2\), dtype float64 contains nan at \(1, 0\)"):
        decomposition.whiten([[1.0, 2.0], [np.nan, 3.0]])
    white = decomposition.whiten(data(rng, 9, 3, np.float64))
    with pytest.raises(ValueError, match=r"transform: x is \(2, 4\); it must have 3 columns"):
        white.transform(np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"inverse_transform: z is \(2, 2\); it must have 3 columns"):
        white.inverse_transform(np.ones((2, 2)))
    with pytest.raises(TypeError, match="z is of dtype"):
        white.inverse_transform(np.ones((2, 3), object))
