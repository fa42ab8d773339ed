// The baseline of the platform.
#define FASTLA_VECTOR_BYTES 16
#include "kernels/integers.hpp"

namespace fastla {
extern const IntegerRows generic_integers = make_integer_rows<4, 2, 4, 2>("generic");
}  // namespace fastla
