// The baseline of the platform.
#define FASTLA_VECTOR_BYTES 16
#include "kernels/complex.hpp"

namespace fastla {
extern const ComplexRows generic_complex = make_complex_rows<2, 2>("generic");
}  // namespace fastla
