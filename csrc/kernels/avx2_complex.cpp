// AVX2: 6 x 2 accumulators.
#define FASTLA_VECTOR_BYTES 32
#include "kernels/complex.hpp"

namespace fastla {
extern const ComplexRows avx2_complex = make_complex_rows<3, 2>("avx2");
}  // namespace fastla
