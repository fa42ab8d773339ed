/* Sums of rows, and of the products of their elements: what means and covariances are made of. */
#ifndef FASTLA_MOMENTS_H
#define FASTLA_MOMENTS_H

#include <stdint.h>

#include "fastla/gemm.h"
#include "fastla/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fastla_moments_desc {
  uint32_t struct_size;
  int32_t dtype; /* of x and shift: FASTLA_F32 or _F64 */
  int64_t rows, cols;
  const void *x; /* native, aligned, columns contiguous */
  int64_t row_stride;
  const void *shift; /* cols elements, taken from every row */
  double *sums;      /* cols, added to */
  double *
      scatter; /* cols x cols, contiguous, symmetric, added to: the sum of y^T y over rows y = x - shift */
  int32_t num_threads;
} fastla_moments_desc;

void fastla_moments_desc_init(fastla_moments_desc *desc);

/* Columns up to which panels of rows stay in the caches, and this is the way. */
int64_t fastla_moments_cols(int32_t dtype);

/* Products of a chunk of rows have the bits of docs/contract.md, and are added in float64, a chunk after the other; so are
 * the sums, which are chains over each block of rows. Bits do not depend on threads or instruction set. No floating-point
 * flags are left. */
fastla_status fastla_moments(const fastla_moments_desc *desc);

#ifdef __cplusplus
}
namespace fastla {
using MomentsDesc = fastla_moments_desc;
}  // namespace fastla
#endif
#endif
