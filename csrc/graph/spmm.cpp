// Sparse times dense: runs of rows of about equal work for the threads.
#include <string.h>

#include "fastla/runtime.h"
#include "fastla/sparse.h"
#include "graph/csr.hpp"
#include "kernels/ops.hpp"
#include "runtime/cpu.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

// A row costs about as much as so many entries, beside its own.
constexpr int64_t kRowEntries = 4;
// Multiply-adds of a task: some tens of microseconds, whose entries stay in L2 while columns are taken group by group.
constexpr double kTaskProducts = 1 << 18;

// Rows of B that begin within a cache line take one line more, from L3 or memory: 1.15 to 1.25 times as long at 64 columns
// of float64. A copy costs what so many entries for each row of B do, or less.
constexpr int64_t kLine = 64, kCopyEntries = 8;
int64_t copy_pitch(int64_t bytes) { return (bytes + kLine - 1) & -kLine; }
bool better_copied(const SparseDesc &d, const SparseArgs &a, int64_t bytes) {
  const bool aligned = uintptr_t(a.b) % kLine == 0 && a.b_stride % kLine == 0,
             near = 2 * double(d.cols) * double(bytes) < double(cpu().l2);
  return !near && !aligned && bytes >= 2 * kLine && a.entries / kCopyEntries >= d.cols;
}
void copy_rows(const SparseDesc &d, SparseArgs *a, int64_t bytes, int threads, char *to) {
  constexpr int64_t rows = 1024;
  const int64_t pitch = copy_pitch(bytes);
  parallel_for((d.cols + rows - 1) / rows, threads, [&](int64_t task, int) {
    const int64_t end = (task + 1) * rows < d.cols ? (task + 1) * rows : d.cols;
    for (int64_t i = task * rows; i < end; ++i)
      memcpy(to + i * pitch, a->b + i * a->b_stride, size_t(bytes));
  });
  a->b = to;
  a->b_stride = pitch;
}

class Task {
 public:
  Task(const SparseDesc &d, int64_t tasks) : d_(d), tasks_(tasks) {}

  void run(int64_t index, SparseArgs a) const noexcept {
    const auto sparse = chosen_ops().of[d_.dtype == FASTLA_F64].sparse;
    const int64_t first = first_row(index);
    a.rows = first_row(index + 1) - first;
    a.starts = static_cast<const char *>(d_.starts) + first * d_.index_bytes;
    a.c += first * a.c_stride;
    sparse(a);
  }

 private:
  // The first row before which lies the task's share of the work.
  int64_t first_row(int64_t task) const {
    if (task == tasks_) return d_.rows;
    const double share = double(work_before(d_.rows)) / double(tasks_) * double(task);
    int64_t low = 0, high = d_.rows;
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      double(work_before(middle)) < share ? low = middle + 1 : high = middle;
    }
    return low;
  }
  int64_t work_before(int64_t row) const { return start_of(d_, row) + kRowEntries * row; }

  const SparseDesc &d_;
  int64_t tasks_;
};

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" fastla_status fastla_sparse_matmul(const fastla_sparse_desc *desc, const void *b,
                                              int64_t b_stride, void *c, int64_t c_stride,
                                              int64_t columns) {
  const SparseDesc &d = *desc;
  if (!valid(d) || columns < 0 || (d.dtype != FASTLA_F32 && d.dtype != FASTLA_F64))
    return FASTLA_INVALID;
  if (d.rows == 0 || columns == 0) return FASTLA_OK;
  const int64_t size = value_size(d), entries = start_of(d, d.rows);
  if (!c || (!b && entries)) return FASTLA_INVALID;
  const float one = 1;
  const double double_one = 1;
  const void *const ones = d.dtype == FASTLA_F64 ? static_cast<const void *>(&double_one) : &one;
  SparseArgs a{};
  a.columns = columns;
  a.indices = static_cast<const char *>(d.indices);
  a.values = static_cast<const char *>(d.values ? d.values : ones);
  a.value_step = d.values ? size : 0;
  a.entries = entries;
  a.index_bytes = d.index_bytes;
  a.b = static_cast<const char *>(b);
  a.c = static_cast<char *>(c);
  a.b_stride = b_stride;
  a.c_stride = c_stride;
  a.far = double(d.cols) * double(columns * size) > 2.0 * double(cpu().l2);
  const int threads = d.num_threads ? d.num_threads : fastla_get_num_threads();
  const double products = double(entries + kRowEntries * d.rows) * double(columns);
  const int64_t wanted = int64_t(products / kTaskProducts) + 1;
  const int64_t tasks = wanted < d.rows ? wanted : d.rows;
  FpScope scope;
  const int64_t bytes = columns * size;
  const bool copied = better_copied(d, a, bytes);
  const Workspace copy{copied ? size_t(d.cols * copy_pitch(bytes)) : 0};
  if (copied && copy.data()) copy_rows(d, &a, bytes, threads, copy.data());
  const Task task{d, tasks};
  parallel_for(tasks, threads, [&](int64_t index, int) { task.run(index, a); });
  return FASTLA_OK;
}
