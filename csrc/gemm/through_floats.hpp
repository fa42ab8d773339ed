// Products of wide integers whose values are small, exactly, as products of floating-point numbers.
#pragma once
#include "gemm/plan.hpp"

namespace fastla {

inline bool are_wide(int dtype) { return dtype == FASTLA_I32 || dtype == FASTLA_I64; }

// The product of wide integers by `run`, which takes one of float32 or float64: where that pays, and no sum of products can
// leave what those hold exactly, for which it looks at all of A and B. False: nothing was done. row: the integers' one.
bool compute_through_floats(const GemmDesc &desc, const KernelRow &row,
                            fastla_status (*run)(const GemmDesc &, uint32_t *),
                            uint32_t *raised) noexcept;

}  // namespace fastla
