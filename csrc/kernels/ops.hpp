// Operations on rows, steps of optimizers, sparse products and searches, as a table beside the kernel rows: float32 and
// float64, one table for each instruction set.
#pragma once
#include <stdint.h>

#include "fastla/nn.h"

namespace fastla {

// Rows of contiguous elements; data may be nullptr where an operation does without it.
struct Lines {
  const char *data;
  int64_t stride;  // bytes
};

// Some rows of what fastla_row_op was asked for (fastla/nn.h).
struct RowArgs {
  int64_t rows, cols;
  Lines in[3], out, more;
  const char *weight, *bias;  // vectors of cols elements, or nullptr
  char *stat[2];              // an element for each row
  char *sums[2];              // vectors of cols elements
  const int64_t *target;
  double param;
  int activation;
  bool far;     // out is large, lies elsewhere than in, and is not read soon
  char *spare;  // a row, if far
};

// Rows of pairs, turned (fastla/nn.h).
struct TurnArgs {
  int64_t rows, half;
  Lines x, cos, sin, out;
  bool interleaved, back;
};

// Keys of a chunk (docs/rows.md): part of the result's definition.
constexpr int64_t kKeys = 256;

// Rows of scores of one chunk of keys, whose columns [begin, end) are in use; all positions count from the chunk's first.
struct AttendArgs {
  int64_t rows, begin, end;
  char *scores;
  int64_t stride;
  const int64_t *low, *high;  // the keys that each row sees
  const char *const *bias;    // of each row, as masks (bytes; 0: hidden); nullptr: none
  const char *const *mask;
  int64_t bias_step, mask_step;
  const double *slope;  // of each row, from whose position the scores fall off; nullptr: none
  const int64_t *position;
  double softcap;  // 0: none
  double dropout;  // the share of weights that become 0; the others grow
  uint64_t seed;
  const int64_t *number;  // of each row's first weight, among all
  char *most, *sum;       // of each row, of the weights that the scores become
};
// What goes back through weights; rows as of the scores. shift: of each row, the sum of its result times its gradient.
struct AttendGradients {
  char *gradients;
  const char *lse, *shift;
};
// The chunk's state joins the rows' own.
struct MergeArgs {
  int64_t rows, cols;
  char *out, *most, *sum;
  int64_t out_stride;
  const char *chunk_out, *chunk_most, *chunk_sum;
  int64_t chunk_stride;
};

// Rows less a shift, as steps of panels of so many columns, and their sums: of each column a chain that goes on from what
// is there.
struct CentreArgs {
  int64_t rows, cols;
  const char *x;
  int64_t stride;
  const char *shift;
  char *panels;
  int64_t panel_cols, panel_bytes;
  char *sums;
};

// Nodes begin to end of a step of PageRank (fastla/rank.h).
struct RankArgs {
  int64_t begin, end, entries, columns;
  int index_bytes;
  bool far;  // ranks do not stay in L2
  const char *starts, *indices, *weights, *x, *from, *inverse;
  const double *jump, *sink;
  int64_t jump_row, jump_column, sink_row, sink_column;
  double alpha;
  const double *jump_factor, *sink_factor;
  char *to, *next;
  uint64_t *change, *dangling, *total;
};

// Rows of a sparse matrix times B (fastla/sparse.h).
struct SparseArgs {
  int64_t rows, columns;  // of C
  const char *starts;     // of the first row; all count from indices and values
  const char *indices, *values;
  int64_t entries;  // of the whole matrix
  int index_bytes;
  int64_t value_step;  // 0: all values are the first
  const char *b;
  char *c;
  int64_t b_stride, c_stride;
  bool far;  // B does not stay in L2
};

struct RowOps {
  void (*of[FASTLA_ROW_OPS])(const RowArgs &);
  // Of count elements, from that one on.
  void (*update[FASTLA_UPDATE_RULES])(const fastla_update_desc &, int64_t first, int64_t count);
  void (*turn)(const TurnArgs &);
  void (*attend)(const AttendArgs &);
  void (*attend_backward)(const AttendArgs &, const AttendGradients &);
  void (*merge)(const MergeArgs &);
  // The sum of products of two rows, in virtual lanes.
  double (*dot)(const char *x, const char *y, int64_t cols);
  void (*divide)(const char *x, double by, char *to, int64_t cols);
  double (*log_of)(double x);
  void (*centre)(const CentreArgs &);
  void (*sparse)(const SparseArgs &);
  void (*rank)(const RankArgs &);
  // The first of the elements from `from` on that is not below `least` (a NaN never is); count if there is none.
  int64_t (*next_not_below)(const char *x, int64_t from, int64_t count, double least);
  // The first of the largest elements; a NaN is none.
  int64_t (*first_largest)(const char *x, int64_t count);
  // The sum of squared differences of two rows, in float64.
  double (*squared_distance)(const char *x, const char *y, int64_t cols);
};
struct OpTable {
  RowOps of[2];  // float32, float64
};
extern const OpTable avx512_ops, avx2_ops, neon_ops, generic_ops;

// Of the instruction set in force.
const OpTable &chosen_ops() noexcept;

}  // namespace fastla
