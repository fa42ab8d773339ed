// Integers: packed, or loops over operands in place.
#include "gemm/plan_parts.hpp"

namespace fastla {
namespace {

// More multiply-adds than these are packed.
constexpr double kLoopWork = 16e3;
constexpr int64_t kTasksPerThread = 4;

}  // namespace

bool loops_pay(const Problem &p) noexcept {
  return p.m == 1 || p.n == 1 || work(p) <= kLoopWork;
}

bool loops_need_no_plan(const Problem &p) noexcept {
  return p.m > 0 && p.n > 0 && work(p) <= kLoopWork && !p.a.swapped && !p.b.swapped;
}

void block_loops(const Problem &p, Plan *plan) noexcept {
  const int64_t nr = plan->row->nr, tasks = plan->threads == 1 ? 1 : kTasksPerThread * plan->threads;
  plan->mr = 1;
  plan->deal = nr;
  plan->row_tasks = smaller(tasks, p.m);
  plan->col_tasks = clamp(tasks / plan->row_tasks, 1, panel_count(p.n, nr));
  plan->tasks = plan->row_tasks * plan->col_tasks;
  plan->mc = part_of(p.m, 1, plan->row_tasks, 0).size();
  plan->nc = p.n;
}

}  // namespace fastla
