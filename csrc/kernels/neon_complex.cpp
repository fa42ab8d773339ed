// AArch64: 12 x 2 accumulators.
#define FASTLA_VECTOR_BYTES 16
#include "kernels/complex.hpp"

namespace fastla {
extern const ComplexRows neon_complex = make_complex_rows<6, 2>("neon");
}  // namespace fastla
