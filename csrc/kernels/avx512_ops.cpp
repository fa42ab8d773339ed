// AVX-512: operations on rows.
#define FASTLA_VECTOR_BYTES 64
#include "kernels/row_ops.hpp"

namespace fastla {
extern const OpTable avx512_ops = {{make_row_ops<float>(), make_row_ops<double>()}};
}  // namespace fastla
