// AArch64: 32 registers hold 24 accumulators, 3 vectors of B and 1 broadcast of A.
#define FASTLA_VECTOR_BYTES 16
#include "kernels/rows.hpp"
#include "kernels/tables.hpp"

namespace fastla {
extern const KernelRow neon_rows[2] = {make_row<float, 8, 3>("neon", 0),
                                       make_row<double, 8, 3>("neon", 1)};
}  // namespace fastla
