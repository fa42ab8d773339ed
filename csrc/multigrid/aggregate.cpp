// Aggregates: neighbourhoods that do not touch each other, then the rest. Vanek, Mandel and Brezina, "Algebraic multigrid by
// smoothed aggregation for second and fourth order elliptic problems", Computing 56 (1996).
#include <math.h>

#include "fastla/multigrid.h"
#include "runtime/fpenv.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

constexpr int32_t kNone = -1, kOpen = -2;

class Aggregation {
 public:
  Aggregation(const Csr &a, double share, double *scratch, int32_t *of)
      : a_(a), share_(share), scale_(scratch), strongest_(scratch + a.rows), of_(of) {}

  int64_t run(double least) {
    measure(least);
    int32_t count = 0;
    // Roots: nodes that can have all of their strong neighbours.
    for (int64_t i = 0; i < a_.rows; ++i)
      if (of_[i] == kOpen && untouched(i)) put_together(i, count++);
    // Others go where they are coupled to most; to an aggregate as it was, so that none becomes a chain.
    for (int64_t i = 0; i < a_.rows; ++i)
      if (of_[i] == kOpen) attach(i);
    for (int64_t i = 0; i < a_.rows; ++i)
      if (of_[i] < kOpen) of_[i] = kOpen - 1 - of_[i];
    // What touches none of these.
    for (int64_t i = 0; i < a_.rows; ++i)
      if (of_[i] == kOpen) put_together(i, count++);
    return count;
  }

 private:
  double coupling(int64_t i, int32_t p) const {
    return fabs(a_.values[p]) * scale_[i] * scale_[a_.indices[p]];
  }
  bool strong(int64_t i, int32_t p) const {
    const int32_t j = a_.indices[p];
    if (j == i || of_[j] == kNone) return false;
    const double x = coupling(i, p);
    return x > 0 && (x >= share_ * strongest_[i] || x >= share_ * strongest_[j]);
  }

  void measure(double least) {
    for (int64_t i = 0; i < a_.rows; ++i) {
      double diagonal = 0;
      for (int32_t p = a_.starts[i]; p < a_.starts[i + 1]; ++p)
        if (a_.indices[p] == i) diagonal += a_.values[p];
      scale_[i] = diagonal > 0 ? 1 / sqrt(diagonal) : 0;
    }
    for (int64_t i = 0; i < a_.rows; ++i) {
      double sum = 0, most = 0;
      for (int32_t p = a_.starts[i]; p < a_.starts[i + 1]; ++p) {
        if (a_.indices[p] == i) continue;
        const double x = coupling(i, p);
        sum += x;
        most = x > most ? x : most;
      }
      strongest_[i] = most;
      of_[i] = sum > least ? kOpen : kNone;
    }
  }

  bool untouched(int64_t i) const {
    for (int32_t p = a_.starts[i]; p < a_.starts[i + 1]; ++p)
      if (strong(i, p) && of_[a_.indices[p]] != kOpen) return false;
    return true;
  }

  void put_together(int64_t i, int32_t aggregate) {
    for (int32_t p = a_.starts[i]; p < a_.starts[i + 1]; ++p)
      if (strong(i, p) && of_[a_.indices[p]] == kOpen) of_[a_.indices[p]] = aggregate;
    of_[i] = aggregate;
  }

  // Marked by numbers below kOpen until all have been looked at.
  void attach(int64_t i) {
    double most = 0;
    for (int32_t p = a_.starts[i]; p < a_.starts[i + 1]; ++p) {
      const int32_t j = a_.indices[p];
      if (!strong(i, p) || of_[j] < 0 || coupling(i, p) <= most) continue;
      most = coupling(i, p);
      of_[i] = kOpen - 1 - of_[j];
    }
  }

  const Csr &a_;
  double share_, *scale_, *strongest_;
  int32_t *of_;
};

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" fastla_status fastla_aggregate(const fastla_csr *a, double share, double least,
                                          int32_t *of, int64_t *count) {
  if (a->rows != a->cols || !(share > 0)) return FASTLA_INVALID;
  const Workspace scratch{size_t(a->rows) * 2 * sizeof(double) + 64};
  if (!scratch.data()) return FASTLA_NO_MEMORY;
  FpScope scope;
  *count = Aggregation{*a, share, reinterpret_cast<double *>(scratch.data()), of}.run(least);
  return FASTLA_OK;
}
