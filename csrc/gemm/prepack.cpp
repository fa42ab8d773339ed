#include "gemm/prepack.hpp"

#include <stdlib.h>

#include <new>

#include "gemm/paths.hpp"
#include "runtime/fpenv.hpp"

using namespace fastla;

namespace {
int64_t padded(int64_t n, int64_t nr) { return (n + nr - 1) / nr * nr; }
}  // namespace

extern "C" {

fastla_status fastla_pack_b(int32_t dtype, int64_t k, int64_t n, const fastla_matrix *b,
                            fastla_packed **packed) {
  if (dtype < 0 || dtype >= FASTLA_FLOATS || k < 0 || n < 0 || !b || !packed) return FASTLA_INVALID;
  const KernelRow &row = chosen_row(dtype);
  const int64_t size = row.element_size, kc = kBlockLength;
  int64_t bytes = 0;
  if (n > INT64_MAX - row.nr || __builtin_mul_overflow(padded(n, row.nr), k, &bytes) ||
      __builtin_mul_overflow(bytes, size, &bytes) || bytes > INT64_MAX - 8192)
    return FASTLA_INVALID;
  auto *result = new (std::nothrow) fastla_packed{&row, k, n, bytes, nullptr};
  if (!result) return FASTLA_NO_MEMORY;
  const size_t room = (size_t(bytes) + 63) / 64 * 64;
  result->panels = static_cast<char *>(aligned_alloc(64, room));
  if (!result->panels) {
    delete result;
    return FASTLA_NO_MEMORY;
  }
  const FpScope scope;
  for (int64_t k0 = 0; k0 < k; k0 += kc) {
    const Source source{static_cast<const char *>(b->data) + k0 * b->row_stride, b->row_stride,
                        b->col_stride, b->swapped != 0};
    const int64_t depth = smaller(kc, k - k0);
    row.pack_b(source, depth, n, depth, result->panels + k0 * padded(n, row.nr) * size);
  }
  *packed = result;
  return FASTLA_OK;
}

fastla_status fastla_unpack_b(const fastla_packed *packed, void *b, int64_t row_stride,
                              int64_t col_stride) {
  if (!packed || !b) return FASTLA_INVALID;
  const int64_t nr = packed->row->nr, size = packed->row->element_size, kc = kBlockLength;
  for (int64_t k0 = 0; k0 < packed->k; k0 += kc) {
    const int64_t depth = smaller(kc, packed->k - k0);
    const char *block = packed->panels + k0 * padded(packed->n, nr) * size;
    for (int64_t j = 0; j < packed->n; ++j) {
      const char *from = block + (j / nr * nr * depth + j % nr) * size;
      char *to = static_cast<char *>(b) + k0 * row_stride + j * col_stride;
      for (int64_t k = 0; k < depth; ++k)
        __builtin_memcpy(to + k * row_stride, from + k * nr * size, size_t(size));
    }
  }
  return FASTLA_OK;
}

int64_t fastla_packed_bytes(const fastla_packed *packed) { return packed ? packed->bytes : 0; }

int32_t fastla_packed_current(const fastla_packed *packed) {
  return packed && packed->row == &chosen_row(packed->row->dtype);
}

void fastla_packed_free(fastla_packed *packed) {
  if (!packed) return;
  free(packed->panels);
  delete packed;
}

}  // extern "C"
