// Products of two sparse matrices, row by row: Gustavson, "Two fast algorithms for sparse matrices", ACM TOMS 4 (1978).
#include <string.h>

#include "fastla/multigrid.h"
#include "fastla/runtime.h"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

// Entries of a that make a task.
constexpr int64_t kTaskEntries = 1 << 12;

int threads_of(int32_t wanted, const Csr &a) {
  const int64_t tasks = a.starts[a.rows] / kTaskEntries + 1;
  const int64_t most = wanted ? wanted : fastla_get_num_threads();
  return int(most < tasks ? most : tasks);
}

// Calls row(i, places) for each row of a. places: where a column of the row stands, by the worker's own count; -1 at
// first, and each call leaves them so.
template <class Row>
fastla_status each_row(const Csr &a, int64_t cols, int32_t num_threads, Row &&row) {
  const int threads = threads_of(num_threads, a);
  const size_t bytes = size_t(cols) * sizeof(int32_t);
  const Workspace scratch{size_t(threads) * bytes + 64};
  if (!scratch.data()) return FASTLA_NO_MEMORY;
  memset(scratch.data(), 0xff, size_t(threads) * bytes);
  const int64_t wanted = a.starts[a.rows] / kTaskEntries + 1,
                tasks = wanted < a.rows ? wanted : a.rows;
  FpScope scope;
  parallel_for(tasks, threads, [&](int64_t task, int worker) {
    int32_t *const places = reinterpret_cast<int32_t *>(scratch.data() + size_t(worker) * bytes);
    for (int64_t i = a.rows * task / tasks; i < a.rows * (task + 1) / tasks; ++i) row(i, places);
  });
  return FASTLA_OK;
}

template <class Entry> void each_product(const Csr &a, const Csr &b, int64_t i, Entry &&entry) {
  for (int32_t p = a.starts[i]; p < a.starts[i + 1]; ++p)
    for (int32_t q = b.starts[a.indices[p]]; q < b.starts[a.indices[p] + 1]; ++q) entry(p, q);
}

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" {

fastla_status fastla_csr_product_starts(const fastla_csr *a, const fastla_csr *b,
                                        int32_t num_threads, int32_t *starts) {
  if (a->cols != b->rows || num_threads < 0) return FASTLA_INVALID;
  starts[0] = 0;
  if (a->rows == 0) return FASTLA_OK;
  const fastla_status done = each_row(*a, b->cols, num_threads, [&](int64_t i, int32_t *places) {
    int32_t count = 0;
    each_product(*a, *b, i, [&](int32_t, int32_t q) {
      int32_t &place = places[b->indices[q]];
      if (place < 0) place = count++;
    });
    each_product(*a, *b, i, [&](int32_t, int32_t q) { places[b->indices[q]] = -1; });
    starts[i + 1] = count;
  });
  if (done != FASTLA_OK) return done;
  int64_t total = 0;
  for (int64_t i = 1; i <= a->rows; ++i) {
    total += starts[i];
    if (total > INT32_MAX) return FASTLA_INVALID;
    starts[i] = int32_t(total);
  }
  return FASTLA_OK;
}

fastla_status fastla_csr_product(const fastla_csr *a, const fastla_csr *b, int32_t num_threads,
                                 const int32_t *starts, int32_t *indices, double *values) {
  if (a->cols != b->rows || num_threads < 0) return FASTLA_INVALID;
  if (a->rows == 0) return FASTLA_OK;
  return each_row(*a, b->cols, num_threads, [&](int64_t i, int32_t *places) {
    int32_t next = starts[i];
    each_product(*a, *b, i, [&](int32_t p, int32_t q) {
      int32_t &place = places[b->indices[q]];
      if (place < 0) {
        place = next++;
        indices[place] = b->indices[q];
        values[place] = 0;
      }
      values[place] += a->values[p] * b->values[q];
    });
    for (int32_t p = starts[i]; p < next; ++p) places[indices[p]] = -1;
  });
}

}  // extern "C"
