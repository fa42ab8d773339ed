// The baseline of the platform: tiles as of float32.
#define FASTLA_VECTOR_BYTES 16
#define FASTLA_BFLOATS
#include "kernels/halves_rows.hpp"

namespace fastla {
extern const BfloatRows generic_bfloats = make_bfloat_rows<4, 2>("generic");
}  // namespace fastla
