// Whether a sparse matrix is one: its starts and indices.
#include <string.h>

#include <atomic>

#include "fastla/runtime.h"
#include "graph/csr.hpp"
#include "runtime/parallel.hpp"

namespace fastla {
namespace {

// Indices of a task: some tens of microseconds.
constexpr int64_t kTaskIndices = 1 << 17;

// The first of [begin, end) that is no column, or end. A negative one is a large number, and the maximum finds either.
template <class I, class U>
int64_t first_outside(const I *indices, int64_t begin, int64_t end, int64_t cols) {
  constexpr int64_t piece = 1024;
  for (int64_t p = begin; p < end; p += piece) {
    const int64_t stop = end - p < piece ? end : p + piece;
    U most = 0;
    for (int64_t q = p; q < stop; ++q) most = U(indices[q]) > most ? U(indices[q]) : most;
    if (uint64_t(most) < uint64_t(cols)) continue;
    for (int64_t q = p; q < stop; ++q)
      if (indices[q] < 0 || int64_t(indices[q]) >= cols) return q;
  }
  return end;
}

template <class I> int64_t wrong_row(const I *starts, int64_t rows, int64_t entries) {
  if (starts[0] != 0) return 0;
  for (int64_t i = 0; i < rows; ++i)
    if (starts[i + 1] < starts[i] || starts[i + 1] > entries) return i;
  return -1;
}

template <class I, class U> int64_t wrong_entry(const SparseDesc &d, int threads) {
  const I *const indices = static_cast<const I *>(d.indices);
  const int64_t entries = start_of(d, d.rows);
  const int64_t tasks = (entries + kTaskIndices - 1) / kTaskIndices;
  if (tasks == 0) return -1;
  std::atomic<int64_t> first{entries};
  parallel_for(tasks, threads, [&](int64_t task, int) {
    const int64_t begin = task * kTaskIndices, left = entries - begin,
                  end = left < kTaskIndices ? entries : begin + kTaskIndices;
    const int64_t found = first_outside<I, U>(indices, begin, end, d.cols);
    if (found == end) return;
    int64_t known = first.load();
    while (found < known && !first.compare_exchange_weak(known, found)) {
    }
  });
  return first < entries ? first.load() : -1;
}

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" {

void fastla_sparse_desc_init(fastla_sparse_desc *desc) {
  memset(desc, 0, sizeof(*desc));
  desc->struct_size = sizeof(*desc);
  desc->index_bytes = 4;
}

fastla_status fastla_sparse_check(const fastla_sparse_desc *desc, int64_t *row, int64_t *entry) {
  const SparseDesc &d = *desc;
  *row = *entry = -1;
  if (d.struct_size < sizeof(SparseDesc) || !d.starts || d.rows < 0) return FASTLA_INVALID;
  *row = d.index_bytes == 4 ? wrong_row(static_cast<const int32_t *>(d.starts), d.rows, d.entries)
                            : wrong_row(static_cast<const int64_t *>(d.starts), d.rows, d.entries);
  if (*row >= 0 || !valid(d)) return FASTLA_INVALID;
  const int threads = d.num_threads ? d.num_threads : fastla_get_num_threads();
  *entry = d.index_bytes == 4 ? wrong_entry<int32_t, uint32_t>(d, threads)
                              : wrong_entry<int64_t, uint64_t>(d, threads);
  return *entry < 0 ? FASTLA_OK : FASTLA_INVALID;
}

}  // extern "C"
