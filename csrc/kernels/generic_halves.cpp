// The baseline of the platform: tiles as of float32.
#define FASTLA_VECTOR_BYTES 16
#include "kernels/halves_rows.hpp"

namespace fastla {
extern const KernelRow generic_half = make_half_row<4, 2>("generic");
}  // namespace fastla
