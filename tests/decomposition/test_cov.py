"""Covariances and correlations beside NumPy's."""

import warnings

import numpy as np
import pytest
from matrices import DTYPES, gaussian, rounding

from fastla.decomposition import corrcoef, cov

WEIGHTS = ({}, {"fweights": np.arange(1, 31)}, {"aweights": np.linspace(0.1, 2, 30)},
           {"fweights": np.arange(1, 31), "aweights": np.linspace(0.1, 2, 30)})


@pytest.mark.parametrize("dtype", [*DTYPES, np.int64, np.float16])
@pytest.mark.parametrize("shape", [(1, 30), (4, 30), (30,), (40, 30)])
@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_as_numpy(rng, shape, dtype, weights):
    x = (gaussian(rng, shape, np.result_type(dtype, np.float32)) * 5).astype(dtype)
    for more in ({}, {"ddof": 0}, {"bias": True}, {"ddof": 3}):
        made, expected = cov(x, **more, **weights), np.cov(x, **more, **weights)
        assert np.shape(made) == expected.shape and np.asarray(made).dtype == expected.dtype
        assert abs(made - expected).max() <= rounding(np.ones((1, 30))) * abs(expected).max()
    made = np.atleast_2d(cov(x, **weights))
    assert (made == made.conj().T).all()


def test_columns_and_two_arguments(rng):
    x, y = rng.standard_normal((30, 4)), rng.standard_normal((30, 2))
    assert np.allclose(cov(x, y, rowvar=False), np.cov(x, y, rowvar=False), rtol=1e-12)
    assert np.allclose(cov(x[:, 0], y[:, 0]), np.cov(x[:, 0], y[:, 0]), rtol=1e-12)
    assert np.allclose(corrcoef(x, y, rowvar=False), np.corrcoef(x, y, rowvar=False), rtol=1e-12, atol=1e-14)
    with pytest.raises(ValueError, match=r"m is \(30, 4\), y is \(30, 2\)"):
        cov(x, y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_correlations(rng, dtype):
    x = gaussian(rng, (6, 50), dtype)
    made = corrcoef(x)
    assert np.allclose(made, np.corrcoef(x), rtol=1e-10, atol=1e-12)
    assert (np.diag(made) == 1).all() and (made == made.conj().T).all()
    x[2] = 1
    assert np.isnan(corrcoef(x)[2]).all()


def test_dtype_asked_for(rng):
    x = rng.standard_normal((3, 1000)).astype(np.float32)
    assert cov(x, dtype=np.float32).dtype == np.float32
    assert np.allclose(cov(x, dtype=np.float32), np.cov(x), rtol=1e-5)


def test_bad_input(rng):
    x = rng.standard_normal((3, 10))
    with pytest.raises(ValueError, match=r"fweights is \(3,\); it must be \(10,\)"):
        cov(x, fweights=np.ones(3))
    with pytest.raises(TypeError, match="integers"):
        cov(x, fweights=np.full(10, 0.5))
    with pytest.raises(ValueError, match="negative"):
        cov(x, aweights=-np.ones(10))
    with pytest.raises(ValueError, match="two dimensions"):
        cov(np.ones((2, 2, 2)))
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        cov(x[:, :1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cov(x).shape == (3, 3)
    x[1, 4] = np.nan
    with pytest.raises(ValueError, match="contains nan"):
        cov(x)
