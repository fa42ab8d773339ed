/* What algebraic multigrid is made of besides sparse products with dense blocks: aggregates, and products of two
 * sparse matrices. */
#ifndef FASTLA_MULTIGRID_H
#define FASTLA_MULTIGRID_H

#include <stdint.h>

#include "fastla/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Compressed rows of float64, as fastla_sparse_check has found good; starts[0] is 0. */
typedef struct fastla_csr {
  int64_t rows, cols;
  const int32_t *starts, *indices;
  const double *values;
} fastla_csr;

/* Nodes put together along strong couplings. The coupling of i and j is |a_ij| / sqrt(a_ii a_jj); it is strong if it is
 * at least `share` of the strongest of i's or of j's. Nodes whose couplings add up to less than `least` have no aggregate,
 * -1; of[i] is that of others, and *count how many there are. a is symmetric, its diagonal not negative, and is stored.
 * The result depends on nothing but the order of the nodes. */
fastla_status fastla_aggregate(const fastla_csr *a, double share, double least, int32_t *of,
                               int64_t *count);

/* Rows of a b: first starts (a.rows + 1), then, with these, indices and values. The entries of a row have the order in which
 * they are met, and each is a sum in that order; no bit depends on the threads. FASTLA_INVALID if there are 2^31 entries. */
fastla_status fastla_csr_product_starts(const fastla_csr *a, const fastla_csr *b,
                                        int32_t num_threads, int32_t *starts);
fastla_status fastla_csr_product(const fastla_csr *a, const fastla_csr *b, int32_t num_threads,
                                 const int32_t *starts, int32_t *indices, double *values);

#ifdef __cplusplus
}
namespace fastla {
using Csr = fastla_csr;
}  // namespace fastla
#endif
#endif
