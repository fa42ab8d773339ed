// AVX-512 without VNNI: 24 accumulators, 3 vectors of B, one of A, and room for a product.
#define FASTLA_VECTOR_BYTES 64
#include "kernels/integers.hpp"

namespace fastla {
extern const IntegerRows avx512_integers = make_integer_rows<6, 3, 6, 3>("avx512");
}  // namespace fastla
