// AVX-512: 14 x 2 accumulators; zen4: 8 x 3, as of reals.
#define FASTLA_VECTOR_BYTES 64
#include "kernels/complex.hpp"

namespace fastla {
extern const ComplexRows avx512_complex = make_complex_rows<7, 2>("avx512");
extern const ComplexRows zen4_complex = make_complex_rows<4, 3>("zen4");
}  // namespace fastla
