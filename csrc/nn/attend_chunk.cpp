// One chunk of keys: packed once for all rows of a tile, then met by a panel of rows at a time.
#include <string.h>

#include "nn/attend_tile.hpp"

namespace fastla {
namespace {

// L2 is asked for rows, which need not be there.
void ask_for(const char *rows, int64_t stride, int64_t count, int64_t bytes) {
  for (int64_t i = 0; i < count; ++i, rows += stride)
    for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(rows + at, 0, 2);
}

}  // namespace

// Rows of an operand as the products take them: where they are, or widened.
const char *AttendTile::rows_of(const fastla_heads &x, int64_t first, int64_t count, int64_t cols,
                                char *to, int64_t *stride) const {
  const char *from = row_at(x, batch_, kv_, first);
  *stride = x.strides[2];
  if (!s_.wide_rows.half) return from;
  *stride = whole_lines(cols * s_.element);
  for (int64_t j = 0; j < count; ++j, from += x.strides[2])
    s_.wide_rows.load(from, to + j * *stride, cols);
  return to;
}

// K as the columns of panels, a block of the size after the other, and V as panels of its columns; for few rows, where
// packing would cost more than the products, both stay where they are.
void AttendTile::pack(Chunk *chunk) const {
  const int64_t element = s_.element, nr = s_.row->nr, size = d_.size, n = chunk->keys;
  const int64_t few = smaller_of(kColumnRows, s_.row->mr);  // one panel
  chunk->packed = rows_ > few || size > kBlockLength;
  chunk->k = rows_of(d_.k, chunk->first, n, size, scratch_ + s_.wide, &chunk->k_stride);
  char *const wide =
      scratch_ + s_.wide + (s_.wide_rows.half ? kKeys * larger_of(s_.pitch, s_.value_pitch) : 0);
  chunk->v = rows_of(d_.v, chunk->first, n, d_.value_size, wide, &chunk->v_stride);
  if (chunk->some) clean(chunk, wide);
  if (!chunk->packed) return;
  const int64_t padded = (n + nr - 1) / nr * nr;
  for (int64_t k0 = 0; k0 < size; k0 += kBlockLength) {
    const int64_t depth = smaller_of(kBlockLength, size - k0);
    s_.row->pack_b({chunk->k + k0 * element, element, chunk->k_stride, false}, depth, n, depth,
                   scratch_ + s_.k + k0 * padded * element);
  }
  s_.row->pack_b({chunk->v, chunk->v_stride, element, false}, n, d_.value_size, n, scratch_ + s_.v);
}

// Where V is not finite a copy takes its place that is.
void AttendTile::clean(Chunk *chunk, char *copy) const {
  const int64_t n = chunk->keys, stride = chunk->v_stride;
  int64_t finite = 0;
  while (finite < n && is_finite_row(chunk->v + finite * stride, d_.value_size, s_.element))
    ++finite;
  if (finite == n) return;
  for (int64_t j = 0; j < n; ++j)
    copy_finite(chunk->v + j * stride, copy + j * s_.value_pitch, d_.value_size, s_.element);
  chunk->cleaned = chunk->v = copy;
  chunk->v_stride = s_.value_pitch;
}

void AttendTile::scores(const Chunk &chunk, int64_t first, int64_t rows, int64_t begin,
                        int64_t end) const {
  const int64_t element = s_.element, nr = s_.row->nr, size = d_.size;
  const int64_t padded = (chunk.keys + nr - 1) / nr * nr, from = begin / nr * nr;
  Block block{};
  block.m = rows;
  block.n = smaller_of(end, chunk.keys) - from;
  block.panels = 1;
  block.along_rows = block.c_near = true;
  block.a_col_stride = element;
  block.c = block.total = scratch_ + s_.scores + from * element;
  block.c_row_stride = block.total_stride = s_.score_pitch;
  block.c_col_stride = block.c_size = int(element);
  if (size == 0)
    for (int64_t i = 0; i < rows; ++i)
      memset(block.c + i * s_.score_pitch, 0, size_t(block.n * element));
  const char *const q = scratch_ + s_.q + first * s_.pitch;
  block.a_row_stride = s_.pitch;
  if (!chunk.packed) {
    block.k = size;
    block.first = block.last = block.down_columns = true;
    block.a = q;
    block.b_step = chunk.k_stride;
    block.b_panel = nr * chunk.k_stride;
    for (int64_t j = from; size && j < smaller_of(end, chunk.keys); j += nr) {
      block.b = chunk.k + j * chunk.k_stride;
      block.c = block.total = scratch_ + s_.scores + j * element;
      block.n = smaller_of(nr, smaller_of(end, chunk.keys) - j);
      ask_for(block.b + block.b_panel, chunk.k_stride, nr, size * element);
      s_.row->block(block);
    }
    return;
  }
  block.packed = rows == 1;  // as in sums()
  block.b_step = nr * element;
  for (int64_t k0 = 0; k0 < size; k0 += kBlockLength) {
    block.k = smaller_of(kBlockLength, size - k0);
    block.first = k0 == 0;
    block.last = k0 + kBlockLength >= size;
    block.a = q + k0 * element;
    block.b_panel = block.k * nr * element;
    block.b = scratch_ + s_.k + (k0 * padded + from * block.k) * element;
    s_.row->block(block);
  }
}

void AttendTile::weigh(const Chunk &chunk, int64_t first, int64_t rows, int64_t begin, int64_t end,
                       const State &to) const {
  AttendArgs a = fastla::score_rows(d_, batch_, chunk.first, chunk.keys, rows, &row(first),
                                    scratch_ + s_.places);
  a.begin = begin;
  a.end = end;
  a.scores = scratch_ + s_.scores;
  a.stride = s_.score_pitch;
  a.most = to.most;
  a.sum = to.sum;
  s_.ops->attend(a);
}

// Weights times V: one block of K, whose chains begin at the first key that a row of the panel sees.
void AttendTile::sums(const Chunk &chunk, int64_t rows, int64_t begin, int64_t end,
                      const State &to) const {
  const int64_t element = s_.element, nr = s_.row->nr;
  if (d_.value_size == 0) return;
  Block block{};
  block.m = rows;
  block.n = d_.value_size;
  block.k = smaller_of(end, chunk.keys) - begin;
  block.panels = 1;
  block.along_rows = block.c_near = block.first = block.last = true;
  block.a = scratch_ + s_.scores + begin * element;
  block.a_row_stride = s_.score_pitch;
  block.a_col_stride = element;
  block.b = scratch_ + s_.v + begin * nr * element;
  block.b_step = nr * element;
  block.b_panel = chunk.keys * nr * element;
  // One row takes panels side by side only where they are said to be packed.
  block.packed = rows == 1;
  if (!chunk.packed) {
    block.packed = false;
    block.b = chunk.v + begin * chunk.v_stride;
    block.b_step = chunk.v_stride;
    block.b_col_stride = element;
    block.b_panel = nr * element;
    block.b_ahead = nr * chunk.v_stride;
  }
  block.c = block.total = to.out;
  block.c_row_stride = block.total_stride = s_.value_pitch;
  block.c_col_stride = block.c_size = int(element);
  s_.row->block(block);
}

// What is not finite in V meets those rows alone that see it.
void AttendTile::mend(const Chunk &chunk, int64_t first, int64_t rows, int64_t begin, int64_t end,
                      const State &to) const {
  for (int64_t key = begin; key < smaller_of(end, chunk.keys); ++key) {
    const char *values = row_at(d_.v, batch_, kv_, chunk.first + key);
    const char *const cleaned = chunk.cleaned + key * s_.value_pitch;
    if (s_.wide_rows.half) {
      s_.wide_rows.load(values, scratch_ + s_.wide, d_.value_size);
      values = scratch_ + s_.wide;
    }
    if (memcmp(values, cleaned, size_t(d_.value_size * s_.element)) == 0) continue;
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t r = first + i, position = chunk.first + key;
      if (position < low(r) || position >= high(r)) continue;
      if (d_.mask.data &&
          !*(row_at(d_.mask, batch_, row(r).head, row(r).query) + position * d_.mask.strides[3]))
        continue;
      const char *const weights = scratch_ + s_.scores + i * s_.score_pitch;
      char *const out = to.out + i * s_.value_pitch;
      with_element(s_.element, [&](auto type) {
        using T = decltype(type);
        const T weight = reinterpret_cast<const T *>(weights)[key];
        const T *const v = reinterpret_cast<const T *>(values);
        const T *const c = reinterpret_cast<const T *>(cleaned);
        for (int64_t j = 0; j < d_.value_size; ++j)
          if (!(v[j] == c[j])) reinterpret_cast<T *>(out)[j] += weight * v[j];
      });
    }
  }
}

// The state of a panel of rows against one chunk.
void AttendTile::panel(const Chunk &chunk, int64_t first, int64_t rows, const State &to) const {
  const int64_t begin = larger_of(0, low(first) - chunk.first) & -16;
  const int64_t seen = smaller_of(chunk.keys, high(first + rows - 1) - chunk.first);
  if (seen <= begin) {
    memset(to.sum, 0, size_t(rows * s_.element));
    return;
  }
  const int64_t end = (seen + 15) & -16;
  scores(chunk, first, rows, begin, seen);
  weigh(chunk, first, rows, begin, end, to);
  sums(chunk, rows, begin, seen, to);
  if (chunk.cleaned) mend(chunk, first, rows, begin, seen, to);
}

}  // namespace fastla
