// AArch64: operations on rows.
#define FASTLA_VECTOR_BYTES 16
#include "kernels/row_ops.hpp"

namespace fastla {
extern const OpTable neon_ops = {{make_row_ops<float>(), make_row_ops<double>()}};
}  // namespace fastla
