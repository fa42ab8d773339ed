// AVX2 + FMA: 16 registers hold 12 accumulators, 2 vectors of B and 1 broadcast of A (6*2 + 2 + 1 = 15).
#define FASTLA_VECTOR_BYTES 32
#include "kernels/rows.hpp"
#include "kernels/tables.hpp"

namespace fastla {
extern const KernelRow avx2_rows[2] = {make_row<float, 6, 2>("avx2", 0),
                                       make_row<double, 6, 2>("avx2", 1)};
}  // namespace fastla
