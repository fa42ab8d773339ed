// AVX2: tiles as of float32.
#define FASTLA_VECTOR_BYTES 32
#include "kernels/halves_rows.hpp"

namespace fastla {
extern const KernelRow avx2_half = make_half_row<6, 2>("avx2");
}  // namespace fastla
