// Top-k: tiles of q x^T, each consumed by the states of its rows before it leaves the cache.
//
//   task: some rows of q, and all rows of x or a part of them -> block of x: scores by the core's product
//     -> row: scores that are good enough -> the row's k best. Parts' states are merged; the order does not matter.
#include <string.h>

#include <atomic>

#include "fastla/retrieval.h"
#include "fastla/runtime.h"
#include "kernels/ops.hpp"
#include "retrieval/best.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

// Rows of a task: what the product packs of x serves them all. Scores of a tile stay in L2.
constexpr int64_t kTaskRows = 256, kTileBytes = int64_t{256} << 10, kMostCols = 4096;
// States of a task, which bound its rows where k is large.
constexpr int64_t kStateBytes = int64_t{4} << 20;
// Tasks for each thread, at least, if they can be had; and the work below which one thread does.
constexpr int64_t kTasks = 4;
constexpr double kThreadWork = 1 << 20;
constexpr int64_t kLine = 64;

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
int64_t pieces(int64_t n, int64_t size) { return (n + size - 1) / size; }
int64_t element_size(const TopkDesc &d) { return d.dtype == FASTLA_F64 ? 8 : 4; }

bool valid(const TopkDesc &d) {
  if (d.struct_size < sizeof(TopkDesc) || (d.dtype != FASTLA_F32 && d.dtype != FASTLA_F64))
    return false;
  if (d.m < 0 || d.n < 0 || d.size < 0 || d.k < 0 || d.k > d.n || d.num_threads < 0) return false;
  if (double(d.m) * double(d.k) > 5e17) return false;
  const bool data = d.q.data && d.x.data;
  if (d.m && d.k && (!d.values || !d.indices || (d.size && !data))) return false;
  return !d.from.data == !d.to.data && (!d.from.data || (d.half_square && d.slack));
}

struct Grid {
  int64_t rows, row_tasks, parts, cols, pitch, state_bytes;

  Grid(const TopkDesc &d, int threads) {
    const int64_t wanted = kTasks * threads;
    rows = threads == 1 ? kTaskRows : most(32, least(kTaskRows, pieces(d.m, wanted)));
    rows = most(1, least(least(rows, d.m), kStateBytes / (d.k * int64_t(sizeof(Found)))));
    row_tasks = pieces(d.m, rows);
    rows = pieces(d.m, row_tasks);
    cols = least(kMostCols, most(64, kTileBytes / (rows * element_size(d))));
    cols = least(cols, d.n);
    parts = row_tasks >= wanted || threads == 1 ? 1 : pieces(wanted, row_tasks);
    parts = least(parts, most(1, d.n / (2 * cols)));
    pitch = (cols * element_size(d) + kLine - 1) / kLine * kLine + kLine;
    state_bytes = rows * (d.k * int64_t(sizeof(Found)) + 8);
  }
  int64_t tasks() const { return row_tasks * parts; }
  int64_t worker_bytes() const { return rows * pitch; }
  // Of a task that has all of x nobody needs the states later.
  int64_t states(int threads) const { return (parts == 1 ? threads : tasks()) * state_bytes; }
};

class Search {
 public:
  Search(const TopkDesc &d, const Grid &grid, char *tiles, char *states)
      : d_(d),
        grid_(grid),
        ops_(chosen_ops().of[d.dtype == FASTLA_F64]),
        alone_(d.k == 1 && !d.exclude && !d.from.data),
        tiles_(tiles),
        states_(states) {}

  // The rows' states after their part of x.
  void run(int64_t task, int worker) noexcept {
    const int64_t first = task / grid_.parts * grid_.rows, part = task % grid_.parts;
    const int64_t rows = least(grid_.rows, d_.m - first);
    const int64_t end = d_.n * (part + 1) / grid_.parts;
    const int64_t slot = grid_.parts == 1 ? worker : task;
    char *const tile = tiles_ + worker * grid_.worker_bytes();
    for (int64_t i = 0; i < rows; ++i) *count_of(slot, i) = 0;
    for (int64_t j = d_.n * part / grid_.parts; j < end; j += grid_.cols) {
      const int64_t cols = least(grid_.cols, end - j);
      if (!multiply(first, rows, j, cols, tile)) return;
      for (int64_t i = 0; i < rows; ++i)
        take(first + i, tile + i * grid_.pitch, j, cols, best_of(slot, i));
    }
    if (grid_.parts == 1) finish(task, slot);
  }

  // Of a block of rows: the states of its parts, merged and stored.
  void finish(int64_t row_task, int64_t slot) noexcept {
    const int64_t first = row_task * grid_.rows;
    for (int64_t i = 0; i < least(grid_.rows, d_.m - first); ++i) {
      Best best = best_of(slot, i);
      for (int64_t part = 1; part < grid_.parts; ++part)
        for (const Found &found : best_of(slot + part, i)) best.offer(found);
      d_.dtype == FASTLA_F64 ? put<double>(first + i, best) : put<float>(first + i, best);
    }
  }

  bool complete() const { return !failed_.load(); }

 private:
  int64_t *count_of(int64_t slot, int64_t i) const {
    return reinterpret_cast<int64_t *>(states_ + slot * grid_.state_bytes) + i;
  }
  Best best_of(int64_t slot, int64_t i) const {
    Found *const heaps = reinterpret_cast<Found *>(count_of(slot, grid_.rows));
    return {heaps + i * d_.k, count_of(slot, i), d_.k};
  }

  static const char *row(const fastla_rows &x, int64_t i) {
    return static_cast<const char *>(x.data) + i * x.stride;
  }

  bool multiply(int64_t first, int64_t rows, int64_t j, int64_t cols, char *tile) noexcept {
    const int64_t size = element_size(d_);
    const auto at = [size](const void *v, int64_t i) {
      return fastla_vector{v ? static_cast<const char *>(v) + i * size : nullptr, size};
    };
    fastla_epilogue epilogue;
    fastla_epilogue_init(&epilogue);
    epilogue.row_scale = at(d_.row_scale, first);
    epilogue.col_scale = at(d_.col_scale, j);
    epilogue.col_bias = at(d_.col_bias, j);
    fastla_gemm_desc product;
    fastla_gemm_desc_init(&product);
    product.dtype = d_.dtype;
    product.m = rows;
    product.n = cols;
    product.k = d_.size;
    product.a = {row(d_.q, first), d_.q.stride, size, 0};
    product.b = {row(d_.x, j), size, d_.x.stride, 0};
    product.c = tile;
    product.c_row_stride = grid_.pitch;
    product.c_col_stride = size;
    product.num_threads = 1;
    if (d_.row_scale || d_.col_scale || d_.col_bias) product.epilogue = &epilogue;
    if (fastla_gemm(&product, nullptr) == FASTLA_OK) return true;
    failed_.store(true);
    return false;
  }

  // Scores of a row for the rows of x from `first` on.
  void take(int64_t i, const char *scores, int64_t first, int64_t count, Best best) const noexcept {
    if (alone_) {
      const int64_t j = ops_.first_largest(scores, count);
      return best.offer({key(i, first + j, scores, j), first + j});
    }
    const int64_t left_out = d_.exclude ? d_.exclude[i] - first : -1;
    double bound = bound_of(i, best);
    for (int64_t j = 0; (j = ops_.next_not_below(scores, j, count, bound)) < count; ++j) {
      if (j == left_out) continue;
      best.offer({key(i, first + j, scores, j), first + j});
      bound = bound_of(i, best);
    }
  }

  double key(int64_t i, int64_t j, const char *scores, int64_t at) const noexcept {
    if (d_.from.data) return -ops_.squared_distance(row(d_.from, i), row(d_.to, j), d_.size);
    return d_.dtype == FASTLA_F64 ? reinterpret_cast<const double *>(scores)[at]
                                  : double(reinterpret_cast<const float *>(scores)[at]);
  }

  // What a score must reach to matter. An equal one comes later and does not, but that is seen in time.
  double bound_of(int64_t i, const Best &best) const noexcept {
    if (!best.full()) return -HUGE_VAL;
    const double worst = best.worst().key;
    const double bound = d_.from.data ? d_.half_square[i] + worst / 2 - d_.slack[i] : worst;
    return isfinite(bound) ? bound : -HUGE_VAL;
  }

  template <class T> void put(int64_t i, Best &best) const noexcept {
    const Found *const found = best.sorted();
    T *const values = static_cast<T *>(d_.values) + i * d_.k;
    int64_t *const indices = d_.indices + i * d_.k;
    for (int64_t r = 0; r < d_.k; ++r) {
      values[r] = T(d_.from.data ? sqrt(-found[r].key) : found[r].key);
      indices[r] = found[r].index;
    }
  }

  const TopkDesc &d_;
  const Grid &grid_;
  const RowOps &ops_;
  bool alone_;  // one score is looked for, of all
  char *tiles_, *states_;
  std::atomic<bool> failed_{false};
};

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" {

void fastla_topk_desc_init(fastla_topk_desc *desc) {
  memset(desc, 0, sizeof(*desc));
  desc->struct_size = sizeof(*desc);
}

fastla_status fastla_topk(const fastla_topk_desc *desc) {
  const TopkDesc &d = *desc;
  if (!valid(d)) return FASTLA_INVALID;
  if (d.m == 0 || d.k == 0) return FASTLA_OK;
  if (d.exclude && d.k == d.n)
    for (int64_t i = 0; i < d.m; ++i)
      if (d.exclude[i] >= 0 && d.exclude[i] < d.n) return FASTLA_INVALID;
  const int32_t wanted = d.num_threads ? d.num_threads : fastla_get_num_threads();
  const double work = double(d.m) * double(d.n) * double(d.size + 8);
  const int allowed = work < kThreadWork ? 1 : wanted;
  const Grid grid{d, allowed};
  const int threads = int(least(grid.tasks(), allowed));
  const Workspace scratch{size_t(threads * grid.worker_bytes() + grid.states(threads))};
  if (!scratch.data()) return FASTLA_NO_MEMORY;
  FpScope scope;
  Search search{d, grid, scratch.data(), scratch.data() + threads * grid.worker_bytes()};
  parallel_for(grid.tasks(), threads, [&](int64_t task, int worker) { search.run(task, worker); });
  if (grid.parts > 1 && search.complete())
    parallel_for(grid.row_tasks, threads,
                 [&](int64_t task, int) { search.finish(task, task * grid.parts); });
  return search.complete() ? FASTLA_OK : FASTLA_NO_MEMORY;
}

}  // extern "C"
