"""fastla.cython_api from other compiled code: the same bits, without the GIL."""

import numpy as np
import pytest
from compiled import build, example
from shapes import assert_same_bits, layouts, random_matrix

import fastla

PYX = """
# cython: language_level=3
from libc.stdint cimport int64_t
from fastla.cython_api cimport (
    FASTLA_C64, FASTLA_C128, FASTLA_F16, FASTLA_F32, FASTLA_F64, FASTLA_I8, FASTLA_I16, FASTLA_I32,
    FASTLA_I64, FASTLA_S8_I32, FASTLA_U8_I32, FASTLA_S8U8_I32, FASTLA_U8S8_I32, FASTLA_S16_I32,
    gemm, gemm_c64, gemm_c128, gemm_f32, gemm_f64, gemm_nd, gemm_stacked)

CODES = {
    "float16": FASTLA_F16, "float32": FASTLA_F32, "float64": FASTLA_F64, "complex64": FASTLA_C64,
    "complex128": FASTLA_C128, "int8": FASTLA_I8, "int16": FASTLA_I16, "int32": FASTLA_I32,
    "int64": FASTLA_I64, "uint8": FASTLA_I8, "uint16": FASTLA_I16, "uint32": FASTLA_I32, "uint64": FASTLA_I64,
    "int8->int32": FASTLA_S8_I32, "uint8->int32": FASTLA_U8_I32, "int8,uint8->int32": FASTLA_S8U8_I32,
    "uint8,int8->int32": FASTLA_U8S8_I32, "int16->int32": FASTLA_S16_I32}

def product(x, y, c, str dtype, int threads=0):
    "c = x y for matrices, or stacks with one axis or two; returns the status."
    cdef int code = CODES[dtype], status, ndim = c.ndim - 2
    cdef int64_t m = c.shape[-2], n = c.shape[-1], k = x.shape[-1]
    cdef int64_t xs[4], ys[4], cs[4], shape[4]
    cdef size_t xp = x.ctypes.data, yp = y.ctypes.data, cp = c.ctypes.data
    for i in range(c.ndim):
        xs[i], ys[i], cs[i], shape[i] = x.strides[i], y.strides[i], c.strides[i], c.shape[i]
    with nogil:
        if ndim == 0:
            status = gemm(code, m, n, k, <void *>xp, xs[0], xs[1], <void *>yp, ys[0], ys[1],
                          <void *>cp, cs[0], cs[1], threads)
        elif ndim == 1:
            status = gemm_stacked(code, shape[0], m, n, k, <void *>xp, xs[0], xs[1], xs[2], <void *>yp, ys[0],
                                  ys[1], ys[2], <void *>cp, cs[0], cs[1], cs[2], threads)
        else:
            status = gemm_nd(code, m, n, k, <void *>xp, xs[2], xs[3], <void *>yp, ys[2], ys[3], <void *>cp,
                             cs[2], cs[3], ndim, shape, xs, ys, cs, threads)
    return status

def typed(x, y, c):
    "The same by the function with the dtype in its name, for contiguous matrices."
    cdef int64_t m = c.shape[0], n = c.shape[1], k = x.shape[1], size = c.itemsize
    cdef size_t xp = x.ctypes.data, yp = y.ctypes.data, cp = c.ctypes.data
    cdef int64_t a = k * size, b = n * size
    if c.dtype.char == "f":
        return gemm_f32(m, n, k, <float *>xp, a, size, <float *>yp, b, size, <float *>cp, b, size, 1)
    if c.dtype.char == "d":
        return gemm_f64(m, n, k, <double *>xp, a, size, <double *>yp, b, size, <double *>cp, b, size, 1)
    if c.dtype.char == "F":
        return gemm_c64(m, n, k, <float complex *>xp, a, size, <float complex *>yp, b, size,
                        <float complex *>cp, b, size, 1)
    return gemm_c128(m, n, k, <double complex *>xp, a, size, <double complex *>yp, b, size,
                     <double complex *>cp, b, size, 1)

def of_size(int64_t m, int64_t n, int64_t k, int dtype=FASTLA_F64, int threads=0):
    cdef double one = 1
    cdef int status
    with nogil:
        status = gemm(dtype, m, n, k, &one, 8, 8, &one, 8, 8, &one, 8, 8, threads)
    return status
"""


@pytest.fixture(scope="module")
def user(tmp_path_factory):
    """A module compiled here and now that cimports ours."""
    return build(tmp_path_factory.mktemp("user"), "user.pyx", PYX)


def draw(rng, shape, dtype):
    """Integers over all their range, or numbers whose sums round."""
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        return rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    x = random_matrix(rng, shape, dtype)
    return x * dtype.type(1 + 1j) if dtype.kind == "c" else x


@pytest.mark.parametrize("shape", [
    (0, 3, 4), (1, 1, 1), (3, 0, 4), (1, 90, 80), (90, 80, 1), (150, 300, 140)], ids=str)
def test_same_bits(user, dtype, threads, shape):
    m, k, n = shape
    rng = np.random.default_rng(95)
    a, b, c = random_matrix(rng, (m, k), dtype), random_matrix(rng, (k, n), dtype), np.full((m, n), 7, dtype)
    assert user.product(a, b, c, c.dtype.name, threads) == 0
    assert_same_bits(c, fastla.matmul(a, b), f"{shape}")


def test_strides(user, dtype):
    rng = np.random.default_rng(96)
    a, b = random_matrix(rng, (13, 21), dtype), random_matrix(rng, (21, 17), dtype)
    want = fastla.matmul(a, b)
    for (name, x), (_, y) in zip(layouts(a), reversed(list(layouts(b))), strict=True):
        if x.dtype.isnative and y.dtype.isnative:
            c = np.zeros((17, 13), dtype).T[::-1]
            assert user.product(x, y, c, c.dtype.name) == 0
            assert_same_bits(c, want, name)


@pytest.mark.parametrize("huge", [-1, 2**60, 2**61, 2**62, 2**63 - 1])
def test_sizes_out_of_range(user, huge):
    """Negative, or more bytes than an integer holds, also where the number wraps to a small one."""
    for size in ((huge, 1, 1), (1, huge, 1), (1, 1, huge), (4, huge, 4)):
        assert user.of_size(*size) == 1, size


def test_other_arguments_out_of_range(user):
    assert [user.of_size(1, 1, 1, dtype=d) for d in (-1, 18, 2**31 - 1)] == [1, 1, 1]
    assert user.of_size(1, 1, 1, threads=-1) == 1


KINDS = ["float16", "float32", "float64", "complex64", "complex128", "int8", "int16", "int32", "int64",
         "uint8", "uint16", "uint32", "uint64", "int8->int32", "uint8->int32", "int8,uint8->int32",
         "uint8,int8->int32", "int16->int32"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_dtype(user, kind, rng):
    """Alone, in a stack with one axis, and with two, where operands repeat."""
    operands, _, result = kind.partition("->")
    left, _, right = operands.partition(",")
    a, b = draw(rng, (3, 2, 5, 30), left), draw(rng, (3, 2, 30, 7), right or left)
    for x, y in [(a[0, 0], b[0, 0]), (a[0], b[0]), (a[::-1, 1], np.broadcast_to(b[0, 0], (3, 30, 7))),
                 (a, b), (np.broadcast_to(a[1], a.shape), b[:, ::-1])]:
        want = fastla.matmul(x, y, dtype=result or None)
        c = np.zeros_like(want)
        assert user.product(x, y, c, kind) == 0
        assert c.tobytes() == want.tobytes()
        if x.ndim == 2 and kind in ("float32", "float64", "complex64", "complex128"):
            c[...] = 0
            assert user.typed(x, y, c) == 0
            assert c.tobytes() == want.tobytes()


def test_empty_stacks(user):
    for shape in [(0,), (0, 3), (3, 0)]:
        a, c = np.ones((*shape, 4, 4)), np.ones((*shape, 4, 4))
        assert user.product(a, a, c, "float64") == 0


def test_constants_in_python(user):
    from fastla import cython_api
    assert {kind: getattr(cython_api, name) for kind, name in [
        ("float64", "FASTLA_F64"), ("int64", "FASTLA_I64"), ("int16->int32", "FASTLA_S16_I32")]}.items() \
        <= user.CODES.items()


def test_example(tmp_path, rng):
    powers = build(tmp_path, "powers.pyx", example("cython")).powers
    x, out = random_matrix(rng, (6, 6), np.float64), np.zeros((4, 6, 6))
    powers(x, out)
    last = x
    for got in out:
        last = fastla.matmul(last, x)
        assert_same_bits(got, last)
    with pytest.raises(ValueError, match="square"):
        powers(x[:5].copy(), out)
