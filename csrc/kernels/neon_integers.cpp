// AArch64: 32 registers.
#define FASTLA_VECTOR_BYTES 16
#include "kernels/integers.hpp"

namespace fastla {
extern const IntegerRows neon_integers = make_integer_rows<6, 3, 6, 3>("neon");
}  // namespace fastla
