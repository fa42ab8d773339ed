// A step of k-means: chunks of rows are scored, labelled, and summed by label before they leave the cache.
//
//   group of rows (their number depends on the shape alone) -> chunk: scores by the core's product -> labels
//     -> rows in the order of their labels, a sparse matrix of ones or weights, times the chunk -> the group's sums.
#include <math.h>
#include <string.h>

#include <atomic>

#include "fastla/retrieval.h"
#include "fastla/runtime.h"
#include "kernels/ops.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

// Rows and scores of a chunk that stay in L2, and groups whose sums are held at once.
constexpr int64_t kChunkBytes = int64_t{256} << 10, kMostRows = 512, kFewestRows = 16;
constexpr int64_t kGroups = 64, kFewestGroups = 8, kSums = int64_t{4} << 20;
constexpr int64_t kLine = 64;

int64_t within(int64_t low, int64_t x, int64_t high) { return x < low ? low : x > high ? high : x; }
int64_t lines(int64_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

struct Grid {
  int64_t item, rows, groups, pitch, starts, order, weights, partial, worker, sums;

  explicit Grid(const LloydDesc &d) {
    item = d.dtype == FASTLA_F64 ? 8 : 4;
    rows = within(kFewestRows, kChunkBytes / ((d.size + d.k) * item), kMostRows);
    groups = within(kFewestGroups, kSums / (d.k * (d.size + 1)), kGroups);
    groups = within(1, d.rows / rows, groups);
    pitch = lines(d.k * item) + kLine;
    // Where each part of a worker's scratch begins, after the scores.
    starts = rows * pitch;
    order = starts + lines((d.k + 2) * 4);
    weights = order + lines(rows * 4);
    partial = weights + lines(rows * item);
    worker = partial + lines(d.k * d.size * item);
    sums = d.sums ? d.k * (d.size + 1) : 0;
  }
};

class Step {
 public:
  Step(const LloydDesc &d, const Grid &grid, char *scratch, double *sums)
      : d_(d),
        grid_(grid),
        ops_(chosen_ops().of[d.dtype == FASTLA_F64]),
        scratch_(scratch),
        sums_(sums) {}

  void run(int64_t group, int worker) noexcept {
    char *const scratch = scratch_ + worker * grid_.worker;
    double *const sums = sums_ + group * grid_.sums;
    if (grid_.sums) memset(sums, 0, size_t(grid_.sums) * sizeof(double));
    const int64_t end = d_.rows * (group + 1) / grid_.groups;
    for (int64_t i = d_.rows * group / grid_.groups; i < end; i += grid_.rows) {
      const int64_t rows = within(0, end - i, grid_.rows);
      if (!multiply(i, rows, scratch)) return failed_.store(true);
      for (int64_t r = 0; r < rows; ++r)
        d_.labels[i + r] = int32_t(ops_.first_largest(scratch + r * grid_.pitch, d_.k));
      if (!grid_.sums) continue;
      d_.dtype == FASTLA_F64 ? add<double>(i, rows, scratch, sums)
                             : add<float>(i, rows, scratch, sums);
    }
  }

  bool complete() const { return !failed_.load(); }

 private:
  bool multiply(int64_t first, int64_t rows, char *scores) const noexcept {
    fastla_epilogue epilogue;
    fastla_epilogue_init(&epilogue);
    epilogue.col_bias = {d_.bias, grid_.item};
    fastla_gemm_desc product;
    fastla_gemm_desc_init(&product);
    product.dtype = d_.dtype;
    product.m = rows;
    product.n = d_.k;
    product.k = d_.size;
    product.a = {row(first), d_.x.stride, grid_.item, 0};
    product.b = {d_.centers, d_.k * grid_.item, grid_.item, 0};
    product.c = scores;
    product.c_row_stride = grid_.pitch;
    product.c_col_stride = grid_.item;
    product.num_threads = 1;
    product.epilogue = &epilogue;
    return fastla_gemm(&product, nullptr) == FASTLA_OK;
  }

  template <class T>
  void add(int64_t first, int64_t rows, char *scratch, double *sums) const noexcept {
    auto *const starts = reinterpret_cast<int32_t *>(scratch + grid_.starts);
    auto *const order = reinterpret_cast<int32_t *>(scratch + grid_.order);
    T *const weights = reinterpret_cast<T *>(scratch + grid_.weights);
    const int32_t *const labels = d_.labels + first;
    const T *const given = d_.weights ? static_cast<const T *>(d_.weights) + first : nullptr;
    // By counting: starts[j + 1] is where label j begins, and then where it ends.
    memset(starts, 0, size_t(d_.k + 2) * sizeof(int32_t));
    for (int64_t r = 0; r < rows; ++r) ++starts[labels[r] + 2];
    for (int64_t j = 2; j <= d_.k; ++j) starts[j] += starts[j - 1];
    weights[0] = 1;
    for (int64_t r = 0; r < rows; ++r) {
      const int32_t place = starts[labels[r] + 1]++;
      order[place] = int32_t(r);
      if (given) weights[place] = given[r];
    }
    SparseArgs a{};
    a.rows = d_.k;
    a.columns = d_.size;
    a.starts = reinterpret_cast<const char *>(starts);
    a.indices = reinterpret_cast<const char *>(order);
    a.values = reinterpret_cast<const char *>(weights);
    a.entries = rows;
    a.index_bytes = 4;
    a.value_step = given ? grid_.item : 0;
    a.b = row(first);
    a.c = scratch + grid_.partial;
    a.b_stride = d_.x.stride;
    a.c_stride = d_.size * grid_.item;
    ops_.sparse(a);
    const T *const partial = reinterpret_cast<const T *>(scratch + grid_.partial);
    for (int64_t e = 0; e < d_.k * d_.size; ++e) sums[e] += double(partial[e]);
    double *const counts = sums + d_.k * d_.size;
    for (int64_t r = 0; r < rows; ++r) counts[labels[r]] += given ? double(given[r]) : 1.0;
  }

  const char *row(int64_t i) const {
    return static_cast<const char *>(d_.x.data) + i * d_.x.stride;
  }

  const LloydDesc &d_;
  const Grid &grid_;
  const RowOps &ops_;
  char *scratch_;
  double *sums_;
  std::atomic<bool> failed_{false};
};

bool valid(const LloydDesc &d) {
  if (d.struct_size < sizeof(LloydDesc) || (d.dtype != FASTLA_F32 && d.dtype != FASTLA_F64))
    return false;
  if (d.rows < 0 || d.size < 1 || d.k < 1 || d.k > INT32_MAX - 2 || d.num_threads < 0) return false;
  if (!d.centers || !d.bias || !d.sums != !d.counts) return false;
  return !d.rows || (d.x.data && d.labels);
}

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" {

void fastla_lloyd_desc_init(fastla_lloyd_desc *desc) {
  memset(desc, 0, sizeof(*desc));
  desc->struct_size = sizeof(*desc);
}

fastla_status fastla_lloyd(const fastla_lloyd_desc *desc) {
  const LloydDesc &d = *desc;
  if (!valid(d)) return FASTLA_INVALID;
  const Grid grid{d};
  const int wanted = d.num_threads ? d.num_threads : fastla_get_num_threads();
  const int threads = int(within(1, wanted, grid.groups));
  const size_t scratch = size_t(threads * grid.worker);
  const Workspace space{scratch + size_t(grid.groups * grid.sums) * sizeof(double) + kLine};
  if (!space.data()) return FASTLA_NO_MEMORY;
  double *const sums = reinterpret_cast<double *>(space.data() + scratch);
  FpScope scope;
  Step step{d, grid, space.data(), sums};
  parallel_for(grid.groups, threads, [&](int64_t group, int worker) { step.run(group, worker); });
  if (!step.complete()) return FASTLA_NO_MEMORY;
  if (!d.sums) return FASTLA_OK;
  for (int64_t group = 1; group < grid.groups; ++group)
    for (int64_t e = 0; e < grid.sums; ++e) sums[e] += sums[group * grid.sums + e];
  memcpy(d.sums, sums, size_t(d.k * d.size) * sizeof(double));
  memcpy(d.counts, sums + d.k * d.size, size_t(d.k) * sizeof(double));
  return FASTLA_OK;
}

}  // extern "C"
