// The tables that the shims define, by dtype (fastla_dtype).
#pragma once
#include "kernels/row.hpp"

namespace fastla {
extern const KernelRow avx512_rows[2];
extern const KernelRow zen4_rows[2];
extern const KernelRow avx512_narrow_rows[2];
extern const KernelRow avx2_rows[2];
extern const KernelRow neon_rows[2];
extern const KernelRow generic_rows[2];
}  // namespace fastla
