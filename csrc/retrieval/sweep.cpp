// Nearest neighbours where one axis tells much: from each row to both sides along it, until nothing can be nearer.
#include <math.h>

#include "fastla/retrieval.h"
#include "fastla/runtime.h"
#include "kernels/ops.hpp"
#include "retrieval/best.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

constexpr int64_t kTaskRows = 64;

template <class T> class Sweep {
 public:
  explicit Sweep(const SweepDesc &d)
      : d_(d), distance_(chosen_ops().of[sizeof(T) == 8].squared_distance) {}

  void run(int64_t i, Found *heap) const noexcept {
    int64_t count = 0;
    Best best{heap, &count, d_.k};
    int64_t low = i - 1, high = i + 1;
    double below = way(i, low), above = way(i, high);
    // A square that is rounded is no more than a sum of squares that has it among its terms.
    while (below < HUGE_VAL || above < HUGE_VAL) {
      const bool down = below <= above;
      const double least = down ? below : above;
      if (best.full() && least * least > -best.worst().key) break;
      const int64_t j = down ? low : high;
      best.offer({-distance_(row(i), row(j), d_.size), d_.names[j]});
      down ? below = way(i, --low) : above = way(i, ++high);
    }
    const Found *const found = best.sorted();
    const int64_t at = d_.names[i] * d_.k;
    for (int64_t r = 0; r < d_.k; ++r) {
      static_cast<T *>(d_.values)[at + r] = T(sqrt(-found[r].key));
      d_.indices[at + r] = found[r].index;
    }
  }

 private:
  const char *row(int64_t i) const {
    return static_cast<const char *>(d_.x.data) + i * d_.x.stride;
  }
  double along(int64_t i) const { return double(reinterpret_cast<const T *>(row(i))[d_.axis]); }
  double way(int64_t i, int64_t j) const {
    return j < 0 || j >= d_.rows ? HUGE_VAL : fabs(along(i) - along(j));
  }

  const SweepDesc &d_;
  double (*distance_)(const char *, const char *, int64_t);
};

template <class T> void sweep(const SweepDesc &d, int threads, Found *heaps) {
  const Sweep<T> one{d};
  parallel_for((d.rows + kTaskRows - 1) / kTaskRows, threads, [&](int64_t task, int worker) {
    for (int64_t i = task * kTaskRows; i < (task + 1) * kTaskRows && i < d.rows; ++i)
      one.run(i, heaps + worker * d.k);
  });
}

bool valid(const SweepDesc &d) {
  if (d.struct_size < sizeof(SweepDesc) || (d.dtype != FASTLA_F32 && d.dtype != FASTLA_F64))
    return false;
  if (d.rows < 1 || d.size < 1 || d.axis < 0 || d.axis >= d.size || d.num_threads < 0) return false;
  return d.k >= 1 && d.k < d.rows && d.x.data && d.names && d.values && d.indices;
}

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" {

void fastla_sweep_desc_init(fastla_sweep_desc *desc) {
  *desc = fastla_sweep_desc{};
  desc->struct_size = sizeof(*desc);
}

fastla_status fastla_sweep(const fastla_sweep_desc *desc) {
  const SweepDesc &d = *desc;
  if (!valid(d)) return FASTLA_INVALID;
  const int threads = d.num_threads ? d.num_threads : fastla_get_num_threads();
  const Workspace heaps{size_t(threads) * size_t(d.k) * sizeof(Found)};
  if (!heaps.data()) return FASTLA_NO_MEMORY;
  FpScope scope;
  Found *const at = reinterpret_cast<Found *>(heaps.data());
  d.dtype == FASTLA_F64 ? sweep<double>(d, threads, at) : sweep<float>(d, threads, at);
  return FASTLA_OK;
}

}  // extern "C"
