/* The best rows of a matrix for each row of another: products with a row state that takes the place of their result. */
#ifndef FASTLA_RETRIEVAL_H
#define FASTLA_RETRIEVAL_H

#include <stdint.h>

#include "fastla/gemm.h"
#include "fastla/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Rows of contiguous elements of one dtype, native and aligned; vectors are contiguous. */
typedef struct fastla_rows {
  const void *data; /* NULL: absent, where that is allowed */
  int64_t stride;   /* bytes */
} fastla_rows;

/* For each row i of q the k rows j of x with the largest score: of all rows but exclude[i], of equals those with the lower
 * j, best first. The score is the element of q x^T with the bits of docs/contract.md, then scaled and biased as by an
 * epilogue. A NaN counts as the least.
 *
 * With from and to (q and x as they were before they were shifted or rounded) scores only say what may be near: the k
 * rows of `to` with the least squared_distance from row i, in float64, are found, however close others are, if
 *   |half_square[i] - squared_distance / 2 - score| <= slack[i]   for all of them.
 * values are then distances. */
typedef struct fastla_topk_desc {
  uint32_t struct_size;
  int32_t dtype; /* FASTLA_F32 or FASTLA_F64 */
  int64_t m, n, size, k;
  fastla_rows q, x;                             /* m and n rows of size elements */
  const void *row_scale, *col_scale, *col_bias; /* m, n and n elements, or NULL */
  const int64_t *exclude;                       /* m, or NULL; -1: none */
  fastla_rows from, to;                         /* m and n rows of size elements, or NULL */
  const double *half_square, *slack;            /* m, with from and to */
  void *values;                                 /* m x k */
  int64_t *indices;                             /* m x k */
  int32_t num_threads;
} fastla_topk_desc;

void fastla_topk_desc_init(fastla_topk_desc *desc);

/* The q x^T of a block of rows and columns at a time is all that is held. Results do not depend on blocks, threads or
 * instruction set. k is at most n, or n - 1 where a row is excluded. No floating-point flags are left. */
fastla_status fastla_topk(const fastla_topk_desc *desc);

/* Squared distances of rows x[i] from y[index[i]], or from y[0] where index is NULL, in float64: a difference and its
 * square are rounded there, and sums are of lanes e mod 8, joined in a fixed tree. */
fastla_status fastla_row_distances(int32_t dtype, int64_t rows, int64_t size, fastla_rows x,
                                   fastla_rows y, const int32_t *index, double *out);

/* A step of k-means: of each row of x the nearest centre, and the weighted sums of the rows that have each. */
typedef struct fastla_lloyd_desc {
  uint32_t struct_size;
  int32_t dtype; /* FASTLA_F32 or FASTLA_F64 */
  int64_t rows, size, k;
  fastla_rows x;         /* rows of size elements */
  const void *centers;   /* size x k: a column is a centre */
  const void *bias;      /* k: -|centre|^2 / 2 */
  const void *weights;   /* rows, or NULL: all are 1 */
  int32_t *labels;       /* rows */
  double *sums, *counts; /* k x size and k; NULL, both: labels alone */
  int32_t num_threads;
} fastla_lloyd_desc;

void fastla_lloyd_desc_init(fastla_lloyd_desc *desc);

/* labels[i] is the first j with the largest element of x centers + bias, with the bits of docs/contract.md. Sums are those of
 * sparse products for chunks of rows, added in float64 in a fixed order. No bit depends on threads. Leaves no flags. */
fastla_status fastla_lloyd(const fastla_lloyd_desc *desc);

/* Of each row the k nearest others, where `axis` tells much: the rows come in its rising order. */
typedef struct fastla_sweep_desc {
  uint32_t struct_size;
  int32_t dtype; /* FASTLA_F32 or FASTLA_F64 */
  int64_t rows, size, axis, k;
  fastla_rows x;        /* rows of size finite elements */
  const int64_t *names; /* rows: what each is called, a permutation of 0 to rows - 1 */
  void *values;         /* rows x k, by name */
  int64_t *indices;     /* rows x k, by name: names */
  int32_t num_threads;
} fastla_sweep_desc;

void fastla_sweep_desc_init(fastla_sweep_desc *desc);

/* What fastla_topk finds with from and to, each row without itself. k is less than rows. Leaves no flags. */
fastla_status fastla_sweep(const fastla_sweep_desc *desc);

#ifdef __cplusplus
}
namespace fastla {
using SweepDesc = fastla_sweep_desc;
using LloydDesc = fastla_lloyd_desc;
using TopkDesc = fastla_topk_desc;
}  // namespace fastla
#endif
#endif
