// The ways to compute one planned product. scratch has plan.scratch bytes; nothing can fail any more.
#pragma once
#include "gemm/plan.hpp"

namespace fastla {

// The caller is in an FpScope; each returns the floating-point exceptions that helpers raised (FASTLA_FP_*).
uint32_t run_packed(const Plan &plan, const Problem &problem, char *scratch) noexcept;
uint32_t run_direct(const Plan &plan, const Problem &problem, char *scratch) noexcept;
// Fills the lower triangle of C from the upper one.
uint32_t mirror(const Plan &plan, const Problem &problem) noexcept;
// What needs no plan (plan_parts.hpp).
void run_at_once(const Problem &problem, const KernelRow &row) noexcept;
// All of it as one block, with operands in place.
Block block_at_once(const Problem &problem, const KernelRow &row, bool down_columns) noexcept;
// Whether a product on a direct path is one block and needs no scratch; it.
bool is_one_block(const Plan &plan, const Problem &problem) noexcept;
Block one_block_of(const Plan &plan, const Problem &problem) noexcept;

inline uint32_t run(const Plan &plan, const Problem &problem, char *scratch) noexcept {
  return plan.path == FASTLA_PATH_PACKED ? run_packed(plan, problem, scratch)
                                         : run_direct(plan, problem, scratch);
}

// The fields of a block that do not depend on where it lies.
inline Block make_block(const Plan &plan, const Problem &p, int64_t k, bool first,
                        bool last) noexcept {
  Block block{};
  block.k = k;
  block.first = first;
  block.last = last;
  block.c_near = plan.c_near;
  block.c_row_stride = p.c_row_stride;
  block.c_col_stride = p.c_col_stride;
  block.c_size = plan.row->output_size;
  block.finish = p.finish;
  block.conj_a = p.conj_a;
  block.conj_b = p.conj_b;
  block.upper = plan.upper;
  return block;
}

}  // namespace fastla
