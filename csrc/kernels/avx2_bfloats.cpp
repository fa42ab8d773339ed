// AVX2: tiles as of float32.
#define FASTLA_VECTOR_BYTES 32
#define FASTLA_BFLOATS
#include "kernels/halves_rows.hpp"

namespace fastla {
extern const BfloatRows avx2_bfloats = make_bfloat_rows<6, 2>("avx2");
}  // namespace fastla
