// Steps of PageRank: runs of nodes of about equal work for the threads; sums of integers, so that their order is nobody's.
#include "fastla/rank.h"

#include <string.h>

#include "fastla/gemm.h"
#include "fastla/runtime.h"
#include "kernels/ops.hpp"
#include "runtime/cpu.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

// A node costs about as much as so many edges, beside its own.
constexpr int64_t kNodeEdges = 6;
// Edges and columns of a task: a tenth of a millisecond.
constexpr int64_t kTaskWork = 1 << 16;

int64_t start_of(const RankDesc &d, int64_t i) {
  return d.index_bytes == 4 ? static_cast<const int32_t *>(d.starts)[i]
                            : static_cast<const int64_t *>(d.starts)[i];
}
bool valid(const RankDesc &d) {
  if (d.struct_size < sizeof(RankDesc) || d.num_threads < 0) return false;
  if (d.dtype != FASTLA_F32 && d.dtype != FASTLA_F64) return false;
  if (d.index_bytes != 4 && d.index_bytes != 8) return false;
  if (d.nodes < 0 || d.sources < 0 || d.columns < 0 || d.entries < 0) return false;
  if (d.nodes == 0 || d.columns == 0) return true;
  return d.starts && (d.indices || !d.entries) && d.x && d.from && d.to && d.next && d.inverse &&
         d.jump && d.jump_factor && (!d.sink || d.sink_factor) && d.change && d.dangling &&
         d.total && start_of(d, d.nodes) <= d.entries;
}

RankArgs args_of(const RankDesc &d) {
  RankArgs a{};
  a.entries = start_of(d, d.nodes);
  a.columns = d.columns;
  a.index_bytes = d.index_bytes;
  a.far =
      2 * double(d.nodes) * double(d.columns * (d.dtype == FASTLA_F64 ? 8 : 4)) > double(cpu().l2);
  a.starts = static_cast<const char *>(d.starts);
  a.indices = static_cast<const char *>(d.indices);
  a.weights = static_cast<const char *>(d.weights);
  a.x = static_cast<const char *>(d.x);
  a.from = static_cast<const char *>(d.from);
  a.inverse = static_cast<const char *>(d.inverse);
  a.jump = d.jump;
  a.sink = d.sink;
  a.jump_row = d.jump_row;
  a.jump_column = d.jump_column;
  a.sink_row = d.sink_row;
  a.sink_column = d.sink_column;
  a.alpha = d.alpha;
  a.jump_factor = d.jump_factor;
  a.sink_factor = d.sink_factor;
  a.to = static_cast<char *>(d.to);
  a.next = static_cast<char *>(d.next);
  return a;
}

// New ranks are what is read next.
bool in_place(const RankDesc &d) {
  const int64_t bytes = d.sources * d.columns * (d.dtype == FASTLA_F64 ? 8 : 4);
  const auto next = reinterpret_cast<uintptr_t>(d.next), x = reinterpret_cast<uintptr_t>(d.x);
  return next - x < uintptr_t(bytes);
}

// The first node before which lies that share of the work.
int64_t first_node(const RankDesc &d, int64_t task, int64_t tasks) {
  const auto before = [&](int64_t i) { return start_of(d, i) + kNodeEdges * i; };
  const double share = double(before(d.nodes)) / double(tasks) * double(task);
  int64_t low = 0, high = d.nodes;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    double(before(middle)) < share ? low = middle + 1 : high = middle;
  }
  return task == tasks ? d.nodes : low;
}

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" {

void fastla_rank_desc_init(fastla_rank_desc *desc) {
  memset(desc, 0, sizeof(*desc));
  desc->struct_size = sizeof(*desc);
}

fastla_status fastla_rank_step(const fastla_rank_desc *desc) {
  const RankDesc &d = *desc;
  if (!valid(d)) return FASTLA_INVALID;
  const size_t sums = size_t(d.columns) * 8;
  if (d.columns == 0) return FASTLA_OK;
  const bool at_once = !in_place(d);
  const int wanted = d.num_threads ? d.num_threads : fastla_get_num_threads();
  const int threads = at_once ? wanted : 1;
  // Of each worker: change, dangling, total; lines of its own.
  const int64_t own = (3 * int64_t(sums) + 127) & -64;
  const Workspace scratch{size_t(own * threads)};
  if (!scratch.data()) return FASTLA_NO_MEMORY;
  memset(scratch.data(), 0, size_t(own * threads));
  const auto rank = chosen_ops().of[d.dtype == FASTLA_F64].rank;
  const RankArgs whole = args_of(d);
  const int64_t work = (whole.entries + kNodeEdges * d.nodes) * d.columns;
  const int64_t tasks = at_once ? work / kTaskWork + 1 : 1;
  FpScope scope;
  parallel_for(tasks, threads, [&](int64_t task, int worker) {
    RankArgs a = whole;
    a.begin = first_node(d, task, tasks);
    a.end = first_node(d, task + 1, tasks);
    a.change = reinterpret_cast<uint64_t *>(scratch.data() + worker * own);
    a.dangling = a.change + d.columns;
    a.total = a.dangling + d.columns;
    rank(a);
  });
  int64_t *const sums_of[3] = {d.change, d.dangling, d.total};
  for (int s = 0; s < 3; ++s) {
    memset(sums_of[s], 0, sums);
    for (int worker = 0; worker < threads; ++worker) {
      const auto *from =
          reinterpret_cast<const int64_t *>(scratch.data() + worker * own) + s * d.columns;
      for (int64_t c = 0; c < d.columns; ++c) sums_of[s][c] += from[c];
    }
  }
  return FASTLA_OK;
}

}  // extern "C"
