#include "gemm/stacked.hpp"

#include "gemm/paths.hpp"
#include "runtime/parallel.hpp"

namespace fastla {
namespace {

// Items handed out together: about this many multiply-adds, so that handing out costs nothing.
constexpr double kWorkPerTask = 100e3;

void drop_axis(Stack *s, int axis) {
  for (int i = axis; i + 1 < s->ndim; ++i) {
    s->shape[i] = s->shape[i + 1];
    s->a[i] = s->a[i + 1];
    s->b[i] = s->b[i + 1];
    s->c[i] = s->c[i + 1];
  }
  --s->ndim;
}

Problem item(const Problem &problem, const Stack &s, int64_t index) {
  Problem p = problem;
  for (int i = s.ndim - 1; i >= 0; --i) {
    const int64_t at = index % s.shape[i];
    index /= s.shape[i];
    p.a.data += at * s.a[i];
    p.b.data += at * s.b[i];
    p.c += at * s.c[i];
  }
  return p;
}

}  // namespace

void fold_stack(Stack *s, Problem *p) noexcept {
  for (int i = s->ndim - 1; i >= 0; --i)
    if (s->shape[i] == 1) drop_axis(s, i);
  while (s->ndim > 0) {
    const int last = s->ndim - 1;
    const bool rows_go_on =
        s->a[last] == p->m * p->a.row_stride && s->c[last] == p->m * p->c_row_stride;
    if (s->b[last] != 0 || !rows_go_on) break;
    p->m *= s->shape[last];
    drop_axis(s, last);
  }
  s->count = 1;
  for (int i = 0; i < s->ndim; ++i) s->count *= s->shape[i];
}

bool share_items(const Plan &plan, const Problem &p, const Stack &s, int threads) noexcept {
  const double work = double(p.m) * double(p.n) * double(p.k) * double(s.count);
  return threads > 1 && plan.threads == 1 && s.count > 1 && work > kWorkPerTask * 4;
}

uint32_t run_stacked(const Plan &plan, const Problem &p, const Stack &s, int threads,
                     char *scratch) noexcept {
  if (s.count == 1) return run(plan, p, scratch);
  const bool share = share_items(plan, p, s, threads);
  const double work = double(p.m) * double(p.n) * double(p.k) + 1;
  const int64_t per_task = share ? int64_t(kWorkPerTask / work) + 1 : s.count;
  const int64_t tasks = (s.count + per_task - 1) / per_task;
  // One task alone stays outside of parallel_for: its items may use the threads themselves.
  const auto run_items = [&](int64_t task, int worker) {
    uint32_t flags = 0;  // of an item's helpers: none where items are shared
    const int64_t end = smaller(s.count, (task + 1) * per_task);
    for (int64_t i = task * per_task; i < end; ++i)
      flags |= run(plan, item(p, s, i), scratch + worker * plan.scratch);
    return flags;
  };
  if (!share) return run_items(0, 0);
  return parallel_for(tasks, threads < kMaxSharers ? threads : kMaxSharers, run_items);
}

}  // namespace fastla
