"""low_rank: Eckart and Young, and errors that are never below the true ones."""

from fractions import Fraction

import numpy as np
import pytest
from matrices import DTYPES, SHAPES, gaussian, of_rank, rounding, spectral

from fastla import decomposition


def true_square(w, a, b):
    """The square of the norm of w - a b, exactly."""
    def exact(x):
        return [[(Fraction(float(z.real)), Fraction(float(z.imag))) for z in row] for row in x.tolist()]

    total, columns = Fraction(0), exact(b.T)
    for row, left in zip(exact(w), exact(a), strict=True):
        for (re, im), right in zip(row, columns, strict=True):
            for (p, q), (r, s) in zip(left, right, strict=True):
                re, im = re - (p * r - q * s), im - (p * s + q * r)
            total += re * re + im * im
    return total


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_error_is_that_of_eckart_and_young(rng, shape, dtype):
    w = gaussian(rng, shape, dtype)
    s = np.linalg.svd(w.astype(np.result_type(w, np.float64)), compute_uv=False)
    for r in range(min(shape) + 1):
        near = decomposition.low_rank(w, r)
        assert near.a.shape == (shape[0], r) and near.b.shape == (r, shape[1])
        assert (near.a.dtype, near.b.dtype, near.s.dtype) == (dtype, dtype, w.real.dtype)
        assert abs(near.s - s[:r]).max(initial=0) <= rounding(w) * s[0]
        want = np.sqrt((s[r:]**2).sum())
        assert abs(near.error - want) <= 2 * rounding(w) * np.sqrt((s**2).sum()) * np.sqrt(r + 1)
        assert near.relative_error == pytest.approx(near.error / np.sqrt((s**2).sum()), rel=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("power", [0, 60, -60])
def test_error_is_never_below_the_true_one(rng, dtype, power):
    for rank, r in ((5, 3), (5, 5), (3, 3), (3, 4), (2, 0), (0, 0), (0, 2)):
        w = of_rank(rng, (7, 5), rank, dtype) * np.asarray(2.0**power, dtype)
        near = decomposition.low_rank(w, r)
        true, size = true_square(w, near.a, near.b), true_square(w, w[:, :0], w[:0])
        assert Fraction(near.error)**2 >= true
        assert Fraction(near.relative_error)**2 * size >= true
        if true > size / 100:
            assert Fraction(near.error)**2 <= true * (1 + Fraction(1, 10**12))  # and close to it


@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-200, 1e200, 1e306])
def test_errors_near_the_ends_of_the_range(rng, size):
    w = gaussian(rng, (5, 4), np.float64) * size
    near = decomposition.low_rank(w, 2)
    assert Fraction(near.error)**2 >= true_square(w, near.a, near.b)
    assert near.error <= 20 * size


def test_no_other_matrix_is_nearer(rng):
    w = gaussian(rng, (8, 6), np.float64)
    near = decomposition.low_rank(w, 2)
    for _ in range(200):
        a = gaussian(rng, (8, 2), np.float64)
        best = a @ np.linalg.lstsq(a, w, rcond=None)[0]  # of all with these columns
        assert np.linalg.norm(w - best) >= near.error * (1 - 1e-12)
        moved = (near.a + 1e-3 * gaussian(rng, (8, 2), np.float64)) @ near.b
        assert np.linalg.norm(w - moved) >= near.error * (1 - 1e-12)


def test_factors_are_balanced(rng):
    w = gaussian(rng, (9, 5), np.float64)
    near = decomposition.low_rank(w, 3)
    for square in (near.a.T @ near.a, near.b @ near.b.T):
        assert spectral(square - np.diag(near.s)) <= rounding(w) * near.s[0]


def test_dtypes(rng):
    w = rng.integers(-9, 10, (4, 3))
    assert decomposition.low_rank(w, 1).a.dtype == np.float64
    assert decomposition.low_rank(w.astype(np.float16), 1).a.dtype == np.float32
    assert decomposition.low_rank(w.tolist(), np.int64(2), num_threads=1).b.shape == (2, 3)
    assert decomposition.low_rank(np.empty((0, 3)), 0).error == 0


def test_errors():
    with pytest.raises(ValueError, match=r"w is \(4, 3\), r is 4; r must be from 0 to 3"):
        decomposition.low_rank(np.ones((4, 3)), 4)
    with pytest.raises(ValueError, match="r is -1"):
        decomposition.low_rank(np.ones((4, 3)), -1)
    with pytest.raises(TypeError):
        decomposition.low_rank(np.ones((4, 3)), 1.5)
    with pytest.raises(ValueError, match=r"w is \(2, 4, 3\); it must have two dimensions"):
        decomposition.low_rank(np.ones((2, 4, 3)), 1)
    with pytest.raises(TypeError, match="w is of dtype"):
        decomposition.low_rank(np.ones((4, 3), "M8[s]"), 1)
    with pytest.raises(ValueError, match=r"w of shape \(1, 2\), dtype float64 contains nan at \(0, 1\)"):
        decomposition.low_rank([[1, np.nan]], 1)


def test_large_matrices_go_by_products(rng):
    """A layer's update, as LoRA has it: far from LAPACK's decomposition of all of it, and as near."""
    m, n, r = 1400, 1200, 8
    a, b, noise = (gaussian(rng, shape, np.float64) for shape in ((m, r), (r, n), (m, n)))
    w = a @ b + noise
    near = decomposition.low_rank(w, r)
    best = np.sqrt((np.linalg.svd(w, compute_uv=False)[r:] ** 2).sum())
    assert best <= near.error * (1 + 1e-12) and near.error <= best * (1 + 1e-6)
