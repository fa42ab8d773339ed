// The C ABI of the product: checks the description, plans, gets the scratch, runs.
#include <stddef.h>

#include <atomic>
#include <utility>

#include "fastla/gemm.h"

#include "fastla/runtime.h"
#include "gemm/bits.hpp"
#include "gemm/one_product.hpp"
#include "gemm/paths.hpp"
#include "gemm/plan_parts.hpp"
#include "gemm/prepack.hpp"
#include "gemm/stacked.hpp"
#include "gemm/strassen.hpp"
#include "gemm/through_floats.hpp"
#include "gemm/valid.hpp"
#include "runtime/calls.hpp"
#include "runtime/cpu.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

std::atomic<int> forced_path{FASTLA_PATH_AUTO};

struct Task {
  Problem problem;
  Finish finish;
  Stack stack;
  Plan plan;
  StrassenPlan strassen;  // levels 0: not so
  Machine machine;
};

Operand operand(const Matrix &m) {
  return {static_cast<const char *>(m.data), m.row_stride, m.col_stride};
}
Operand per_row(const Vector &v) { return {static_cast<const char *>(v.data), v.stride, 0}; }
Operand per_col(const Vector &v) { return {static_cast<const char *>(v.data), 0, v.stride}; }
Source source(const Matrix &m) {
  return {static_cast<const char *>(m.data), m.row_stride, m.col_stride, m.swapped != 0};
}

// Written where it is read: a copy would be read across two of its stores.
void make_finish(const Epilogue &e, Finish *finish) {
  Finish &f = *finish;
  f = {};
  f.alpha = e.alpha;
  f.beta = e.beta;
  f.scale[0] = per_row(e.row_scale);
  f.scale[1] = per_col(e.col_scale);
  if (e.beta != 0) f.c = operand(e.c);
  f.bias[0] = per_col(e.col_bias);
  f.bias[1] = per_row(e.row_bias);
  f.activation = e.activation;
  f.gate = operand(e.gate);
  f.residual = operand(e.residual);
}

void transpose(Task *task) {
  transpose(&task->problem);
  if (task->problem.finish) {
    Finish &f = task->finish;
    for (Operand *x :
         {&f.scale[0], &f.scale[1], &f.c, &f.bias[0], &f.bias[1], &f.gate, &f.residual})
      std::swap(x->row_stride, x->col_stride);
  }
  Stack &s = task->stack;
  for (int i = 0; i < s.ndim; ++i) std::swap(s.a[i], s.b[i]);
}

void describe(const GemmDesc &d, Task *task) {
  Problem &p = task->problem;
  p = {d.m,
       d.n,
       d.k,
       source(d.a),
       source(d.b),
       static_cast<char *>(d.c),
       d.c_row_stride,
       d.c_col_stride,
       d.packed_b ? d.packed_b->panels : nullptr,
       nullptr,
       (d.flags & FASTLA_CONJ_A) != 0,
       (d.flags & FASTLA_CONJ_B) != 0,
       (d.flags & FASTLA_SYMMETRIC) != 0};
  if (!d.epilogue) return;
  make_finish(*d.epilogue, &task->finish);
  p.finish = &task->finish;
}

// Threads for `count` products. warm(): whether helpers are likely to be awake; asked for brief products only.
template <class Warm>
int threads_for(const GemmDesc &d, const Problem &p, int64_t count, int64_t size, Warm &&warm) {
  if (d.num_threads) return d.num_threads;
  const double amount = work(p) * double(count) * double(size);
  const bool alone = amount <= kThreadWork || (amount <= kBriefWork && !warm());
  return alone ? 1 : fastla_get_num_threads();
}

template <class Warm>
fastla_status prepare(const GemmDesc &d, Task *task, Warm &&warm, bool plain = false) {
  Problem &p = task->problem;
  Stack &s = task->stack;
  s.ndim = d.batch_ndim;
  for (int i = 0; i < s.ndim; ++i) {
    s.shape[i] = d.batch_shape[i];
    s.a[i] = d.a_batch_strides[i];
    s.b[i] = d.b_batch_strides[i];
    s.c[i] = d.c_batch_strides[i];
  }
  const KernelRow &row = chosen_row(d.dtype);
  const bool fast = d.flags & FASTLA_FAST, exact = row.family == Family::integers;
  const int path = forced_path.load(std::memory_order_relaxed);
  plain = plain || path || p.symmetric;
  // Other bits of floating point must not depend on what the strides of a stack permit, nor on the transpose's.
  int levels = plain ? 0 : strassen_levels(p, d.dtype, fast);
  fold_stack(&s, &p, exact || levels == 0);
  if (exact && !plain) levels = strassen_levels(p, d.dtype, fast);
  task->strassen.levels = levels;
  const bool transposed = levels == 0 && should_transpose(p, row);
  if (transposed) transpose(task);
  const int threads = threads_for(d, p, s.count, row.element_size, warm);
  task->machine = {&row, cpu().l2, cpu().l3, threads, path};
  if (levels > 0) return plan_strassen(p, task->machine, levels, &task->strassen);
  const fastla_status status = plan_items(p, s, task->machine, &task->plan)
                                   ? FASTLA_OK
                                   : make_plan(p, task->machine, &task->plan);
  if (status == FASTLA_OK) plan_memory(p, s, task->machine, &task->plan);
  task->plan.transposed = transposed;
  return status;
}

fastla_status compute(const Task &task, uint32_t *raised) {
  const Problem &p = task.problem;
  const int threads = task.machine.threads;
  if (p.m == 0 || p.n == 0 || task.stack.count == 0) return FASTLA_OK;
  if (task.strassen.levels > 0) {
    const Workspace scratch{size_t(task.strassen.scratch)};
    if (!scratch.data()) return FASTLA_NO_MEMORY;
    *raised = run_strassen(task.strassen, p, task.stack, task.machine, scratch.data());
    return FASTLA_OK;
  }
  const bool share = share_items(task.plan, p, task.stack, threads);
  const int64_t sharers = share ? smaller(threads, kMaxSharers) : 1;
  int64_t bytes = 0;
  if (__builtin_mul_overflow(task.plan.scratch, sharers, &bytes)) return FASTLA_NO_MEMORY;
  if (bytes == 0) {
    *raised = run_stacked(task.plan, p, task.stack, threads, nullptr);
  } else {
    const Workspace scratch{size_t(bytes)};
    if (!scratch.data()) return FASTLA_NO_MEMORY;
    *raised = run_stacked(task.plan, p, task.stack, threads, scratch.data());
  }
  if (task.plan.upper) *raised |= mirror(task.plan, p);
  return FASTLA_OK;
}

bool compute_at_once(const GemmDesc &d, const Problem &p) {
  if (d.batch_ndim > 0 || forced_path.load(std::memory_order_relaxed) || strassen_forced())
    return false;
  const KernelRow &chosen = chosen_row(d.dtype);
  if (chosen.family != Family::floats) {
    if (!in_place_needs_no_plan(p, chosen)) return false;
    run_at_once(p, chosen);
    return true;
  }
  const KernelRow &row = direct_row(p, {&chosen, cpu().l2, cpu().l3, 1, 0});
  if (!needs_no_plan(p, row)) return false;
  // Below kThreadWork the planner takes one of however many threads.
  if (work(p) * row.element_size >= kThreadWork &&
      threads_for(d, p, 1, row.element_size, parallel_warm) > 1)
    return false;
  run_at_once(p, row);
  return true;
}

fastla_status run_task(const GemmDesc &desc, uint32_t *raised) {
  Task task;
  describe(desc, &task);
  if (compute_at_once(desc, task.problem)) return FASTLA_OK;
  fastla_status status = prepare(desc, &task, parallel_warm);
  if (status == FASTLA_OK) status = compute(task, raised);
  if (status != FASTLA_NO_MEMORY || !task.strassen.levels || desc.flags & FASTLA_FAST)
    return status;
  Task plain;  // integers, whose bits are the same
  describe(desc, &plain);
  status = prepare(desc, &plain, parallel_warm, true);
  return status == FASTLA_OK ? compute(plain, raised) : status;
}

int32_t kind_of(const GemmDesc &d) {
  if (d.batch_ndim > 0) return FASTLA_CALL_GEMM_BATCHED;
  return d.m == 1 || d.n == 1 ? FASTLA_CALL_GEMV : FASTLA_CALL_GEMM;
}

// Planning computes with doubles too: neither the caller's rounding nor its traps may meet them, and it raises nothing
// but inexact.
fastla_status run_gemm(const GemmDesc *desc, uint32_t *raised) {
  FpScope scope;
  fastla_status status = desc && valid(*desc) ? FASTLA_OK : FASTLA_INVALID;
  if (status == FASTLA_OK) {
    count_call(kind_of(*desc));
    const bool forced = forced_path.load(std::memory_order_relaxed);
    if (desc->dtype >= FASTLA_DTYPES)
      status = run_bits(*desc);
    else if (!forced && compute_one_product(*desc))
      status = FASTLA_OK;
    else if (!are_wide(desc->dtype) || forced ||
             !compute_through_floats(*desc, chosen_row(desc->dtype), run_task, raised))
      status = run_task(*desc, raised);
  }
  *raised |= scope.close();
  return status;
}

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" {

void fastla_epilogue_init(fastla_epilogue *epilogue) {
  *epilogue = {};
  epilogue->struct_size = sizeof(*epilogue);
  epilogue->alpha = 1;
}

void fastla_gemm_desc_init(fastla_gemm_desc *desc) {
  *desc = {};
  desc->struct_size = sizeof(*desc);
}

void fastla_plan_info_init(fastla_plan_info *info) {
  *info = {};
  info->struct_size = sizeof(*info);
}

fastla_status fastla_gemm(const fastla_gemm_desc *desc, uint32_t *fp_flags) {
  uint32_t raised = 0;
  const fastla_status status = run_gemm(desc, &raised);
  if (raised) FpScope::raise(raised);
  if (fp_flags) *fp_flags = raised;
  return status;
}

fastla_status fastla_explain(const fastla_gemm_desc *desc, fastla_plan_info *info) {
  const FpScope scope;
  constexpr size_t first =
      offsetof(fastla_plan_info, levels);  // of the struct that had no levels yet
  if (!desc || !info || info->struct_size < first || !valid(*desc) || desc->dtype >= FASTLA_DTYPES)
    return FASTLA_INVALID;
  Task task;
  describe(*desc, &task);
  const fastla_status status = prepare(*desc, &task, [] { return true; });
  if (status != FASTLA_OK) return status;
  const int levels = task.strassen.levels, threads = task.machine.threads;
  const Plan &plan = levels ? task.strassen.rest : task.plan;
  const bool share = !levels && share_items(plan, task.problem, task.stack, threads);
  info->path = plan.path;
  info->isa = plan.row->family == Family::floats ? plan.row->isa : chosen_isa();
  info->transposed = plan.transposed;
  info->threads = share ? threads : plan.threads;
  info->mr = plan.mr;
  info->nr = plan.row->nr;
  info->mc = plan.mc;
  info->nc = plan.nc;
  info->kc = plan.kc;
  info->tasks = plan.tasks;
  info->scratch_bytes =
      levels ? task.strassen.scratch : plan.scratch * (share ? smaller(threads, kMaxSharers) : 1);
  info->predicted_roof_share = predicted_roof_share(task.problem, plan);
  if (info->struct_size > first) info->levels = levels;
  return FASTLA_OK;
}

fastla_status fastla_force_path(int32_t path) {
  if (path < 0 || path >= FASTLA_PATHS) return FASTLA_INVALID;
  forced_path.store(path);
  return FASTLA_OK;
}

fastla_status fastla_activate(int32_t dtype, int32_t activation, const void *x, void *y,
                              int64_t count) {
  if (dtype < 0 || dtype >= FASTLA_FLOATS || activation < 0 || activation >= FASTLA_ACTIVATIONS ||
      count < 0)
    return FASTLA_INVALID;
  const FpScope scope;
  chosen_row(dtype).activate(activation, static_cast<const char *>(x), static_cast<char *>(y),
                             count);
  return FASTLA_OK;
}

}  // extern "C"
