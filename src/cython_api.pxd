# Products for Cython code, without the GIL:  from fastla.cython_api cimport gemm, gemm_f64, FASTLA_I64
#
# C (m x n) = A (m x k) B (k x n). Strides are in bytes and may have any sign. num_threads 0: as many as fastla takes
# anywhere. Returns 0, or a status as in fastla/status.h: 1 an argument out of range, 2 no memory (C untouched),
# 3 unsupported. C must not overlap A or B. The examples and the rules are in docs/compiled.md.
from libc.stdint cimport int64_t

# fastla_dtype of fastla/gemm.h: of A, B and C, or of A and B (S: signed, U: unsigned) and then C's.
cpdef enum:
    FASTLA_F32 = 0
    FASTLA_F64 = 1
    FASTLA_I8 = 2  # these four: signed or not, the bits being the same
    FASTLA_I16 = 3
    FASTLA_I32 = 4
    FASTLA_I64 = 5
    FASTLA_S8_I32 = 6
    FASTLA_U8_I32 = 7
    FASTLA_S8U8_I32 = 8
    FASTLA_U8S8_I32 = 9
    FASTLA_S16_I32 = 10
    FASTLA_C64 = 11
    FASTLA_C128 = 12
    FASTLA_F16 = 13
    FASTLA_BF16 = 14
    FASTLA_BF16_F32 = 15
    FASTLA_BOOL_OR = 16
    FASTLA_BOOL_XOR = 17

# Any dtype.
cdef int gemm(
    int dtype, int64_t m, int64_t n, int64_t k,
    const void *a, int64_t a_row_stride, int64_t a_col_stride,
    const void *b, int64_t b_row_stride, int64_t b_col_stride,
    void *c, int64_t c_row_stride, int64_t c_col_stride,
    int num_threads) noexcept nogil

# count products, each operand so many bytes after the one before it; 0 uses one A or B for all.
cdef int gemm_stacked(
    int dtype, int64_t count, int64_t m, int64_t n, int64_t k,
    const void *a, int64_t a_stride, int64_t a_row_stride, int64_t a_col_stride,
    const void *b, int64_t b_stride, int64_t b_row_stride, int64_t b_col_stride,
    void *c, int64_t c_stride, int64_t c_row_stride, int64_t c_col_stride,
    int num_threads) noexcept nogil

# Stacks with ndim axes (at most 64), outermost first.
cdef int gemm_nd(
    int dtype, int64_t m, int64_t n, int64_t k,
    const void *a, int64_t a_row_stride, int64_t a_col_stride,
    const void *b, int64_t b_row_stride, int64_t b_col_stride,
    void *c, int64_t c_row_stride, int64_t c_col_stride,
    int ndim, const int64_t *shape,
    const int64_t *a_strides, const int64_t *b_strides, const int64_t *c_strides,
    int num_threads) noexcept nogil

# gemm with the dtype in its name.
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

cdef int gemm_c64(
    int64_t m, int64_t n, int64_t k,
    const float complex *a, int64_t a_row_stride, int64_t a_col_stride,
    const float complex *b, int64_t b_row_stride, int64_t b_col_stride,
    float complex *c, int64_t c_row_stride, int64_t c_col_stride,
    int num_threads) noexcept nogil

cdef int gemm_c128(
    int64_t m, int64_t n, int64_t k,
    const double complex *a, int64_t a_row_stride, int64_t a_col_stride,
    const double complex *b, int64_t b_row_stride, int64_t b_col_stride,
    double complex *c, int64_t c_row_stride, int64_t c_col_stride,
    int num_threads) noexcept nogil
