/* Whether a finished product is the right one: a random test of every row, and the contract once more, element by
 * element. Neither shares code with the kernels. */
#ifndef FASTLA_VERIFY_H
#define FASTLA_VERIFY_H

#include <stdint.h>

#include "fastla/gemm.h"
#include "fastla/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of every row i of a finished C (of every product of a stack, in C order): difference[i] = |C r - A (B r)|_i for
 * random signs r drawn from seed, and bound[i], which a correct row exceeds rarely (docs/verify.md). A row whose
 * difference is not at most its bound is not shown to be wrong; it has to be computed again. Integers: modulo 2^bits,
 * bound 0, and difference 0 or 1. Of desc no epilogue and no packed_b. Leaves no floating-point flags. */
fastla_status fastla_check_rows(const fastla_gemm_desc *desc, uint64_t seed, double *difference,
                                double *bound);

/* Stores into C what docs/contract.md says, by the C library's fma and plain loops; one product, without epilogue or
 * packed_b. Some ns a multiply-add, shared by the threads. Leaves no floating-point flags. */
fastla_status fastla_reference_gemm(const fastla_gemm_desc *desc);

#ifdef __cplusplus
}
#endif
#endif
