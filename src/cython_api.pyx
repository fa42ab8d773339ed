# cython: language_level=3, freethreading_compatible=True
"""What other compiled code calls: ``from fastla.cython_api cimport gemm, gemm_f64``.

The functions go through the table that ``fastla._core`` exports, so a process has one thread team and one
workspace however many extensions use it. ``cython_api.pxd`` beside this module has the signatures.
"""
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
        int32_t batch_ndim
        const int64_t *batch_shape
        const int64_t *a_batch_strides
        const int64_t *b_batch_strides
        const int64_t *c_batch_strides
        int32_t num_threads

    ctypedef struct fastla_capi:
        void (*gemm_desc_init)(fastla_gemm_desc *desc) noexcept nogil
        int (*gemm)(const fastla_gemm_desc *desc, uint32_t *fp_flags) noexcept nogil


cdef extern from "capi.h":
    const fastla_capi *fastla_import() except NULL


cdef const fastla_capi *table = fastla_import()


cdef int gemm_nd(
    int dtype, int64_t m, int64_t n, int64_t k,
    const void *a, int64_t a_row_stride, int64_t a_col_stride,
    const void *b, int64_t b_row_stride, int64_t b_col_stride,
    void *c, int64_t c_row_stride, int64_t c_col_stride,
    int ndim, const int64_t *shape,
    const int64_t *a_strides, const int64_t *b_strides, const int64_t *c_strides,
    int num_threads) noexcept nogil:
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
    desc.batch_ndim = ndim
    desc.batch_shape = shape
    desc.a_batch_strides = a_strides
    desc.b_batch_strides = b_strides
    desc.c_batch_strides = c_strides
    desc.num_threads = num_threads
    return table.gemm(&desc, NULL)


cdef int gemm(
    int dtype, int64_t m, int64_t n, int64_t k,
    const void *a, int64_t a_row_stride, int64_t a_col_stride,
    const void *b, int64_t b_row_stride, int64_t b_col_stride,
    void *c, int64_t c_row_stride, int64_t c_col_stride, int num_threads) noexcept nogil:
    return gemm_nd(dtype, m, n, k, a, a_row_stride, a_col_stride, b, b_row_stride, b_col_stride,
                   c, c_row_stride, c_col_stride, 0, NULL, NULL, NULL, NULL, num_threads)


cdef int gemm_stacked(
    int dtype, int64_t count, int64_t m, int64_t n, int64_t k,
    const void *a, int64_t a_stride, int64_t a_row_stride, int64_t a_col_stride,
    const void *b, int64_t b_stride, int64_t b_row_stride, int64_t b_col_stride,
    void *c, int64_t c_stride, int64_t c_row_stride, int64_t c_col_stride, int num_threads) noexcept nogil:
    return gemm_nd(dtype, m, n, k, a, a_row_stride, a_col_stride, b, b_row_stride, b_col_stride,
                   c, c_row_stride, c_col_stride, 1, &count, &a_stride, &b_stride, &c_stride, num_threads)


cdef int gemm_f32(
    int64_t m, int64_t n, int64_t k,
    const float *a, int64_t a_row_stride, int64_t a_col_stride,
    const float *b, int64_t b_row_stride, int64_t b_col_stride,
    float *c, int64_t c_row_stride, int64_t c_col_stride, int num_threads) noexcept nogil:
    return gemm(FASTLA_F32, m, n, k, a, a_row_stride, a_col_stride, b, b_row_stride, b_col_stride,
                c, c_row_stride, c_col_stride, num_threads)


cdef int gemm_f64(
    int64_t m, int64_t n, int64_t k,
    const double *a, int64_t a_row_stride, int64_t a_col_stride,
    const double *b, int64_t b_row_stride, int64_t b_col_stride,
    double *c, int64_t c_row_stride, int64_t c_col_stride, int num_threads) noexcept nogil:
    return gemm(FASTLA_F64, m, n, k, a, a_row_stride, a_col_stride, b, b_row_stride, b_col_stride,
                c, c_row_stride, c_col_stride, num_threads)


cdef int gemm_c64(
    int64_t m, int64_t n, int64_t k,
    const float complex *a, int64_t a_row_stride, int64_t a_col_stride,
    const float complex *b, int64_t b_row_stride, int64_t b_col_stride,
    float complex *c, int64_t c_row_stride, int64_t c_col_stride, int num_threads) noexcept nogil:
    return gemm(FASTLA_C64, m, n, k, a, a_row_stride, a_col_stride, b, b_row_stride, b_col_stride,
                c, c_row_stride, c_col_stride, num_threads)


cdef int gemm_c128(
    int64_t m, int64_t n, int64_t k,
    const double complex *a, int64_t a_row_stride, int64_t a_col_stride,
    const double complex *b, int64_t b_row_stride, int64_t b_col_stride,
    double complex *c, int64_t c_row_stride, int64_t c_col_stride, int num_threads) noexcept nogil:
    return gemm(FASTLA_C128, m, n, k, a, a_row_stride, a_col_stride, b, b_row_stride, b_col_stride,
                c, c_row_stride, c_col_stride, num_threads)
