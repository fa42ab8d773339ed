// AVX-512: 32 registers hold 28 accumulators, 2 vectors of B and 1 broadcast of A (14*2 + 2 + 1 = 31).
#define FASTLA_VECTOR_BYTES 64
#include "kernels/rows.hpp"
#include "kernels/tables.hpp"

namespace fastla {
extern const KernelRow avx512_rows[2] = {
    make_row<float, 14, 2>("avx512", 0, &avx512_narrow_rows[0]),
    make_row<double, 14, 2>("avx512", 1, &avx512_narrow_rows[1])};
}  // namespace fastla
