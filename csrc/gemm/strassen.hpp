// Strassen's multiplication in Winograd's form: seven products of half the size in place of eight, and fifteen sums.
//
// Integers: exact modulo 2^bits, whatever is added first. Floating point: other rounding errors (docs/contract.md), and so
// by permission only. The order of the operations depends on the sizes and the dtype alone.
#pragma once
#include "gemm/plan.hpp"
#include "gemm/stacked.hpp"

namespace fastla {

// How often a product is halved; 0: it is not.
int strassen_levels(const Problem &problem, int dtype, bool fast) noexcept;
// Tests: halves down to this size instead of the tuned ones; 0 ends that.
bool strassen_forced() noexcept;

struct StrassenPlan {
  int levels;
  Plan rest;           // of the first product that is not halved
  int64_t rest_bytes;  // of scratch for those, and of the call
  int64_t scratch;
};
// Fails only when a size overflows.
fastla_status plan_strassen(const Problem &problem, const Machine &machine, int levels,
                            StrassenPlan *plan) noexcept;
// Each product of the stack; the caller is in an FpScope. Returns the exceptions that helpers raised.
uint32_t run_strassen(const StrassenPlan &plan, const Problem &problem, const Stack &stack,
                      const Machine &machine, char *scratch) noexcept;

}  // namespace fastla
