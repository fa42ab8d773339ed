// AVX-512: 32 registers hold 28 accumulators, 2 vectors of B and 1 broadcast of A (14*2 + 2 + 1 = 31). A CPU that takes
// two cycles for two vectors' multiply-adds (Zen 4) is faster with packed tiles of 8 x 3, which load less.
#define FASTLA_VECTOR_BYTES 64
#include "kernels/rows.hpp"
#include "kernels/tables.hpp"

namespace fastla {
extern const KernelRow avx512_rows[2] = {
    make_row<float, 14, 2>("avx512", 0, &avx512_narrow_rows[0]),
    make_row<double, 14, 2>("avx512", 1, &avx512_narrow_rows[1])};
extern const KernelRow zen4_rows[2] = {make_packed_row<float, 8, 3>("zen4", 0, &avx512_rows[0]),
                                       make_packed_row<double, 8, 3>("zen4", 1, &avx512_rows[1])};
}  // namespace fastla
