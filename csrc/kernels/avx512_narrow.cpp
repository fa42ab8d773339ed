// AVX-512 at half its width: for few columns of C, and for B's columns where they are copied (plan_direct.cpp).
#define FASTLA_VECTOR_BYTES 32
#include "kernels/rows.hpp"
#include "kernels/tables.hpp"

namespace fastla {
extern const KernelRow avx512_narrow_rows[2] = {make_direct_row<float, 14, 1>("avx512", 0),
                                                make_direct_row<double, 14, 1>("avx512", 1)};
}  // namespace fastla
