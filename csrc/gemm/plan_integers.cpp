// Integers: packed, or loops over operands in place.
#include "gemm/plan_parts.hpp"

namespace fastla {
namespace {

// Loops are as fast up to so many multiply-adds, up to more along wide rows of B, and for very few rows of A whatever B.
constexpr double kLoopWork = 2e3, kWideWork = 17e3;
constexpr int64_t kWide = 32, kLoopRows = 3;
constexpr int64_t kTasksPerThread = 4;

}  // namespace

bool loops_pay(const Problem &p) noexcept {
  const bool wide = p.n >= kWide && (p.m <= kLoopRows || work(p) <= kWideWork);
  return p.m == 1 || p.n == 1 || wide || work(p) <= kLoopWork;
}

bool loops_need_no_plan(const Problem &p) noexcept {
  return p.m > 0 && p.n > 0 && work(p) <= kWideWork && loops_pay(p) && !p.a.swapped && !p.b.swapped;
}

void block_loops(const Problem &p, Plan *plan) noexcept {
  const int64_t nr = plan->row->nr,
                tasks = plan->threads == 1 ? 1 : kTasksPerThread * plan->threads;
  plan->mr = 1;
  plan->deal = nr;
  plan->row_tasks = smaller(tasks, p.m);
  plan->col_tasks = clamp(tasks / plan->row_tasks, 1, panel_count(p.n, nr));
  plan->tasks = plan->row_tasks * plan->col_tasks;
  plan->mc = part_of(p.m, 1, plan->row_tasks, 0).size();
  plan->nc = p.n;
}

}  // namespace fastla
