// The baseline of the platform: every CPU runs it, with fma emulated where there is no instruction.
#define FASTLA_VECTOR_BYTES 16
#include "kernels/rows.hpp"
#include "kernels/tables.hpp"

namespace fastla {
extern const KernelRow generic_rows[2] = {make_row<float, 4, 2>("generic", 0),
                                          make_row<double, 4, 2>("generic", 1)};
}  // namespace fastla
