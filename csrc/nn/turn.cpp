// Rotary positions: rows of heads for the threads, float16 and bfloat16 by way of float32.
#include <string.h>

#include "fastla/nn.h"
#include "fastla/runtime.h"
#include "kernels/ops.hpp"
#include "kernels/row.hpp"
#include "nn/heads.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

// Elements a task has at least, if it can.
constexpr int64_t kTaskElements = 1 << 14;

bool valid(const TurnDesc &d) {
  if (d.struct_size < sizeof(TurnDesc) || d.num_threads < 0) return false;
  if (d.dtype != FASTLA_F32 && d.dtype != FASTLA_F64 && !is_half_type(d.dtype)) return false;
  int64_t size = 1;
  for (const int64_t n : {d.batch, d.heads, d.rows, d.half})
    if (n < 0 || __builtin_mul_overflow(size, n, &size) || size > INT64_MAX / 64) return false;
  return size == 0 || (d.x.data && d.cos.data && d.sin.data && d.out.data);
}

int64_t scratch_bytes(const TurnDesc &d) {
  return is_half_type(d.dtype) ? whole_lines(2 * d.half * 4) : 0;
}

// Rows of one head.
void turn_rows(const TurnDesc &d, int64_t batch, int64_t head, int64_t row, int64_t count,
               char *scratch) {
  const auto lines = [&](const fastla_heads &x) {
    return Lines{row_at(x, batch, head, row), x.strides[2]};
  };
  TurnArgs t{count,        d.half,       lines(d.x),         lines(d.cos),
             lines(d.sin), lines(d.out), d.interleaved != 0, d.back != 0};
  const auto turn = chosen_ops().of[d.dtype == FASTLA_F64].turn;
  if (!is_half_type(d.dtype)) return turn(t);
  const KernelRow &half = chosen_row(d.dtype);
  t.rows = 1;
  for (int64_t i = 0; i < count; ++i) {
    half.to_floats(row_at(d.x, batch, head, row + i), reinterpret_cast<float *>(scratch),
                   2 * d.half);
    t.x = t.out = {scratch, 0};
    t.cos.data = row_at(d.cos, batch, head, row + i);
    t.sin.data = row_at(d.sin, batch, head, row + i);
    turn(t);
    half.from_floats(reinterpret_cast<const float *>(scratch),
                     const_cast<char *>(row_at(d.out, batch, head, row + i)), 2 * d.half);
  }
}

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" {

void fastla_turn_desc_init(fastla_turn_desc *desc) {
  memset(desc, 0, sizeof(*desc));
  desc->struct_size = sizeof(*desc);
}

fastla_status fastla_turn(const fastla_turn_desc *desc) {
  const TurnDesc &d = *desc;
  if (!valid(d)) return FASTLA_INVALID;
  const int64_t total = d.batch * d.heads * d.rows;
  if (total == 0 || d.half == 0) return FASTLA_OK;
  const int64_t each = larger_of(1, kTaskElements / (2 * d.half)),
                tasks = (total + each - 1) / each;
  const int64_t wanted = d.num_threads ? d.num_threads : fastla_get_num_threads();
  const int threads = int(smaller_of(tasks, wanted));
  const Workspace scratch{size_t(threads * scratch_bytes(d)) + 64};
  if (!scratch.data()) return FASTLA_NO_MEMORY;
  FpScope scope;
  parallel_for(tasks, threads, [&](int64_t index, int worker) {
    const int64_t end = smaller_of(total, (index + 1) * each);
    for (int64_t at = index * each; at < end;) {
      const int64_t row = at % d.rows, head = at / d.rows % d.heads;
      const int64_t count = smaller_of(d.rows - row, end - at);
      turn_rows(d, at / d.rows / d.heads, head, row, count,
                scratch.data() + worker * scratch_bytes(d));
      at += count;
    }
  });
  return FASTLA_OK;
}

}  // extern "C"
