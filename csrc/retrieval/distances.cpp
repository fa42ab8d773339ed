// Distances of rows from given others.
#include "fastla/retrieval.h"
#include "fastla/runtime.h"
#include "kernels/ops.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"

using namespace fastla;

extern "C" fastla_status fastla_row_distances(int32_t dtype, int64_t rows, int64_t size,
                                              fastla_rows x, fastla_rows y, const int32_t *index,
                                              double *out) {
  if ((dtype != FASTLA_F32 && dtype != FASTLA_F64) || rows < 0 || size < 0) return FASTLA_INVALID;
  if (rows == 0) return FASTLA_OK;
  if (size && (!x.data || !y.data)) return FASTLA_INVALID;
  // Some tens of microseconds.
  const int64_t together = (int64_t{1} << 16) / (size + 16) + 1;
  const auto distance = chosen_ops().of[dtype == FASTLA_F64].squared_distance;
  FpScope scope;
  parallel_for((rows + together - 1) / together, fastla_get_num_threads(), [&](int64_t task, int) {
    const int64_t first = task * together;
    for (int64_t i = first; i < first + together && i < rows; ++i)
      out[i] =
          distance(static_cast<const char *>(x.data) + i * x.stride,
                   static_cast<const char *>(y.data) + (index ? index[i] : 0) * y.stride, size);
  });
  return FASTLA_OK;
}
