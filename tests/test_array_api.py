"""fastla.array_api goes where an Array API namespace goes."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

import fastla

xp = fastla.array_api


def test_products_are_ours():
    for name in ("matmul", "vecdot", "tensordot", "matrix_transpose"):
        assert getattr(xp, name) is getattr(xp.linalg, name) is getattr(fastla, name)
    assert xp.linalg.matrix_power is fastla.matrix_power


def test_the_standard_calls(rng):
    """By the standard's signatures: operands by position, the rest by keyword."""
    a, b = xp.asarray(rng.random((4, 2, 3))), xp.asarray(rng.random((4, 3, 5)))
    assert xp.matmul(a, b).tobytes() == fastla.matmul(a, b).tobytes()
    assert xp.vecdot(a, a, axis=-1).shape == (4, 2)
    assert xp.vecdot(a, a, axis=-2).shape == (4, 3)
    assert xp.tensordot(a, b, axes=0).shape == (4, 2, 3, 4, 3, 5)
    assert xp.tensordot(a, b, axes=((0, 2), (0, 1))).shape == (2, 5)
    assert xp.matrix_transpose(a).shape == (4, 3, 2)
    assert xp.linalg.matrix_power(xp.eye(3), 2).shape == (3, 3)
    for function, names in ((xp.vecdot, ("x1", "x2")), (xp.matrix_transpose, ("x",))):
        kinds = inspect.signature(function).parameters
        assert all(kinds[name].kind is inspect.Parameter.POSITIONAL_ONLY for name in names)
    assert inspect.signature(xp.vecdot).parameters["axis"].default == -1
    assert inspect.signature(xp.tensordot).parameters["axes"].default == 2


def test_the_rest_is_numpys():
    for name in ("asarray", "float32", "pi", "sum", "sqrt", "isdtype", "fft", "newaxis", "ndarray",
                 "permute_dims"):
        if hasattr(np, name):  # some from NumPy 2 on
            assert getattr(xp, name) is getattr(np, name)
    for name in ("solve", "svd", "norm", "LinAlgError"):
        assert getattr(xp.linalg, name) is getattr(np.linalg, name)
    assert {"matmul", "linalg", "asarray"} <= set(dir(xp))
    assert {"matmul", "svd"} <= set(dir(xp.linalg))
    for module in (xp, xp.linalg):
        with pytest.raises(AttributeError, match="no_such_name"):
            module.no_such_name  # noqa: B018
    assert not hasattr(xp.linalg, "__array_namespace_info__")


def test_says_what_it_is():
    if np.lib.NumpyVersion(np.__version__) < "2.1.0":
        with pytest.raises(AttributeError, match="nor in NumPy"):
            xp.__array_namespace_info__()
        return
    info = xp.__array_namespace_info__()
    assert "float64" in info.dtypes()
    assert xp.__array_api_version__ == np.__array_api_version__


def test_is_not_numpys_package():
    """Its own dunder names alone: a path of NumPy's would make numpy.fft importable under this name."""
    assert xp.__name__ == "fastla.array_api"
    assert all("fastla" in path for path in xp.__path__)
    done = subprocess.run([sys.executable, "-P", "-c", "import fastla.array_api.fft"], capture_output=True,
                          check=False)
    assert b"ModuleNotFoundError" in done.stderr


def test_code_for_any_namespace():
    """As a library writes it: least squares by the normal equations."""
    def fit(xp, x, y):
        xt = xp.matrix_transpose(x)
        return xp.linalg.solve(xp.matmul(xt, x), xp.matmul(xt, y))

    x = xp.stack([xp.ones(5), xp.arange(5.0)], axis=1)
    np.testing.assert_allclose(fit(xp, x, 3 + 2 * xp.arange(5.0)), [3, 2])


def test_the_module_documents_itself():
    import doctest
    assert doctest.testmod(xp).failed == 0
    assert doctest.testmod(xp).attempted > 3
