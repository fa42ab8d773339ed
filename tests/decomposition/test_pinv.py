"""pinv: the four conditions of Penrose, NumPy's results, arguments and errors."""

import numpy as np
import pytest
from matrices import DTYPES, SHAPES, gaussian, of_rank, rounding, spectral

from fastla import decomposition


def assert_penrose(a, p):
    """Singular values of a are between 1 and 2 or zero: both matrices have norms of at most 2."""
    wide = np.result_type(a, np.float64)
    bound = 16 * rounding(a)  # three factors, with norms of at most 2, 1 and 2, and their roundings
    a, p = a.astype(wide), p.astype(wide)
    ap, pa = a @ p, p @ a
    assert spectral(ap @ a - a) <= bound
    assert spectral(pa @ p - p) <= bound
    assert spectral(ap - ap.conj().swapaxes(-1, -2)) <= bound
    assert spectral(pa - pa.conj().swapaxes(-1, -2)) <= bound


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_conditions_of_penrose(rng, shape, dtype):
    for rank in range(min(shape) + 1):
        a = of_rank(rng, shape, rank, dtype)
        p = decomposition.pinv(a, rtol=None)
        assert p.dtype == dtype and p.shape == shape[::-1]
        assert_penrose(a, p)
        assert round(np.trace(a @ p).real) == rank


@pytest.mark.parametrize("dtype", DTYPES)
def test_stacks(rng, dtype):
    stack = np.array([[of_rank(rng, (5, 4), rank, dtype) for rank in range(3)] for _ in range(2)])
    found = decomposition.pinv(stack, rtol=None)
    assert found.shape == (2, 3, 4, 5)
    assert_penrose(stack, found)
    alone = [[decomposition.pinv(x, rtol=None) for x in row] for row in stack]
    assert abs(found - np.array(alone)).max() <= rounding(stack)


@pytest.mark.parametrize("dtype", DTYPES)
def test_hermitian(rng, dtype):
    half = of_rank(rng, (6, 6), 3, dtype)
    a = half + half.conj().T
    found = decomposition.pinv(a, hermitian=True, rtol=1e-3)
    want = np.linalg.pinv(a, rtol=1e-3)
    assert abs(found - want).max() <= rounding(a) * spectral(a) * spectral(want)**2
    lower = np.tril(a) + np.triu(np.full_like(a, 7), 1)
    assert np.array_equal(decomposition.pinv(lower, hermitian=True, rtol=1e-3), found)


@pytest.mark.parametrize("shape", SHAPES)
def test_numpys_results(rng, shape):
    a = gaussian(rng, (2, *shape), np.complex128)
    want = np.linalg.pinv(a)
    bound = rounding(a) * spectral(a) * spectral(want)**2  # P. Wedin: the change of an inverse
    assert abs(decomposition.pinv(a) - want).max() <= bound
    for options in ({"rcond": 0.5}, {"rtol": 0.5}, {"rcond": [0.1, 0.9]}, {"rtol": None}):
        assert abs(decomposition.pinv(a, **options) - np.linalg.pinv(a, **options)).max() <= bound


def test_default_is_numpys(rng):
    a = np.diag([1.0, 1e-14, 1e-16])
    assert np.array_equal(decomposition.pinv(a) != 0, np.linalg.pinv(a) != 0)
    assert decomposition.pinv(a)[1, 1] != 0 == decomposition.pinv(a, rtol=1e-13)[1, 1]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (2, 0, 3), (0, 2, 3)])
def test_empty(shape):
    found = decomposition.pinv(np.empty(shape, np.float32))
    assert found.shape == np.linalg.pinv(np.empty(shape)).shape and found.dtype == np.float32


def test_dtypes_and_layouts(rng):
    a = rng.integers(-5, 6, (5, 3))
    want = np.linalg.pinv(a)
    for x in (a, a.tolist(), a.astype(np.int8), a.astype(">f8"), np.asfortranarray(a)):
        found = decomposition.pinv(x)
        assert found.dtype == np.float64
        assert abs(found - want).max() <= rounding(want) * spectral(a) * spectral(want)**2
    assert decomposition.pinv(a.astype(np.float16)).dtype == np.float32
    assert np.array_equal(decomposition.pinv(a, num_threads=1), decomposition.pinv(a, num_threads=3))


def test_errors():
    with pytest.raises(ValueError, match=r"pinv: a is \(3,\); it must have at least two dimensions"):
        decomposition.pinv(np.ones(3))
    with pytest.raises(TypeError, match="pinv: a is of dtype object"):
        decomposition.pinv(np.ones((2, 2), object))
    with pytest.raises(np.linalg.LinAlgError, match=r"pinv: a is \(2, 3\); a Hermitian matrix is square"):
        decomposition.pinv(np.ones((2, 3)), hermitian=True)
    with pytest.raises(ValueError, match=r"rcond=0.1 and rtol=0.2 are both given"):
        decomposition.pinv(np.ones((2, 2)), 0.1, rtol=0.2)
    with pytest.raises(ValueError, match=r"rcond is \(3,\); for a \(2, 4, 4\) it must be a number or \(2,\)"):
        decomposition.pinv(np.ones((2, 4, 4)), [0.1, 0.2, 0.3])
    a = np.ones((4, 3, 2), np.float32)
    a[2, 1, 0] = np.nan
    with pytest.raises(ValueError, match=r"\(4, 3, 2\), dtype float32 contains nan at \(2, 1, 0\)"):
        decomposition.pinv(a)
    a[2, 1, 0] = -np.inf
    with pytest.raises(ValueError, match=r"contains -inf at \(2, 1, 0\)"):
        decomposition.pinv(a)
