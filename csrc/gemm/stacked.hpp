// Stacks of products: one plan for all, operands that repeat (stride 0) are never copied.
#pragma once
#include "gemm/plan.hpp"

namespace fastla {

constexpr int kMaxBatchDims = 64;  // NumPy's limit

// The axes along which the product is repeated, outermost first; strides in bytes.
struct Stack {
  int ndim;
  int64_t shape[kMaxBatchDims], a[kMaxBatchDims], b[kMaxBatchDims], c[kMaxBatchDims];
  int64_t count;
};

// Drops axes of length 1, and folds axes along which only A and C move row by row into m (merge). Counts the products.
void fold_stack(Stack *stack, Problem *problem, bool merge) noexcept;
// The index-th product, the first one being given.
Problem item_of(const Problem &problem, const Stack &stack, int64_t index) noexcept;

// Whether small products are better computed by a kernel for stacks of them, and its plan.
bool plan_items(const Problem &problem, const Stack &stack, const Machine &machine,
                Plan *plan) noexcept;

// What that plan, or any other for the stack, has to do because operands and C are not in a cache.
void plan_memory(const Problem &problem, const Stack &stack, const Machine &machine,
                 Plan *plan) noexcept;

// Most threads that share a stack: bounds the scratch.
constexpr int kMaxSharers = 256;

// Threads share the items when there are enough of them, else each item's own tasks. scratch has
// plan.scratch bytes, for each sharer if they share.
bool share_items(const Plan &plan, const Problem &problem, const Stack &stack,
                 int threads) noexcept;
uint32_t run_stacked(const Plan &plan, const Problem &problem, const Stack &stack, int threads,
                     char *scratch) noexcept;

}  // namespace fastla
