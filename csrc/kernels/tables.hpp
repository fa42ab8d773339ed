// The tables that the shims define: by dtype (fastla_dtype), of integers from FASTLA_I8 on, of complex numbers from
// FASTLA_C64 on, of bfloat16 from FASTLA_BF16 on.
#pragma once
#include "fastla/gemm.h"
#include "kernels/row.hpp"

namespace fastla {
struct IntegerRows {
  KernelRow of[FASTLA_C64 - FASTLA_I8];
};
struct ComplexRows {
  KernelRow of[FASTLA_F16 - FASTLA_C64];
};
struct BfloatRows {
  KernelRow of[FASTLA_DTYPES - FASTLA_BF16];
};
extern const KernelRow avx512_rows[FASTLA_FLOATS];
extern const KernelRow zen4_rows[FASTLA_FLOATS];
extern const KernelRow avx512_narrow_rows[FASTLA_FLOATS];
extern const KernelRow avx2_rows[FASTLA_FLOATS];
extern const KernelRow neon_rows[FASTLA_FLOATS];
extern const KernelRow generic_rows[FASTLA_FLOATS];
extern const IntegerRows avx512_integers, avx512_vnni_integers, avx2_integers, neon_integers,
    generic_integers;
extern const ComplexRows zen4_complex, avx512_complex, avx2_complex, neon_complex, generic_complex;
extern const BfloatRows zen4_bfloats, avx512_bfloats, avx2_bfloats, neon_bfloats, generic_bfloats;
extern const BfloatRows zen4_pairs, avx512_pairs;
bool avx512_pairs_hold();  // the instruction computes what the contract says, here
extern const KernelRow zen4_half, avx512_half, avx2_half, neon_half, generic_half;
}  // namespace fastla
