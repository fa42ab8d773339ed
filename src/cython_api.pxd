# Products for Cython code, without the GIL:  from fastla.cython_api cimport gemm_f64
#
# C (m x n) = A (m x k) B (k x n). Strides are in bytes and may have any sign. Returns 0, or a status as in
# fastla/status.h: 1 sizes out of range, 2 no memory (C untouched), 3 unsupported. C must not overlap A or B.
from libc.stdint cimport int64_t

cdef int gemm_f32(
    int64_t m, int64_t n, int64_t k,
    const float *a, int64_t a_row_stride, int64_t a_col_stride,
    const float *b, int64_t b_row_stride, int64_t b_col_stride,
    float *c, int64_t c_row_stride, int64_t c_col_stride,
    int num_threads) noexcept nogil

cdef int gemm_f64(
    int64_t m, int64_t n, int64_t k,
    const double *a, int64_t a_row_stride, int64_t a_col_stride,
    const double *b, int64_t b_row_stride, int64_t b_col_stride,
    double *c, int64_t c_row_stride, int64_t c_col_stride,
    int num_threads) noexcept nogil
