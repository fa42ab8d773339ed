// AVX-512: tiles as of float32.
#define FASTLA_VECTOR_BYTES 64
#include "kernels/halves_rows.hpp"

namespace fastla {
extern const KernelRow avx512_half = make_half_row<14, 2>("avx512");
extern const KernelRow zen4_half = make_half_row<8, 3>("zen4");
}  // namespace fastla
