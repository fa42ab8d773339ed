/* How often the core was called. */
#ifndef FASTLA_CALLS_H
#define FASTLA_CALLS_H

#include <stdint.h>

#include "fastla/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* fastla_gemm, by what it was asked for: a product of matrices, one with a row or a column, a stack of
 * products; those that the gradients of attention are made of count too. Operations on rows stand after
 * FASTLA_CALL_ROW_OP, in the order of fastla_row_operation. */
typedef enum fastla_call {
  FASTLA_CALL_GEMM = 0,
  FASTLA_CALL_GEMV,
  FASTLA_CALL_GEMM_BATCHED,
  FASTLA_CALL_ATTENTION,
  FASTLA_CALL_ATTENTION_BACKWARD,
  FASTLA_CALL_ROW_OP,
  FASTLA_CALLS = FASTLA_CALL_ROW_OP + FASTLA_ROW_OPS
} fastla_call;

/* Calls whose description was valid since the process began, by all threads, and, in a forked one, before
 * that in the one it comes from; -1: there is no such kind. */
int64_t fastla_call_count(int32_t kind);

#ifdef __cplusplus
}
#endif
#endif
