// Operations on rows: blocks of rows for the threads, float16 and bfloat16 by way of float32, sums of columns.
#include <string.h>

#include "fastla/nn.h"
#include "fastla/runtime.h"
#include "kernels/ops.hpp"
#include "kernels/row.hpp"
#include "nn/heads.hpp"
#include "runtime/calls.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

// Sums of columns are a chain over so many rows, then these in order (docs/rows.md).
constexpr int64_t kBlockRows = 64;
// Elements a task has at least, if it can.
constexpr int64_t kTaskElements = 1 << 14;
// Results of so many bytes do not stay in the caches that a core has for itself: they go past them.
constexpr int64_t kFarBytes = 4 << 20;

// Before anybody else reads what went past the caches.
void end_of_stream() {
#if defined(__x86_64__)
  __builtin_ia32_sfence();
#endif
}
int64_t wide_size(int dtype) { return dtype == FASTLA_F64 ? 8 : 4; }

// Whether an operation reads a second matrix, and what else must be there.
struct Needs {
  bool other, out, stats, target;
};
constexpr Needs kNeeds[] = {
    {false, true, false, false},   // softmax
    {false, true, false, false},   // log_softmax
    {true, true, false, false},    // softmax_backward
    {true, true, false, false},    // log_softmax_backward
    {false, false, true, true},    // cross_entropy
    {false, true, true, true},     // cross_entropy_backward
    {false, false, false, false},  // layer_norm
    {false, false, false, false},  // rms_norm
    {true, false, true, false},    // layer_norm_backward
    {true, false, true, false},    // rms_norm_backward
    {false, true, false, false},   // activation
    {true, true, false, false},    // activation_backward
    {true, true, false, false},    // swiglu
    {true, true, false, false},    // swiglu_backward
};
static_assert(sizeof(kNeeds) / sizeof(kNeeds[0]) == FASTLA_ROW_OPS);

bool valid(const RowOpDesc &d) {
  if (d.struct_size < sizeof(RowOpDesc) || d.op < 0 || d.op >= FASTLA_ROW_OPS) return false;
  if (d.dtype != FASTLA_F32 && d.dtype != FASTLA_F64 && !is_half_type(d.dtype)) return false;
  if (d.rows < 0 || d.cols < 0 || d.num_threads < 0) return false;
  if (d.activation < 0 || d.activation >= FASTLA_ACTIVATIONS) return false;
  int64_t size = 0;
  if (__builtin_mul_overflow(d.rows, d.cols, &size) || size > INT64_MAX / 32) return false;
  const Needs &needs = kNeeds[d.op];
  return size == 0 ||
         (d.in[0].data && (!needs.other || d.in[1].data) && (!needs.out || d.out.data) &&
          (d.op != FASTLA_SWIGLU_BACKWARD || (d.in[2].data && d.more.data)) &&
          (!needs.stats || (d.stat[0] && d.stat[1])) && (!needs.target || d.target));
}

class Task {
 public:
  Task(const RowOpDesc &d, char *scratch, int workers)
      : d_(d),
        op_(chosen_ops().of[d.dtype == FASTLA_F64].of[d.op]),
        half_(is_half_type(d.dtype) ? &chosen_row(d.dtype) : nullptr),
        far_(is_far(d)),
        rows_(scratch),
        sums_(scratch + (half_ || far_ ? workers * worker_bytes(d) : 0)) {}

  static int64_t pitch(const RowOpDesc &d) { return (d.cols * wide_size(d.dtype) + 63) & -64; }
  static int64_t worker_bytes(const RowOpDesc &d) { return 5 * pitch(d); }
  static bool is_far(const RowOpDesc &d) {
    const bool apart = d.out.data != d.in[0].data && d.out.data != d.in[1].data;
    return !is_half_type(d.dtype) && apart && d.rows * pitch(d) >= kFarBytes;
  }
  static bool has_sums(const RowOpDesc &d) { return d.sums[0] || d.sums[1]; }
  static int64_t blocks(const RowOpDesc &d) { return (d.rows + kBlockRows - 1) / kBlockRows; }
  static int64_t scratch_bytes(const RowOpDesc &d, int workers) {
    return (is_half_type(d.dtype) || is_far(d) ? workers * worker_bytes(d) : 0) +
           (has_sums(d) ? 2 * blocks(d) * pitch(d) : 0);
  }

  void run(int64_t first, int64_t count, int worker) const noexcept {
    RowArgs a{};
    a.cols = d_.cols;
    a.weight = static_cast<const char *>(d_.weight);
    a.bias = static_cast<const char *>(d_.bias);
    a.param = d_.param;
    a.activation = d_.activation;
    a.far = far_;
    a.spare = rows_ + worker * worker_bytes(d_);
    for (int64_t i = first; i < first + count;) {
      const int64_t rest = first + count - i, block = i / kBlockRows;
      a.rows = half_ ? 1 : rest;
      if (has_sums(d_)) {
        const int64_t left = (block + 1) * kBlockRows - i;
        if (a.rows > left) a.rows = left;
        for (int s = 0; s < 2; ++s) a.sums[s] = d_.sums[s] ? block_sums(block, s) : nullptr;
        if (i % kBlockRows == 0) memset(block_sums(block, 0), 0, size_t(2 * pitch(d_)));
      }
      place(i, worker, &a);
      op_(a);
      if (far_) end_of_stream();
      if (half_) {
        narrow(a.out, d_.out, i);
        narrow(a.more, d_.more, i);
      }
      i += a.rows;
    }
  }

  // Blocks' sums, in order.
  template <class T> void add_up() const noexcept {
    for (int s = 0; s < 2; ++s) {
      T *const to = static_cast<T *>(d_.sums[s]);
      if (!to) continue;
      for (int64_t j = 0; j < d_.cols; ++j) to[j] = 0;
      for (int64_t block = 0; block < blocks(d_); ++block) {
        const T *const from = reinterpret_cast<const T *>(block_sums(block, s));
        for (int64_t j = 0; j < d_.cols; ++j) to[j] += from[j];
      }
    }
  }

 private:
  char *block_sums(int64_t block, int which) const {
    return sums_ + (2 * block + which) * pitch(d_);
  }
  // The operands from row i on, where they are or widened.
  void place(int64_t i, int worker, RowArgs *a) const {
    const int64_t size = wide_size(d_.dtype);
    char *const own = rows_ + worker * worker_bytes(d_);
    for (int k = 0; k < 3; ++k) {
      const char *data = static_cast<const char *>(d_.in[k].data);
      a->in[k] = {data, d_.in[k].stride};
      if (!data) continue;
      a->in[k].data += i * d_.in[k].stride;
      if (!half_) continue;
      char *const wide = own + k * pitch(d_);
      half_->to_floats(a->in[k].data, reinterpret_cast<float *>(wide), d_.cols);
      a->in[k] = {wide, 0};
    }
    a->out = result(d_.out, i, own + 3 * pitch(d_));
    a->more = result(d_.more, i, own + 4 * pitch(d_));
    for (int k = 0; k < 2; ++k)
      a->stat[k] = d_.stat[k] ? static_cast<char *>(d_.stat[k]) + i * size : nullptr;
    a->target = d_.target ? d_.target + i : nullptr;
  }

  // Where row i and those after it go: there, or to a row to be rounded.
  Lines result(const fastla_lines &out, int64_t i, char *wide) const {
    if (!out.data || half_) return {out.data ? wide : nullptr, 0};
    return {static_cast<const char *>(out.data) + i * out.stride, out.stride};
  }
  void narrow(const Lines &from, const fastla_lines &out, int64_t i) const {
    if (out.data)
      half_->from_floats(reinterpret_cast<const float *>(from.data),
                         static_cast<char *>(const_cast<void *>(out.data)) + i * out.stride,
                         d_.cols);
  }

  const RowOpDesc &d_;
  void (*op_)(const RowArgs &);
  const KernelRow *half_;
  bool far_;
  char *rows_, *sums_;
};

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" {

void fastla_row_op_desc_init(fastla_row_op_desc *desc) {
  memset(desc, 0, sizeof(*desc));
  desc->struct_size = sizeof(*desc);
}

fastla_status fastla_row_op(const fastla_row_op_desc *desc) {
  const RowOpDesc &d = *desc;
  if (!valid(d)) return FASTLA_INVALID;
  count_call(FASTLA_CALL_ROW_OP + d.op);
  // Tasks are whole blocks of rows where sums of columns are asked for.
  const int64_t unit = Task::has_sums(d) ? kBlockRows : 1;
  const int64_t least = d.cols ? kTaskElements / d.cols : kTaskElements;
  const int64_t each = (least + unit - 1) / unit * unit > 0 ? (least + unit - 1) / unit * unit : 1;
  const int64_t tasks = (d.rows + each - 1) / each;
  const int32_t wanted = d.num_threads ? d.num_threads : fastla_get_num_threads();
  const int threads = tasks < wanted ? int(tasks > 0 ? tasks : 1) : wanted;
  const Workspace scratch{size_t(Task::scratch_bytes(d, threads)) + 64};
  if (!scratch.data()) return FASTLA_NO_MEMORY;
  FpScope scope;
  const Task task{d, scratch.data(), threads};
  if (tasks > 0)
    parallel_for(tasks, threads, [&](int64_t index, int worker) {
      const int64_t first = index * each, left = d.rows - first;
      task.run(first, left < each ? left : each, worker);
    });
  if (Task::has_sums(d)) d.dtype == FASTLA_F64 ? task.add_up<double>() : task.add_up<float>();
  return FASTLA_OK;
}

}  // extern "C"
