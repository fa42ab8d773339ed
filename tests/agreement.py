"""The same call with numpy.matmul and with fastla.matmul must end the same way.

The data are small integers, so that every order of summation gives the same value and equality is exact.
"""

import math

import numpy as np

import fastla


def integers(shape, dtype=np.float64, start=0):
    """An array of small integers of both signs where the dtype has them."""
    dtype = np.dtype(dtype)
    count = math.prod(shape)
    values = (np.arange(start, start + count) * 7 + 3) % 11
    if dtype.kind not in "ub":
        values = values - 5
    if dtype.kind == "b":
        values = values % 3 == 0
    if dtype.kind == "c":
        values = values + 1j * ((np.arange(count) * 5) % 7 - 3)
    if dtype.kind == "O":
        values = np.array([int(v) for v in values], object)
    return np.asarray(values).astype(dtype).reshape(shape)


def outcome(call, matmul):
    """What call(matmul) returns, or the exception it raises."""
    try:
        return call(matmul)
    except Exception as error:
        return error


def builtin_type(error):
    """The exception type a user catches: NumPy's own types are private refinements."""
    return next(t for t in type(error).__mro__ if t.__module__ == "builtins")


def agree(call):
    """Compares call(fastla.matmul) with call(numpy.matmul); returns the former."""
    want, got = outcome(call, np.matmul), outcome(call, fastla.matmul)
    assert_same(got, want)
    return got


def assert_same(got, want):
    if isinstance(want, Exception):
        assert isinstance(got, Exception), f"no error; numpy raises {want!r}"
        assert builtin_type(got) is builtin_type(want), f"{got!r}; numpy raises {want!r}"
        return
    if isinstance(got, Exception):
        raise AssertionError("numpy raises nothing") from got
    assert type(got) is type(want)
    if isinstance(want, tuple | list):
        assert len(got) == len(want)
        for g, w in zip(got, want, strict=True):
            assert_same(g, w)
    elif isinstance(want, np.ndarray | np.generic):
        assert got.dtype == want.dtype
        assert got.dtype.isnative == want.dtype.isnative
        assert got.shape == want.shape
        assert np.array_equal(np.ma.getmaskarray(got), np.ma.getmaskarray(want))
        assert np.array_equal(np.ma.getdata(got), np.ma.getdata(want))
    else:
        assert got == want
