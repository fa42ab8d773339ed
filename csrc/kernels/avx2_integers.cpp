// AVX2: 12 accumulators, 2 vectors of B, one of A and a product are all 16 registers.
#define FASTLA_VECTOR_BYTES 32
#include "kernels/integers.hpp"

namespace fastla {
extern const IntegerRows avx2_integers = make_integer_rows<6, 2, 6, 2>("avx2");
}  // namespace fastla
