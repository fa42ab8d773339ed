// AVX2: 12 accumulators, 3 vectors of B, one for A and a product.
#define FASTLA_VECTOR_BYTES 32
#include "kernels/integers.hpp"

namespace fastla {
extern const IntegerRows avx2_integers = make_integer_rows<4, 3>("avx2");
}  // namespace fastla
