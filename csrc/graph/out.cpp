// What goes out of nodes: sums over their edges, in the order of these, and each edge's share.
#include "fastla/gemm.h"
#include "fastla/rank.h"
#include "fastla/runtime.h"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"

namespace fastla {
namespace {

// Edges of a task: a tenth of a millisecond.
constexpr int64_t kTaskEdges = 1 << 16;

struct One {
  int64_t operator[](int64_t) const { return 1; }
};

template <class I, class Amount, class Sum>
void add(int64_t entries, const I *indices, const Amount &amount, Sum *sums) {
  for (int64_t p = 0; p < entries; ++p) sums[indices[p]] += Sum(amount[p]);
}
template <class Amount, class Sum> void add_all(int32_t index_bytes, int64_t entries,
                                                const void *indices, const Amount &amount,
                                                Sum *sums) {
  const FpScope scope;
  index_bytes == 4 ? add(entries, static_cast<const int32_t *>(indices), amount, sums)
                   : add(entries, static_cast<const int64_t *>(indices), amount, sums);
}

template <class I, class Weight, class T> void shares(int64_t entries, int threads,
                                                      const I *indices, const Weight *weights,
                                                      const double *strength, T *chances) {
  const int64_t tasks = (entries + kTaskEdges - 1) / kTaskEdges;
  parallel_for(tasks, threads, [&](int64_t task, int) {
    const int64_t end = task + 1 < tasks ? (task + 1) * kTaskEdges : entries;
    for (int64_t p = task * kTaskEdges; p < end; ++p) {
      const double whole = strength[indices[p]];
      chances[p] = whole > 0 ? T(double(weights[p]) / whole) : T(0);
    }
  });
}
template <class I, class Weight> void shares_as(int32_t dtype, int64_t entries, int threads,
                                                const I *indices, const Weight *weights,
                                                const double *strength, void *chances) {
  dtype == FASTLA_F32
      ? shares(entries, threads, indices, weights, strength, static_cast<float *>(chances))
      : shares(entries, threads, indices, weights, strength, static_cast<double *>(chances));
}

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" {

void fastla_rank_add_strengths(int32_t index_bytes, int32_t weight_bytes, int64_t entries,
                               const void *indices, const void *weights, double *sums) {
  weight_bytes == 4
      ? add_all(index_bytes, entries, indices, static_cast<const float *>(weights), sums)
      : add_all(index_bytes, entries, indices, static_cast<const double *>(weights), sums);
}

void fastla_rank_add_degrees(int32_t index_bytes, int64_t entries, const void *indices,
                             int64_t *sums) {
  add_all(index_bytes, entries, indices, One{}, sums);
}

void fastla_rank_chances(int32_t index_bytes, int32_t weight_bytes, int32_t dtype,
                         int32_t num_threads, int64_t entries, const void *indices,
                         const void *weights, const double *strength, void *chances) {
  const FpScope scope;
  const int threads = num_threads ? num_threads : fastla_get_num_threads();
  const auto by = [&](const auto *index) {
    weight_bytes == 4 ? shares_as(dtype, entries, threads, index,
                                  static_cast<const float *>(weights), strength, chances)
                      : shares_as(dtype, entries, threads, index,
                                  static_cast<const double *>(weights), strength, chances);
  };
  index_bytes == 4 ? by(static_cast<const int32_t *>(indices))
                   : by(static_cast<const int64_t *>(indices));
}

}  // extern "C"
