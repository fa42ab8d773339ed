// AVX-512 with VNNI, which multiplies and adds pairs and fours by one instruction.
#define FASTLA_VECTOR_BYTES 64
#include "kernels/integers.hpp"

namespace fastla {
extern const IntegerRows avx512_vnni_integers = make_integer_rows<8, 3, 6, 3>("avx512");
}  // namespace fastla
