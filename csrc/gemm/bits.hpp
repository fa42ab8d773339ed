// Products of bool (FASTLA_BOOL_OR, FASTLA_BOOL_XOR), which no kernel row computes.
#pragma once
#include "gemm/plan.hpp"

namespace fastla {

// desc is valid. Fails for want of memory only, before the first store of the item it fails at.
fastla_status run_bits(const GemmDesc &desc) noexcept;

}  // namespace fastla
