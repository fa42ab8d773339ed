// Integers, complex numbers and float16 with operands in place.
#include "gemm/plan_parts.hpp"

namespace fastla {
namespace {

// Loops of integers are as fast as packing up to so many multiply-adds, up to more along wide rows of B, and for very few
// rows of A whatever B.
constexpr double kLoopWork = 2e3, kWideWork = 17e3;
constexpr int64_t kWide = 32, kLoopRows = 3;
// Complex numbers in place: as many rows of A, or bytes in a row of B, or multiply-adds.
constexpr int64_t kComplexRows = 16, kComplexBytes = 512;
constexpr double kComplexWork = 300e3;
// float16, which takes one multiply-add after the other in place.
constexpr double kHalvesWork = 200;
constexpr int64_t kHalvesElements = 4;
// Products that are so small are not worth a plan.
constexpr double kNoPlanWork = 17e3;
constexpr int64_t kTasksPerThread = 4;
// Totals of earlier blocks of K of one task.
constexpr int64_t kTotalsBytes = 256 << 10;

}  // namespace

bool could_be_in_place(const Problem &p, const KernelRow &row) noexcept {
  if (p.a.swapped || p.b.swapped) return false;
  if (row.family == Family::halves && p.finish) return false;
  const bool along = p.b.col_stride == row.input_size, down = p.b.row_stride == row.input_size;
  return row.family != Family::complex || along || (down && p.m <= row.mr);
}

bool in_place_pays(const Problem &p, const KernelRow &row) noexcept {
  if (row.family == Family::complex)
    return p.m <= kComplexRows || p.n * row.input_size <= kComplexBytes || work(p) <= kComplexWork;
  if (row.family == Family::halves) return work(p) <= kHalvesWork || p.m * p.n <= kHalvesElements;
  const bool wide = p.n >= kWide && (p.m <= kLoopRows || work(p) <= kWideWork);
  return p.m == 1 || p.n == 1 || wide || work(p) <= kLoopWork;
}

bool in_place_needs_no_plan(const Problem &p, const KernelRow &row) noexcept {
  const bool one_block = row.family != Family::complex || p.k <= kBlockLength;
  return p.m > 0 && p.n > 0 && one_block && work(p) <= kNoPlanWork && could_be_in_place(p, row) &&
         in_place_pays(p, row) && !should_transpose(p, row);
}

// With more than one block of K the sums of the earlier ones wait in scratch: tasks, and columns at a time, are of as many
// as stay near.
void block_in_place(const Problem &p, Plan *plan) noexcept {
  const KernelRow &row = *plan->row;
  const int64_t nr = row.nr, tasks = plan->threads == 1 ? 1 : kTasksPerThread * plan->threads;
  if (row.family != Family::complex) plan->mr = 1;
  const int64_t row_panels = panel_count(p.m, plan->mr), col_panels = panel_count(p.n, nr);
  const int64_t near = kTotalsBytes / (nr * row.element_size);  // rows of one panel
  const bool totals = p.k > plan->kc;
  plan->deal = nr;
  plan->row_tasks = smaller(tasks, row_panels);
  plan->col_tasks = clamp(tasks / plan->row_tasks, 1, col_panels);
  if (totals) plan->row_tasks = clamp(ceil_div(p.m, near), plan->row_tasks, row_panels);
  plan->tasks = plan->row_tasks * plan->col_tasks;
  plan->mc = part_of(p.m, plan->mr, plan->row_tasks, 0).size();
  plan->nc = ceil_div(col_panels, plan->col_tasks) * nr;
  if (totals) {
    plan->nc = clamp(near / plan->mc * nr, nr, plan->nc);
    plan->totals_bytes = round_up(plan->mc * plan->nc * row.element_size, 64);
  }
  plan->worker_scratch = plan->totals_bytes;
  plan->scratch = plan->worker_scratch * plan->threads;
}

}  // namespace fastla
