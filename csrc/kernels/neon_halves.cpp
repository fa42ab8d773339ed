// AArch64: tiles as of float32.
#define FASTLA_VECTOR_BYTES 16
#include "kernels/halves_rows.hpp"

namespace fastla {
extern const KernelRow neon_half = make_half_row<14, 2>("neon");
}  // namespace fastla
