/* The product C = epilogue(A B): what is asked (fastla_gemm_desc), how it will be done (fastla_plan_info).
 *
 * All strides are in bytes and may have any sign or be zero. A and B may be unaligned or byte-swapped;
 * C is native and aligned for its dtype, and overlaps neither A nor B. The bits of C are those of
 * docs/contract.md, whatever the strides, the thread count, the path or the instruction set.
 *
 * Every struct starts with struct_size; the *_init functions set it and the defaults, so that a field
 * added later never changes the meaning of a caller compiled before. */
#ifndef FASTLA_GEMM_H
#define FASTLA_GEMM_H

#include <stdint.h>

#include "fastla/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of a product. Floating point: of A, B and C. Integers, exact modulo 2^bits: of A, B and C, which are signed or not, the
 * bits being the same; or of A and B, whose C has more bits (S: signed, U: unsigned; first A's, then B's, or both). Only
 * float32 and float64 have packed operands and activations of arrays; they, float16 and bfloat16 have epilogues. */
typedef enum fastla_dtype {
  FASTLA_F32 = 0,
  FASTLA_F64 = 1,
  FASTLA_FLOATS = 2,
  FASTLA_I8 = 2,
  FASTLA_I16,
  FASTLA_I32,
  FASTLA_I64,
  FASTLA_S8_I32,
  FASTLA_U8_I32,
  FASTLA_S8U8_I32,
  FASTLA_U8S8_I32,
  FASTLA_S16_I32,
  FASTLA_C64, /* complex numbers of two float32, and of two float64 */
  FASTLA_C128,
  FASTLA_F16,      /* summed as float32 */
  FASTLA_BF16,     /* bfloat16: summed as float32, with subnormal numbers taken for 0 and made 0 */
  FASTLA_BF16_F32, /* the same, C float32 */
  FASTLA_DTYPES,   /* those that kernel rows compute */
  FASTLA_BOOL_OR = FASTLA_DTYPES, /* bytes, true where they are not 0: C is the OR of ANDs */
  FASTLA_BOOL_XOR,                /* or the exclusive OR */
  FASTLA_ALL_DTYPES
} fastla_dtype;

typedef enum fastla_activation {
  FASTLA_ACT_NONE = 0,
  FASTLA_ACT_RELU,
  FASTLA_ACT_GELU,
  FASTLA_ACT_GELU_TANH,
  FASTLA_ACT_SILU,
  FASTLA_ACT_TANH,
  FASTLA_ACT_SIGMOID,
  FASTLA_ACTIVATIONS
} fastla_activation;

typedef enum fastla_path {
  FASTLA_PATH_AUTO = 0,
  FASTLA_PATH_PACKED, /* both operands packed, five loops, threaded */
  FASTLA_PATH_DIRECT, /* operands read in place (B packed where that does not do) */
  FASTLA_PATH_VECTOR, /* one row (or one column, transposed): B streams once */
  FASTLA_PATHS
} fastla_path;

/* Floating-point exceptions, as bits. */
enum {
  FASTLA_FP_INVALID = 1,
  FASTLA_FP_DIVIDE = 2,
  FASTLA_FP_OVERFLOW = 4,
  FASTLA_FP_UNDERFLOW = 8
};

/* What a product is beside its operands, as bits. */
enum {
  FASTLA_CONJ_A = 1, /* of complex numbers: A, or B, is conjugated */
  FASTLA_CONJ_B = 2,
  /* C is known to equal its transpose, or conjugate transpose where one operand is conjugated (B is A transposed), so
   * that half of it may be computed and the other half copied. No epilogue, no stack. */
  FASTLA_SYMMETRIC = 4,
  /* float32, float64, without epilogue and packed_b: fewer multiplications (Strassen-Winograd), within a norm-wise bound
   * instead of with the bits of docs/contract.md. */
  FASTLA_FAST = 8
};

typedef struct fastla_matrix {
  const void *data; /* NULL: absent (in an epilogue) */
  int64_t row_stride, col_stride;
  int32_t swapped; /* elements are in the other byte order (A and B only) */
} fastla_matrix;

typedef struct fastla_vector {
  const void *data; /* NULL: absent; else native and aligned */
  int64_t stride;
} fastla_vector;

/* What happens to a finished element y, in this order, each step one rounding:
 *   alpha*y;  y*row_scale*col_scale;  fma(beta, c, y);  y + col_bias;  y + row_bias;
 *   activation(y);  y * gate;  y + residual.
 * Absent steps are skipped. c is not read when beta is 0. Matrices and vectors are native and aligned, and of
 * float32 where elements have 16 bits; c, gate and residual may be the output itself (the same data, strides and dtype). */
typedef struct fastla_epilogue {
  uint32_t struct_size;
  int32_t activation;
  double alpha, beta;
  fastla_vector row_scale, col_scale; /* m and n entries */
  fastla_matrix c;
  fastla_vector col_bias, row_bias; /* n and m entries */
  fastla_matrix gate, residual;
} fastla_epilogue;

typedef struct fastla_packed fastla_packed;

typedef struct fastla_gemm_desc {
  uint32_t struct_size;
  int32_t dtype;
  int64_t m, n, k;
  fastla_matrix a; /* m x k */
  fastla_matrix b; /* k x n; ignored when packed_b is given */
  void *c;         /* m x n */
  int64_t c_row_stride, c_col_stride;
  const fastla_packed *packed_b;   /* NULL: b is used */
  const fastla_epilogue *epilogue; /* NULL: the plain product; otherwise batch_ndim must be 0 */
  int32_t batch_ndim;
  const int64_t *batch_shape, *a_batch_strides, *b_batch_strides, *c_batch_strides;
  int32_t num_threads; /* 0: fastla_get_num_threads() */
  uint32_t flags;      /* FASTLA_CONJ_A, ... */
} fastla_gemm_desc;

void fastla_epilogue_init(fastla_epilogue *epilogue);
void fastla_gemm_desc_init(fastla_gemm_desc *desc);

/* Computes the product. fp_flags (may be NULL) receives the exceptions that real elements raised; they
 * are also ORed into the caller's floating-point status. The caller's rounding mode, FTZ and DAZ neither
 * matter nor change. */
fastla_status fastla_gemm(const fastla_gemm_desc *desc, uint32_t *fp_flags);

typedef struct fastla_plan_info {
  uint32_t struct_size;
  int32_t path;       /* a fastla_path */
  const char *isa;    /* name of the kernel row */
  int32_t transposed; /* C^T = B^T A^T is computed instead */
  int32_t threads;
  int64_t mr, nr, mc, nc, kc,
      tasks; /* pieces handed out dynamically; on the packed path per K block and panel of B */
  int64_t scratch_bytes;
  double predicted_roof_share; /* 0..1, a guess from a simple model */
  /* Of Strassen-Winograd; 0: none. If any, what is above is the plan of the first product that is left, but for
   * scratch_bytes. */
  int32_t levels;
} fastla_plan_info;

void fastla_plan_info_init(fastla_plan_info *info);
fastla_status fastla_explain(const fastla_gemm_desc *desc, fastla_plan_info *info);

/* An immutable copy of the k x n operand B in the panel layout of the current kernel row. */
fastla_status fastla_pack_b(int32_t dtype, int64_t k, int64_t n, const fastla_matrix *b,
                            fastla_packed **packed);
/* Copies it back to a k x n matrix with the given byte strides. */
fastla_status fastla_unpack_b(const fastla_packed *packed, void *b, int64_t row_stride,
                              int64_t col_stride);
int64_t fastla_packed_bytes(const fastla_packed *packed);
/* 1 if the panels suit the kernel row in force (it changes with fastla_use_isa). */
int32_t fastla_packed_current(const fastla_packed *packed);
void fastla_packed_free(fastla_packed *packed);

#ifdef __cplusplus
}
namespace fastla {
using GemmDesc = fastla_gemm_desc;
using Epilogue = fastla_epilogue;
using Matrix = fastla_matrix;
using Vector = fastla_vector;
}  // namespace fastla
#endif
#endif
