// Integers and complex numbers with operands in place.
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

}  // namespace

bool could_be_in_place(const Problem &p, const KernelRow &row) noexcept {
  if (p.a.swapped || p.b.swapped) return false;
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

void block_in_place(const Problem &p, Plan *plan) noexcept {
  const int64_t nr = plan->row->nr;
  const int64_t tasks = plan->threads == 1 ? 1 : kTasksPerThread * plan->threads;
  if (plan->row->family == Family::integers) plan->mr = 1;
  plan->deal = nr;
  plan->row_tasks = smaller(tasks, panel_count(p.m, plan->mr));
  plan->col_tasks = clamp(tasks / plan->row_tasks, 1, panel_count(p.n, nr));
  plan->tasks = plan->row_tasks * plan->col_tasks;
  plan->mc = part_of(p.m, plan->mr, plan->row_tasks, 0).size();
  plan->nc = round_up(p.n, nr);
  if (p.k > plan->kc)
    plan->totals_bytes = round_up(plan->mc * plan->nc * plan->row->element_size, 64);
  plan->worker_scratch = plan->totals_bytes;
  plan->scratch = plan->worker_scratch * plan->threads;
}

}  // namespace fastla
