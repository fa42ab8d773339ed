// Plan: how a product will be computed. A pure function of what is asked, the machine and the settings.
#pragma once
#include <stdint.h>

#include "fastla/gemm.h"
#include "kernels/row.hpp"

namespace fastla {

struct Summed;  // additions.hpp

inline int64_t smaller(int64_t a, int64_t b) noexcept { return a < b ? a : b; }
inline int64_t larger(int64_t a, int64_t b) noexcept { return a < b ? b : a; }

// Panels of a block of A that use a panel of B while it is in L1; with fewer B has to come too often.
constexpr int64_t kPanelsPerBlock = 4;

// Multiply-adds times the element's bytes. Up to kThreadWork a second thread costs more than it saves even when it is
// awake (float32 63^3 takes 3 us on one thread, float64 50^3), up to kBriefWork when it has to be woken first.
constexpr double kThreadWork = 1e6, kBriefWork = 4e6;

struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};
// Part `index` of [0, size) in whole panels of so many elements; all parts have nearly as many, the first most.
inline Range part_of(int64_t size, int64_t panel, int64_t parts, int64_t index) noexcept {
  if (parts == 1) return {0, size};
  const int64_t panels = panel_count(size, panel);
  const int64_t begin = panel_start(panels, parts, index) * panel;
  return {begin, smaller(size, panel_start(panels, parts, index + 1) * panel)};
}

// What is asked of one product, in the orientation in which it will be computed.
struct Problem {
  int64_t m, n, k;
  Source a, b;
  char *c;
  int64_t c_row_stride, c_col_stride;
  const char *panels;    // B packed beforehand, or nullptr
  const Finish *finish;  // nullptr: the plain product
  bool conj_a = false, conj_b = false;
  bool symmetric = false;  // FASTLA_SYMMETRIC
  // Operands that are sums, whose first terms a and b are; nullptr: they are not. Always packed.
  const Summed *a_sum = nullptr, *b_sum = nullptr;
};

// What the planner may know about the machine and the call.
struct Machine {
  const KernelRow *row;
  int64_t l2, l3;
  int threads;
  int forced_path;
};

struct Plan {
  int path;
  const KernelRow *row;
  bool transposed;
  int threads;
  int64_t mr;          // rows of a tile, at most the row's
  int64_t mc, nc, kc;  // a block of A's rows (mr times its panels), a panel's columns, a block of K
  int64_t tasks;  // handed out to the threads (packed: for each panel of B; shared K: each round)
  int64_t worker_scratch;  // bytes for each worker
  int64_t scratch;         // bytes of the call
  bool along_rows;         // Block::along_rows
  bool c_near;             // Block::c_near
  bool items;              // a stack's items by a kernel of their own
  int64_t items_ahead;     // Items::ahead
  bool streamed;           // a stack's products are written past the caches
  bool upper;              // Block::upper: the rest is copied

  // The packed path.
  bool totals_in_c;     // sums of earlier blocks wait in C; otherwise in scratch
  bool strips_of_rows;  // or of columns
  int64_t strips;
  int64_t chunk;  // rows of a strip that share a pass over B: all, unless their totals need scratch
  int64_t b_copies;  // two where the next panel of B is packed while the last one is still read
  int64_t b_share;   // Block::b_share
  bool keep_a;       // a worker packs each block of A once, for all panels of B
  int64_t a_flags;   // behind them: a byte for each, whether it is there
  int64_t panel_bytes, strip_header, strip_scratch;
  int64_t sum_bytes;  // the end of a worker's scratch: a part of an operand that is a sum

  // The direct paths: a task is up to mc rows by some columns, of which nc at a time; what it copies.
  int64_t row_tasks, col_tasks;
  int64_t deal;  // columns come to the tasks in so many at least
  bool copy_a, copy_b, down_columns, skewed, a_far, flowing, plain;
  bool keep_b;      // a worker copies all of B once, for all its tasks; behind it: whether it has
  int64_t steps;    // of K at a time; 0: a block of K at once
  int row_steps;    // Block::row_steps
  int64_t b_ahead;  // Block::b_ahead
  int64_t a_bytes, b_bytes, totals_bytes;
  int64_t slots,
      slot_bytes;  // blocks of K computed at a time where threads share them; 0: they do not

  int64_t k_blocks(int64_t k) const { return k > kc ? (k + kc - 1) / kc : 1; }
  int64_t threads_per_strip() const { return panel_count(threads, strips); }
  // Blocks of at most mc rows; as many for each thread of the strip, unless they would become too low.
  int64_t row_blocks(int64_t rows) const {
    const int64_t panels = panel_count(rows, mr), blocks = panel_count(panels, mc / mr);
    const int64_t even = panel_count(blocks, threads_per_strip()) * threads_per_strip();
    return even * kPanelsPerBlock <= panels ? even : blocks;
  }
};

// What the threads of a strip share, at the head of its scratch: so many counters and one for each block of
// rows, a cache line each.
constexpr int64_t kStripCounters = 4, kCounterBytes = 64;

// C^T = B^T A^T; the epilogue is the caller's to transpose.
void transpose(Problem *problem) noexcept;
// Whether it is better computed so: the same bits, since fma(a, b, s) = fma(b, a, s) and the epilogue's order is kept.
bool should_transpose(const Problem &problem, const KernelRow &row) noexcept;
// Fails only when a size overflows.
fastla_status make_plan(const Problem &problem, const Machine &machine, Plan *plan) noexcept;
// A guess, 0 to 1.
double predicted_roof_share(const Problem &problem, const Plan &plan) noexcept;

}  // namespace fastla
