/* Sparse matrices in compressed rows (CSR): their products with dense ones. */
#ifndef FASTLA_SPARSE_H
#define FASTLA_SPARSE_H

#include <stdint.h>

#include "fastla/gemm.h"
#include "fastla/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Row i has the stored entries starts[i] to starts[i + 1] - 1, in any order of columns, duplicates too: those add up. */
typedef struct fastla_sparse_desc {
  uint32_t struct_size;
  int32_t dtype; /* of values: FASTLA_F32 or _F64; of a transposition FASTLA_C64 or _C128 too */
  int32_t index_bytes; /* of starts and indices: 4 or 8 */
  int32_t num_threads;
  int64_t rows, cols, entries;  /* starts[rows] is at most entries */
  const void *starts, *indices; /* native, aligned, contiguous */
  const void *values;           /* the same; NULL: all are 1 */
} fastla_sparse_desc;

void fastla_sparse_desc_init(fastla_sparse_desc *desc);

/* Whether starts begin with 0, never fall and end within entries, and all indices are columns. FASTLA_INVALID with *row,
 * the first row whose start or end is wrong, or *entry, the place of the first index that is none; the others are -1.
 * What is below relies on it. */
fastla_status fastla_sparse_check(const fastla_sparse_desc *desc, int64_t *row, int64_t *entry);

/* c = a b: rows of contiguous elements, native and aligned, strides in bytes from row to row; c lies apart from all
 * others. docs/contract.md has the bits, which do not depend on the threads. Leaves no floating-point flags. */
fastla_status fastla_sparse_matmul(const fastla_sparse_desc *a, const void *b, int64_t b_stride,
                                   void *c, int64_t c_stride, int64_t columns);

/* The transposed: cols + 1 starts, and entries by new rows, in each in increasing order of their old ones; entries of an
 * old row in their order. values: NULL if those of a are. */
fastla_status fastla_sparse_transpose(const fastla_sparse_desc *a, void *starts, void *indices,
                                      void *values);

#ifdef __cplusplus
}
namespace fastla {
using SparseDesc = fastla_sparse_desc;
}  // namespace fastla
#endif
#endif
