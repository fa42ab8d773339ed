/* Operations of neural networks beside the product: on the rows of a matrix, and attention. */
#ifndef FASTLA_NN_H
#define FASTLA_NN_H

#include <stdint.h>

#include "fastla/gemm.h"
#include "fastla/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* On rows x, of in[0], giving y, of out. */
typedef enum fastla_row_operation {
  FASTLA_SOFTMAX = 0,
  FASTLA_LOG_SOFTMAX,
  FASTLA_SOFTMAX_BACKWARD,     /* in: dy, y */
  FASTLA_LOG_SOFTMAX_BACKWARD, /* in: dy, y */
  /* target: the class of each row, negative: no class; param: label smoothing. Gives stat[0], the losses, and stat[1],
   * the logarithms of sums of exponentials; no out. Backward: from these stat[1], and stat[0], the losses' gradients. */
  FASTLA_CROSS_ENTROPY,
  FASTLA_CROSS_ENTROPY_BACKWARD,
  /* param: epsilon. Gives stat[0], means (of RMS norms: 0), and stat[1], reciprocal roots, if not NULL. Backward: in: dy,
   * x; from these stat; gives sums[0] and sums[1], the gradients of weight and bias, and out, each if not NULL. */
  FASTLA_LAYER_NORM,
  FASTLA_RMS_NORM,
  FASTLA_LAYER_NORM_BACKWARD,
  FASTLA_RMS_NORM_BACKWARD,
  FASTLA_ACTIVATION,
  FASTLA_ACTIVATION_BACKWARD, /* in: dy, x */
  FASTLA_SWIGLU,              /* in: z, up; silu(z) up */
  FASTLA_SWIGLU_BACKWARD,     /* in: dy, z, up; out: the gradient of z, more: that of up */
  FASTLA_ROW_OPS
} fastla_row_operation;

typedef struct fastla_lines {
  const void *data; /* of contiguous elements, native and aligned */
  int64_t stride;   /* bytes from row to row */
} fastla_lines;

typedef struct fastla_row_op_desc {
  uint32_t struct_size;
  int32_t op; /* a fastla_row_operation */
  int32_t
      dtype; /* of in and out: FASTLA_F32, _F64, _F16 or _BF16; of all the others, float32 instead of the latter two */
  int32_t activation;
  int64_t rows, cols;
  fastla_lines in[3], out, more; /* out and more may each be one of in */
  const void *weight, *bias;
  void *stat[2], *sums[2];
  const int64_t *target;
  double param;
  int32_t num_threads;
} fastla_row_op_desc;

void fastla_row_op_desc_init(fastla_row_op_desc *desc);

/* Bits do not depend on the threads, nor those of a row on the others. float16 and bfloat16 are computed as float32 and
 * rounded once. Leaves no floating-point flags. */
fastla_status fastla_row_op(const fastla_row_op_desc *desc);

/* A step of an optimizer: a parameter and what is kept for it change in place (docs/rows.md). */
typedef enum fastla_update_rule {
  FASTLA_SGD = 0, /* state[0]: the velocity, NULL without momentum, which is beta[0] */
  FASTLA_ADAM, /* state: the moments; rate and epsilon with the corrections for the first steps in them */
  FASTLA_UPDATE_RULES
} fastla_update_rule;

typedef struct fastla_update_desc {
  uint32_t struct_size;
  int32_t rule, dtype; /* FASTLA_F32 or _F64, of all arrays, native, aligned, contiguous */
  int32_t nesterov;
  int64_t count; /* of elements */
  void *parameter, *state[2];
  const void *gradient; /* apart from the others, or one of them */
  double rate, shrink, decay, beta[2], epsilon;
  int32_t num_threads;
} fastla_update_desc;

void fastla_update_desc_init(fastla_update_desc *desc);

/* Bits do not depend on the threads. Leaves no floating-point flags. */
fastla_status fastla_update(const fastla_update_desc *desc);

/* Of four axes: batch, heads, rows, columns; strides in bytes, of any sign or 0. */
typedef struct fastla_heads {
  const void *data; /* NULL: absent */
  int64_t strides[4];
} fastla_heads;

/* Each pair (a, b) of a row becomes (a cos - b sin, b cos + a sin). Shapes have four axes, as fastla_heads. */
typedef struct fastla_turn_desc {
  uint32_t struct_size;
  int32_t
      dtype; /* of x and out: FASTLA_F32, _F64, _F16 or _BF16; of cos and sin: float32 instead of the latter two */
  int32_t interleaved; /* neighbours are a pair; else elements i and i + half */
  int32_t back;        /* by the opposite angles */
  int64_t batch, heads, rows, half;
  fastla_heads x, cos, sin, out; /* native and aligned; columns contiguous; out may be x */
  int32_t num_threads;
} fastla_turn_desc;

void fastla_turn_desc_init(fastla_turn_desc *desc);

/* Bits do not depend on the threads, nor those of a row on the others. Leaves no floating-point flags. */
fastla_status fastla_turn(const fastla_turn_desc *desc);

/* out = softmax(scale q k^T + bias, where the mask allows it) v, for each batch and head; heads / kv_heads query heads
 * share one of k and v. Query i stands at position i + offset and sees keys from position - left to position + right
 * (each negative: without limit). Then, in this order: softcap tanh(score / softcap), bias, slopes (-slope |position -
 * key|), mask. A query that sees nothing gives 0; what is hidden may be NaN. docs/rows.md has the bits. */
typedef struct fastla_attention_desc {
  uint32_t struct_size;
  int32_t
      dtype; /* of q, k, v and out: FASTLA_F32, _F64, _F16 or _BF16; bias, slopes, lse: float32 instead of the latter */
  int64_t batch, heads, kv_heads, queries, keys, size, value_size;
  fastla_heads q, k, v; /* native and aligned; columns contiguous */
  fastla_heads bias;
  fastla_heads mask; /* bytes; 0: hidden */
  fastla_heads out;
  const double *slopes;  /* of each head, or NULL */
  void *lse;             /* batch x heads x queries logarithms of sums of exponentials, or NULL */
  double scale, softcap; /* softcap 0: none */
  double
      dropout; /* in [0, 1): weights are 0 with this probability, and otherwise divided by 1 - dropout */
  uint64_t seed; /* of which weights */
  int64_t left, right, offset;
  int32_t num_threads;
} fastla_attention_desc;

void fastla_attention_desc_init(fastla_attention_desc *desc);

/* Bits do not depend on the threads, the other queries, batches and heads, nor on keys that no query sees. Leaves no
 * floating-point flags. */
fastla_status fastla_attention(const fastla_attention_desc *desc);
/* Whether it can be computed. */
fastla_status fastla_check_attention(const fastla_attention_desc *desc);

/* The gradients of q, k and v, of their shapes and dtype, native, aligned, columns contiguous. forward: as it was
 * computed, with out and lse. Bits do not depend on the threads, nor on the other batches and key heads. */
typedef struct fastla_attention_gradients {
  uint32_t struct_size;
  fastla_heads out; /* the gradient of out */
  fastla_heads q, k, v;
} fastla_attention_gradients;

void fastla_attention_gradients_init(fastla_attention_gradients *gradients);
fastla_status fastla_attention_backward(const fastla_attention_desc *forward,
                                        const fastla_attention_gradients *gradients);

#ifdef __cplusplus
}
namespace fastla {
using RowOpDesc = fastla_row_op_desc;
using TurnDesc = fastla_turn_desc;
using UpdateDesc = fastla_update_desc;
using AttentionDesc = fastla_attention_desc;
using AttentionGradients = fastla_attention_gradients;
}  // namespace fastla
#endif
#endif
