"""fastla.cython_api from other compiled code: the same bits, without the GIL."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig

import numpy as np
import pytest
from shapes import assert_same_bits, layouts, random_matrix

import fastla

PYX = """
# cython: language_level=3
from libc.stdint cimport int64_t
from fastla.cython_api cimport gemm_f32, gemm_f64

def product(x, y, c, int threads=0):
    "c = x y for matrices of one dtype; returns the status."
    cdef int64_t m = c.shape[0], n = c.shape[1], k = x.shape[1]
    cdef int64_t xs0 = x.strides[0], xs1 = x.strides[1], ys0 = y.strides[0], ys1 = y.strides[1]
    cdef int64_t cs0 = c.strides[0], cs1 = c.strides[1]
    cdef size_t xp = x.ctypes.data, yp = y.ctypes.data, cp = c.ctypes.data
    cdef int status
    if c.itemsize == 4:
        with nogil:
            status = gemm_f32(m, n, k, <const float *>xp, xs0, xs1, <const float *>yp, ys0, ys1,
                              <float *>cp, cs0, cs1, threads)
    else:
        with nogil:
            status = gemm_f64(m, n, k, <const double *>xp, xs0, xs1, <const double *>yp, ys0, ys1,
                              <double *>cp, cs0, cs1, threads)
    return status

def of_size(int64_t m, int64_t n, int64_t k):
    cdef double one = 1
    cdef int status
    with nogil:
        status = gemm_f64(m, n, k, &one, 8, 8, &one, 8, 8, &one, 8, 8, 0)
    return status
"""


@pytest.fixture(scope="module")
def user(tmp_path_factory):
    """A module compiled here and now that cimports ours."""
    pytest.importorskip("Cython")
    compiler = shutil.which(os.environ.get("CC", "cc"))
    include = sysconfig.get_path("include")
    if not compiler or not os.path.exists(os.path.join(include, "Python.h")):
        pytest.skip("needs a C compiler and Python's headers")
    folder = tmp_path_factory.mktemp("user")
    (folder / "user.pyx").write_text(PYX)
    subprocess.run([sys.executable, "-m", "cython", "-3", "user.pyx"], cwd=folder, check=True)
    library = folder / ("user" + sysconfig.get_config_var("EXT_SUFFIX"))
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-I", include, "user.c", "-o", library],
                   cwd=folder, check=True)
    spec = importlib.util.spec_from_file_location("user", library)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("shape", [
    (0, 3, 4), (1, 1, 1), (3, 0, 4), (1, 90, 80), (90, 80, 1), (150, 300, 140)], ids=str)
def test_same_bits(user, dtype, threads, shape):
    m, k, n = shape
    rng = np.random.default_rng(95)
    a, b, c = random_matrix(rng, (m, k), dtype), random_matrix(rng, (k, n), dtype), np.full((m, n), 7, dtype)
    assert user.product(a, b, c, threads) == 0
    assert_same_bits(c, fastla.matmul(a, b), f"{shape}")


def test_strides(user, dtype):
    rng = np.random.default_rng(96)
    a, b = random_matrix(rng, (13, 21), dtype), random_matrix(rng, (21, 17), dtype)
    want = fastla.matmul(a, b)
    for (name, x), (_, y) in zip(layouts(a), reversed(list(layouts(b))), strict=True):
        if x.dtype.isnative and y.dtype.isnative:
            c = np.zeros((17, 13), dtype).T[::-1]
            assert user.product(x, y, c) == 0
            assert_same_bits(c, want, name)


@pytest.mark.parametrize("huge", [-1, 2**60, 2**61, 2**62, 2**63 - 1])
def test_sizes_out_of_range(user, huge):
    """Negative, or more bytes than an integer holds, also where the number wraps to a small one."""
    for size in ((huge, 1, 1), (1, huge, 1), (1, 1, huge), (4, huge, 4)):
        assert user.of_size(*size) == 1, size
