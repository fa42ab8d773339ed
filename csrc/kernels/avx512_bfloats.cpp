// AVX-512: tiles as of float32.
#define FASTLA_VECTOR_BYTES 64
#define FASTLA_BFLOATS
#include "kernels/halves_rows.hpp"

namespace fastla {
extern const BfloatRows avx512_bfloats = make_bfloat_rows<14, 2>("avx512");
extern const BfloatRows zen4_bfloats = make_bfloat_rows<8, 3>("zen4");
}  // namespace fastla
