/* Random walks on graphs in compressed form: steps of PageRank, and nodes in another order. */
#ifndef FASTLA_RANK_H
#define FASTLA_RANK_H

#include <stdint.h>

#include "fastla/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of some nodes, and each column c: to[i] = alpha sum x[source] + jump_factor[c] jump[i] + sink_factor[c] sink[i], over the edges to node i;
 * x is a rank divided by its node's out-strength. Sums are those of docs/contract.md, "Ranks". */
typedef struct fastla_rank_desc {
  uint32_t struct_size;
  int32_t dtype;       /* of x, ranks and inverse: FASTLA_F32 or _F64 */
  int32_t index_bytes; /* of starts and indices: 4 or 8 */
  int32_t num_threads;
  int64_t nodes, sources, entries, columns; /* edges come from `sources` nodes to `nodes` of them */
  const void *starts, *indices;             /* by targets */
  const void *weights;                      /* of dtype; NULL: all are 1 */
  const void *
      x; /* (sources, columns); next may lie in it: then one thread goes on with what is new (Gauss-Seidel) */
  const void *from;    /* (nodes, columns): the ranks before; may be to */
  const void *inverse; /* (nodes,): 1 / out-strength; 0: no edges go out */
  const double *jump,
      *sink; /* (nodes, columns), or by the strides, in elements; sink may be NULL */
  int64_t jump_row, jump_column, sink_row, sink_column;
  double alpha;
  const double *jump_factor, *sink_factor; /* (columns,) */
  void *to, *next;                         /* (nodes, columns): ranks, and ranks times inverse */
  /* (columns,): sums of |to - from|, of `to` where inverse is 0, and of `to`; in multiples of 2^-FASTLA_RANK_BITS, each term
   * cut off there. Sums of integers: their order, and that of nodes, does not matter. */
  int64_t *change, *dangling, *total;
} fastla_rank_desc;
#define FASTLA_RANK_BITS 60

void fastla_rank_desc_init(fastla_rank_desc *desc);
fastla_status fastla_rank_step(const fastla_rank_desc *desc);

/* An order of nodes in which walks find ranks in the caches: by how many edges go out, coarsely, then by how many come in.
 * order[new] = old; out_degree: (nodes,). */
fastla_status fastla_rank_order(int32_t index_bytes, int64_t nodes, const void *starts,
                                const int64_t *out_degree, void *order);
/* The graph with nodes in that order; edges to a node stay in theirs. weights of weight_bytes 4 or 8, or NULL and 0. */
fastla_status fastla_rank_reorder(int32_t index_bytes, int32_t weight_bytes, int32_t num_threads,
                                  int64_t nodes, const void *starts, const void *indices,
                                  const void *weights, const void *order, void *new_starts,
                                  void *new_indices, void *new_weights);

/* To sums[source] of each edge in turn, on one thread: its weight. weights of weight_bytes 4 or 8. */
void fastla_rank_add_strengths(int32_t index_bytes, int32_t weight_bytes, int64_t entries,
                               const void *indices, const void *weights, double *sums);
/* And 1 for each edge. */
void fastla_rank_add_degrees(int32_t index_bytes, int64_t entries, const void *indices,
                             int64_t *sums);
/* Of each edge, its weight by its source's strength; 0 where that is 0. dtype: of chances, FASTLA_F32 or _F64. */
void fastla_rank_chances(int32_t index_bytes, int32_t weight_bytes, int32_t dtype,
                         int32_t num_threads, int64_t entries, const void *indices,
                         const void *weights, const double *strength, void *chances);

#ifdef __cplusplus
}
namespace fastla {
using RankDesc = fastla_rank_desc;
}  // namespace fastla
#endif
#endif
