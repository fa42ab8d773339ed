# cython: language_level=3, freethreading_compatible=True
"""What other compiled code calls: ``from fastla.cython_api cimport gemm_f32, gemm_f64``.

The functions go through the table that ``fastla._core`` exports, so a process has one thread team and one
workspace however many extensions use it. ``cython_api.pxd`` beside this module has the signatures.
"""
from cpython.pycapsule cimport PyCapsule_Import
from libc.stdint cimport int32_t, int64_t, uint32_t

import fastla._core  # the capsule's module must be there first


cdef extern from "capi.h" nogil:
    ctypedef struct fastla_matrix:
        const void *data
        int64_t row_stride
        int64_t col_stride
        int32_t swapped

    ctypedef struct fastla_gemm_desc:
        int32_t dtype
        int64_t m
        int64_t n
        int64_t k
        fastla_matrix a
        fastla_matrix b
        void *c
        int64_t c_row_stride
        int64_t c_col_stride
        int32_t num_threads

    ctypedef struct fastla_capi:
        int32_t version
        void (*gemm_desc_init)(fastla_gemm_desc *desc) noexcept nogil
        int (*gemm)(const fastla_gemm_desc *desc, uint32_t *fp_flags) noexcept nogil

    int FASTLA_F32
    int FASTLA_F64
    int FASTLA_CAPI_VERSION
    const char *FASTLA_CAPI_NAME


cdef const fastla_capi *table = <const fastla_capi *>PyCapsule_Import(FASTLA_CAPI_NAME, 0)
if table.version < FASTLA_CAPI_VERSION:
    raise ImportError(f"fastla._core has C API version {table.version}, {FASTLA_CAPI_VERSION} is needed")


cdef int run(
    int dtype, int64_t m, int64_t n, int64_t k,
    const void *a, int64_t a_row_stride, int64_t a_col_stride,
    const void *b, int64_t b_row_stride, int64_t b_col_stride,
    void *c, int64_t c_row_stride, int64_t c_col_stride, int num_threads) noexcept nogil:
    cdef fastla_gemm_desc desc
    table.gemm_desc_init(&desc)
    desc.dtype = dtype
    desc.m = m
    desc.n = n
    desc.k = k
    desc.a.data = a
    desc.a.row_stride = a_row_stride
    desc.a.col_stride = a_col_stride
    desc.b.data = b
    desc.b.row_stride = b_row_stride
    desc.b.col_stride = b_col_stride
    desc.c = c
    desc.c_row_stride = c_row_stride
    desc.c_col_stride = c_col_stride
    desc.num_threads = num_threads
    return table.gemm(&desc, NULL)


cdef int gemm_f32(
    int64_t m, int64_t n, int64_t k,
    const float *a, int64_t a_row_stride, int64_t a_col_stride,
    const float *b, int64_t b_row_stride, int64_t b_col_stride,
    float *c, int64_t c_row_stride, int64_t c_col_stride,
    int num_threads) noexcept nogil:
    return run(FASTLA_F32, m, n, k, a, a_row_stride, a_col_stride, b, b_row_stride, b_col_stride,
               c, c_row_stride, c_col_stride, num_threads)


cdef int gemm_f64(
    int64_t m, int64_t n, int64_t k,
    const double *a, int64_t a_row_stride, int64_t a_col_stride,
    const double *b, int64_t b_row_stride, int64_t b_col_stride,
    double *c, int64_t c_row_stride, int64_t c_col_stride,
    int num_threads) noexcept nogil:
    return run(FASTLA_F64, m, n, k, a, a_row_stride, a_col_stride, b, b_row_stride, b_col_stride,
               c, c_row_stride, c_col_stride, num_threads)
