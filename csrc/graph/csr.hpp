// What a sparse matrix says of itself, read by the width of its indices.
#pragma once
#include <stdint.h>

#include "fastla/sparse.h"

namespace fastla {

inline int64_t value_size(const SparseDesc &d) {
  return d.dtype == FASTLA_F32 ? 4 : d.dtype == FASTLA_C128 ? 16 : 8;
}
inline int64_t start_of(const SparseDesc &d, int64_t row) {
  return d.index_bytes == 4 ? static_cast<const int32_t *>(d.starts)[row]
                            : static_cast<const int64_t *>(d.starts)[row];
}
inline bool valid(const SparseDesc &d) {
  if (d.struct_size < sizeof(SparseDesc) || d.num_threads < 0) return false;
  if (d.dtype != FASTLA_F32 && d.dtype != FASTLA_F64 && d.dtype != FASTLA_C64 &&
      d.dtype != FASTLA_C128)
    return false;
  if (d.index_bytes != 4 && d.index_bytes != 8) return false;
  return d.rows >= 0 && d.cols >= 0 && d.entries >= 0 && d.starts && (d.indices || !d.entries) &&
         start_of(d, d.rows) >= 0 && start_of(d, d.rows) <= d.entries;
}

}  // namespace fastla
