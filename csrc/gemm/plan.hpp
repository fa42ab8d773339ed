// Plan: how a product will be computed. A pure function of what is asked, the machine and the settings.
#pragma once
#include <stdint.h>

#include "fastla/gemm.h"
#include "kernels/row.hpp"

namespace fastla {

// What is asked of one product, in the orientation in which it will be computed.
struct Problem {
  int64_t m, n, k;
  Source a, b;
  char *c;
  int64_t c_row_stride, c_col_stride;
  const char *panels;    // B packed beforehand, or nullptr
  const Finish *finish;  // nullptr: the plain product
};

// What the planner may know about the machine and the call.
struct Machine {
  const KernelRow *row;
  int64_t l2, l3;
  int threads;
  int forced_path;
};

constexpr int64_t kCutPieces = 4;

struct Plan {
  int path;
  const KernelRow *row;
  bool transposed;
  bool totals_in_c;  // sums of earlier blocks wait in C; otherwise in scratch
  int threads;
  int64_t mc, nc, kc;  // a block of A's rows (mr times its panels), a panel's columns, a block of K
  int64_t chunk;       // rows that share a pass over B: all, unless their totals need scratch
  int64_t task_cols;   // a task's columns
  int64_t panel_bytes;     // packed: the panel of B
  int64_t worker_scratch;  // bytes for each worker
  int64_t scratch;         // bytes of the call
  double predicted_roof_share;

  int64_t k_blocks(int64_t k) const { return k > kc ? (k + kc - 1) / kc : 1; }
  // Blocks of at most mc rows, as many for each thread.
  int64_t row_blocks(int64_t rows) const {
    if (path != FASTLA_PATH_PACKED) return 1;
    const int64_t panels = panel_count(rows, row->mr), blocks = panel_count(panels, mc / row->mr);
    const int64_t even = panel_count(blocks, threads) * threads;
    return even < panels ? even : panels;
  }
  int64_t col_groups(int64_t cols) const { return (cols + task_cols - 1) / task_cols; }
  // Where a task is a whole block of rows, the last ones, one for each thread, are cut by columns, so that
  // nobody waits for a whole one at the join.
  int64_t cut_blocks(int64_t rows, int64_t cols) const {
    const int64_t blocks = row_blocks(rows);
    if (threads == 1 || path != FASTLA_PATH_PACKED || col_groups(cols) > 1) return 0;
    return blocks < threads ? blocks : threads;
  }
  int64_t tasks(int64_t rows, int64_t cols) const {
    const int64_t cut = cut_blocks(rows, cols);
    return (row_blocks(rows) - cut) * col_groups(cols) + cut * kCutPieces;
  }
};

// A worker's block of A follows a note of the rows that it holds.
constexpr int64_t kBlockHeader = 64;

// What a worker of the direct paths needs: A when byte-swapped, panels of B that cannot be read in place,
// totals of a group of columns.
struct DirectScratch {
  int64_t a, b, totals;
};
DirectScratch direct_scratch(const Problem &problem, const KernelRow &row, int64_t depth,
                             int64_t nc) noexcept;

// C^T = B^T A^T: the same bits, since fma(a, b, s) = fma(b, a, s) and the epilogue's order is kept.
bool should_transpose(const Problem &problem, const KernelRow &row) noexcept;
// Fails only when a size overflows.
fastla_status make_plan(const Problem &problem, const Machine &machine, Plan *plan) noexcept;

}  // namespace fastla
