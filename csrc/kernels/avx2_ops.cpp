// AVX2: operations on rows.
#define FASTLA_VECTOR_BYTES 32
#include "kernels/row_ops.hpp"

namespace fastla {
extern const OpTable avx2_ops = {{make_row_ops<float>(), make_row_ops<double>()}};
}  // namespace fastla
