"""lstsq: NumPy's results, least lengths for any rank, stacks, the way by products and when it is taken."""

import numpy as np
import pytest
from matrices import DTYPES, SHAPES, gaussian, of_rank, of_singular_values, rounding, spectral

from fastla import decomposition
from fastla.decomposition import _cholesky_qr


def assert_least(a, b, x, condition=2):
    """The rest is orthogonal to the columns of a, and x to what a maps to 0."""
    wide = np.result_type(a, b, np.float64)
    bound = 16 * rounding(x) * condition * max(a.shape[-2:])
    a, b, x = (z.astype(wide) for z in (a, b, x))
    size = spectral(b) + spectral(a) * spectral(x)
    assert spectral(a.conj().T @ (b - a @ x)) <= bound * spectral(a) * size
    _, s, vt = np.linalg.svd(a)
    null = vt[np.count_nonzero(s > 1e-3 * s.max(initial=0)):]
    assert spectral(null @ x) <= bound * size


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_least_lengths(rng, shape, dtype):
    for rank in range(min(shape) + 1):
        a, b = of_rank(rng, shape, rank, dtype), gaussian(rng, (shape[0], 2), dtype)
        x, residuals, found, s = decomposition.lstsq(a, b)
        assert (x.dtype, s.dtype, residuals.dtype) == (dtype, b.real.dtype, b.real.dtype)
        assert found == rank and s.shape == (min(shape),)
        assert_least(a, b, x)
        if rank < shape[1] or shape[0] <= shape[1]:
            assert residuals.shape == (0,)
        else:
            want = (abs(b - a @ x)**2).sum(axis=0)
            assert abs(residuals - want).max() <= rounding(a) * (abs(b)**2).sum()


@pytest.mark.parametrize("shape", [*SHAPES, (0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize("columns", [(), (0,), (1,), (3,)])
def test_numpys_results(rng, shape, columns):
    a = of_rank(rng, shape, min(shape), np.float64)
    b = gaussian(rng, (shape[0], *columns), np.float64)
    ours, theirs = decomposition.lstsq(a, b), np.linalg.lstsq(a, b)
    assert ours.rank == theirs[2]
    for i in (0, 1, 3):
        assert ours[i].shape == theirs[i].shape
        # Singular values are 1 to 2, so that the condition of the problem is at most 4, and b has a length.
        assert abs(ours[i] - theirs[i]).max(initial=0) <= 4 * rounding(a) * (1 + (b**2).sum())


def test_rcond_is_numpys():
    a = np.diag([1.0, 0.1, 1e-3, 1e-16])
    for rcond in (None, -1, 0.0, 0.01, 0.1, 0.5):
        ours, theirs = (f(a, np.ones(4), rcond) for f in (decomposition.lstsq, np.linalg.lstsq))
        assert ours.rank == theirs[2]
        assert np.array_equal(ours.x != 0, theirs[0] != 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_stacks_broadcast(rng, dtype):
    a = np.array([of_rank(rng, (6, 3), rank, dtype) for rank in (1, 3)])
    b = gaussian(rng, (4, 1, 6, 2), dtype)
    x, residuals, rank, s = decomposition.lstsq(a, b)
    assert (x.shape, residuals.shape, s.shape) == ((4, 2, 3, 2), (4, 2, 2), (2, 3))
    assert rank.tolist() == [1, 3]
    for i, j in np.ndindex(4, 2):
        alone = decomposition.lstsq(a[j], b[i, 0])
        assert abs(alone.x - x[i, j]).max() <= 8 * rounding(a) * spectral(b)
        rest = (abs(b[i, 0] - a[j] @ x[i, j])**2).sum(axis=0)
        assert abs(residuals[i, j] - rest).max() <= rounding(a) * (abs(b)**2).sum()
    vector = decomposition.lstsq(a, b[0, 0, :, 0])
    assert vector.x.shape == (2, 3) and vector.residuals.shape == (2, 1)
    assert abs(vector.x - x[0, ..., 0]).max() <= 8 * rounding(a) * spectral(b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("largest", [1, 99])
def test_by_products(rng, dtype, largest):
    a = of_singular_values(rng, (2000, 20), np.geomspace(largest, 1, 20), dtype)
    assert _cholesky_qr.tall_svd(a, None) is not None
    b = gaussian(rng, (2000, 3), dtype)
    x, residuals, rank, s = decomposition.lstsq(a, b)
    assert rank == 20
    assert_least(a, b, x, largest)
    assert abs(s - np.geomspace(largest, 1, 20)).max() <= rounding(a) * largest
    assert abs(residuals - (abs(b - a @ x)**2).sum(axis=0)).max() <= rounding(a) * (abs(b)**2).sum()


@pytest.mark.parametrize("dtype", DTYPES)
def test_by_products_x_is_refined(rng, dtype):
    """Of a system that can be solved, about what rounding of x leaves is left, whatever the condition is."""
    a = of_singular_values(rng, (2000, 20), np.geomspace(99, 1, 20), dtype)
    x, residuals, _, _ = decomposition.lstsq(a, a @ gaussian(rng, (20, 3), dtype))
    assert residuals.max() <= (np.finfo(dtype).eps * spectral(a) * spectral(x))**2


@pytest.mark.parametrize("dtype", DTYPES)
def test_orthonormal_columns_by_products(rng, dtype):
    a = of_singular_values(rng, (2000, 20), np.geomspace(99, 1, 20), dtype)
    q, x, u, s, vt = _cholesky_qr.tall_svd(a, 2)
    columns = q @ x @ u
    assert spectral(columns.conj().T @ columns - np.eye(20)) <= rounding(a)
    assert spectral(columns * s @ vt - a) <= rounding(a) * spectral(a)


@pytest.mark.parametrize("dtype", DTYPES)
def test_not_by_products_where_it_is_not_safe(rng, dtype):
    limits = np.finfo(dtype)
    top, few_bits = np.sqrt(limits.max), 2.0 ** ((limits.minexp - limits.nmant) // 2 + 4)  # of the squares
    good = of_singular_values(rng, (2000, 20), np.geomspace(2, 1, 20), dtype)
    spoilt = good.copy()
    spoilt[:, 3] = spoilt[:, 2]
    for a in (of_singular_values(rng, (2000, 20), np.geomspace(150, 1, 20), dtype), spoilt, good * 0,
              good * top, good * np.asarray(few_bits, dtype), good / top / 2**30, good[:159], good[None]):
        assert _cholesky_qr.tall_svd(a, None) is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [2, 30])
def test_tall_and_of_any_condition(rng, dtype, columns):
    """By R beside Q^H b, or without it for many columns of b."""
    good = of_singular_values(rng, (2000, 20), np.geomspace(2, 1, 20), dtype)
    spoilt = good.copy()
    spoilt[:, 3] = spoilt[:, 2]
    hard = of_singular_values(rng, (2000, 20), np.geomspace(900, 1, 20), dtype)
    b = gaussian(rng, (2000, columns), dtype)
    for a, want, condition in ((spoilt, 19, 4), (good * 0, 0, 1), (hard, 20, 900)):
        x, residuals, rank, s = decomposition.lstsq(a, b)
        assert rank == want and s.shape == (20,)
        assert residuals.shape == ((columns,) if want == 20 else (0,))
        assert_least(a, b, x, condition)


def test_near_the_ends_of_the_range(rng):
    a, x = of_rank(rng, (2000, 20), 20, np.float64), gaussian(rng, (20, 1), np.float64)
    for power in (-600, -530, 500, 600):
        found = decomposition.lstsq(np.ldexp(a, power), a @ x)
        assert abs(np.ldexp(found.x, power) - x).max() <= 8 * rounding(a) * spectral(x)


def test_dtypes(rng):
    a, b = rng.integers(-5, 6, (9, 3)), rng.integers(-5, 6, 9)
    want = np.linalg.lstsq(a, b)[0]
    for x, y in ((a, b), (a.tolist(), b.tolist()), (a.astype(np.float32), b), (a, b.astype(np.float16))):
        found = decomposition.lstsq(x, y)
        assert found.x.dtype == np.float64
        assert abs(found.x - want).max() <= 10 * rounding(want[None]) * np.linalg.cond(a)
    assert decomposition.lstsq(a.astype(np.float16), b.astype(np.float32)).x.dtype == np.float32
    assert decomposition.lstsq(a.astype(np.float32), b * 1j).x.dtype == np.complex128


def test_errors():
    with pytest.raises(np.linalg.LinAlgError, match=r"a is \(3, 2\), b is \(4,\); they must have"):
        decomposition.lstsq(np.ones((3, 2)), np.ones(4))
    with pytest.raises(np.linalg.LinAlgError, match=r"a is \(2, 3, 2\), b is \(3, 3, 1\)"):
        decomposition.lstsq(np.ones((2, 3, 2)), np.ones((3, 3, 1)))
    with pytest.raises(ValueError, match=r"a is \(3,\)"):
        decomposition.lstsq(np.ones(3), np.ones(3))
    with pytest.raises(TypeError, match="b is of dtype"):
        decomposition.lstsq(np.ones((3, 2)), np.array(["a", "b", "c"]))
    with pytest.raises(ValueError, match=r"b of shape \(3,\), dtype float64 contains inf at \(1,\)"):
        decomposition.lstsq(np.ones((3, 2)), [1, np.inf, 2])
    with pytest.raises(ValueError, match=r"a of shape \(2, 2\), dtype float64 contains nan at \(0, 1\)"):
        decomposition.lstsq([[1, np.nan], [0, 1]], [1, 2])
