// AArch64: tiles as of float32.
#define FASTLA_VECTOR_BYTES 16
#define FASTLA_BFLOATS
#include "kernels/halves_rows.hpp"

namespace fastla {
extern const BfloatRows neon_bfloats = make_bfloat_rows<8, 3>("neon");
}  // namespace fastla
