// Attention: queries in tiles, keys in chunks of fixed position; nothing of size queries x keys is ever held.
//
//   task: rows of one key head (of all query heads that share it) -> chunk of keys: pack K and V
//     -> panel of rows: scores = Q K^T -> weights, their maximum and sum -> weights V -> merge with the rows' state.
//
// Few rows with many keys (decoding) are cut along the keys: chunks leave their states, which are merged in order.
#include <string.h>

#include "fastla/runtime.h"
#include "nn/attend_tile.hpp"
#include "runtime/calls.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

// Rows of a task: they share what is packed of K and V, and their state stays in L2.
constexpr int64_t kTaskRows = 1024, kLeastRows = 112;
// Tasks for each thread, at least, if they can be had.
constexpr int64_t kTasks = 4;

bool valid(const AttentionDesc &d) {
  if (d.struct_size < sizeof(AttentionDesc)) return false;
  if (d.dtype != FASTLA_F32 && d.dtype != FASTLA_F64 && d.dtype != FASTLA_F16 &&
      d.dtype != FASTLA_BF16)
    return false;
  const int64_t sizes[] = {d.batch, d.heads, d.kv_heads, d.queries, d.keys, d.size, d.value_size};
  double all = 64;
  for (const int64_t n : sizes) {
    if (n < 0) return false;
    all *= n > 1 ? double(n) : 1;
  }
  if (all > 9e18 || d.num_threads < 0) return false;
  if (d.kv_heads == 0 ? d.heads != 0 : d.heads % d.kv_heads != 0) return false;
  return d.softcap >= 0 && d.dropout >= 0 && d.dropout < 1;
}

struct Grid {
  int64_t rows, tile, tiles, heads, parts, chunks;

  Grid(const AttentionDesc &d, int threads) {
    rows = d.queries * (d.heads / d.kv_heads);
    heads = d.batch * d.kv_heads;
    const int64_t wanted = kTasks * threads;
    tile = (rows * heads + wanted - 1) / wanted;
    tile = tile < kLeastRows ? kLeastRows : tile > kTaskRows ? kTaskRows : tile;
    tiles = (rows + tile - 1) / tile;
    tile = (rows + tiles - 1) / tiles;  // nearly the same
    chunks = (d.keys + kKeys - 1) / kKeys;
    const int64_t tasks = tiles * heads;
    parts = tasks >= wanted || threads == 1 ? 1 : (wanted + tasks - 1) / tasks;
    if (parts > chunks) parts = chunks > 0 ? chunks : 1;
  }
  int64_t tasks() const { return tiles * heads * parts; }
};

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" {

void fastla_attention_desc_init(fastla_attention_desc *desc) {
  memset(desc, 0, sizeof(*desc));
  desc->struct_size = sizeof(*desc);
  desc->scale = 1;
  desc->left = desc->right = -1;
}

fastla_status fastla_check_attention(const fastla_attention_desc *desc) {
  return valid(*desc) ? FASTLA_OK : FASTLA_INVALID;
}

fastla_status fastla_attention(const fastla_attention_desc *desc) {
  const AttentionDesc &d = *desc;
  if (!valid(d)) return FASTLA_INVALID;
  count_call(FASTLA_CALL_ATTENTION);
  if (d.batch == 0 || d.heads == 0 || d.queries == 0) return FASTLA_OK;
  const int32_t wanted = d.num_threads ? d.num_threads : fastla_get_num_threads();
  const double work = double(d.batch) * double(d.heads) * double(d.queries) * double(d.keys) *
                      double(d.size + d.value_size);
  const int allowed = work < 1e6 ? 1 : wanted;
  const Grid grid{d, allowed};
  const int threads = int(grid.tasks() < allowed ? grid.tasks() : allowed);
  const AttendShape shape{d, grid.tile};
  // With several parts each chunk's state has a place of its own.
  const int64_t kept =
      grid.parts > 1 ? grid.tiles * grid.heads * grid.chunks * shape.state_bytes() : 0;
  const Workspace scratch{size_t(threads * shape.bytes() + kept + 64)};
  if (!scratch.data()) return FASTLA_NO_MEMORY;
  FpScope scope;
  char *const states = scratch.data() + threads * shape.bytes();
  const auto tile_of = [&](int64_t index, int worker) {
    // The last rows see the most keys: they come first.
    const int64_t tile = grid.tiles - 1 - index / grid.heads, head = index % grid.heads;
    const int64_t first = tile * grid.tile, left = grid.rows - first;
    return AttendTile{d,    shape, scratch.data() + worker * shape.bytes(),
                      head, first, left < grid.tile ? left : grid.tile};
  };
  if (grid.parts == 1) {
    parallel_for(grid.tasks(), threads, [&](int64_t index, int worker) {
      AttendTile tile = tile_of(index, worker);
      tile.begin();
      tile.take(0, grid.chunks);
      tile.finish();
    });
    return FASTLA_OK;
  }
  const auto states_of = [&](int64_t index) {
    return states + index * grid.chunks * shape.state_bytes();
  };
  parallel_for(grid.tasks(), threads, [&](int64_t task, int worker) {
    const int64_t index = task / grid.parts, part = task % grid.parts;
    AttendTile tile = tile_of(index, worker);
    tile.begin();
    tile.leave(part * grid.chunks / grid.parts, (part + 1) * grid.chunks / grid.parts,
               states_of(index));
  });
  parallel_for(grid.tiles * grid.heads, threads, [&](int64_t index, int worker) {
    AttendTile tile = tile_of(index, worker);
    tile.begin();
    tile.join(0, grid.chunks, states_of(index));
    tile.finish();
  });
  return FASTLA_OK;
}

}  // extern "C"
