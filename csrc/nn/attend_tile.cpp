#include "nn/attend_tile.hpp"

#include <math.h>
#include <string.h>

#include "nn/heads.hpp"

namespace fastla {
namespace {

// Bytes beyond a row, so that rows do not fall into one set of the cache.
constexpr int64_t kPad = 64;
// Ahead of and behind what tiles read of packed panels.
constexpr int64_t kMargin = 256;

}  // namespace

AttendShape::AttendShape(const AttentionDesc &d, int64_t tile_rows) : wide_rows(d.dtype) {
  const bool wide_type = d.dtype == FASTLA_F64;
  const KernelRow &chosen = chosen_row(wide_type ? FASTLA_F64 : FASTLA_F32);
  row = chosen.direct ? chosen.direct : &chosen;
  ops = &chosen_ops().of[wide_type];
  rows = tile_rows;
  element = row->element_size;
  pitch = whole_lines(d.size * element) + kPad;
  value_pitch = whole_lines(d.value_size * element);
  score_pitch = (kKeys + row->nr) * element + kPad;
  const int64_t size = d.size, values = d.value_size, nr = row->nr;
  const auto panel_cols = [nr](int64_t n) { return (n + nr - 1) / nr * nr; };
  total = kMargin;
  const auto take = [this](int64_t bytes) {
    const int64_t start = total;
    total += whole_lines(bytes) + kMargin;
    return start;
  };
  q = take(rows * pitch);
  wide =
      wide_rows.half ? take(2 * kKeys * larger_of(pitch, value_pitch)) : take(kKeys * value_pitch);
  k = take(panel_cols(kKeys) * size * element);
  v = take(kKeys * panel_cols(values) * element);
  scores = take(row->mr * score_pitch);
  chunk = take(row->mr * value_pitch);
  out = take(rows * value_pitch);
  most = take(rows * element);
  sum = take(rows * element);
  chunk_most = take(row->mr * element);
  chunk_sum = take(row->mr * element);
  places = take(row->mr * kRowPlaces);
  score_rows = take(rows * int64_t(sizeof(ScoreRow)));
}

AttendTile::AttendTile(const AttentionDesc &d, const AttendShape &shape, char *scratch,
                       int64_t head, int64_t first, int64_t rows) noexcept
    : d_(d),
      s_(shape),
      scratch_(scratch),
      batch_(head / d.kv_heads),
      kv_(head % d.kv_heads),
      group_(d.heads / d.kv_heads),
      first_(first),
      rows_(rows) {}

// The keys that a row sees.
int64_t AttendTile::low(int64_t r) const { return first_seen(d_, row(r).query); }
int64_t AttendTile::high(int64_t r) const { return end_seen(d_, row(r).query); }

bool AttendTile::find(int64_t chunk, Chunk *found) const {
  const int64_t begin = chunk * kKeys, end = smaller_of(begin + kKeys, d_.keys);
  const int64_t last = rows_ - 1;
  if (high(last) <= begin || low(0) >= end) return false;
  *found = {begin,
            smaller_of(end, high(last)) - begin,
            d_.mask.data != nullptr,
            nullptr,
            false,
            nullptr,
            nullptr,
            0,
            0};
  found->some |= high(0) < begin + found->keys || low(last) > begin;
  return true;
}

AttendTile::State AttendTile::state_at(char *states, int64_t chunk) const {
  char *const start = states + chunk * s_.state_bytes();
  char *const most = start + s_.rows * s_.value_pitch;
  return {start, most, most + s_.rows * s_.element};
}

// Queries, scaled.
void AttendTile::begin() const noexcept {
  const int64_t size = d_.size, element = s_.element;
  ScoreRow *const rows = reinterpret_cast<ScoreRow *>(scratch_ + s_.score_rows);
  for (int64_t i = 0; i < rows_; ++i) {
    const int64_t r = first_ + i, query = r / group_, head = kv_ * group_ + r % group_;
    rows[i] = {query, head};
    char *const to = scratch_ + s_.q + i * s_.pitch;
    s_.wide_rows.load(row_at(d_.q, batch_, head, query), to, size);
    scale_row(to, size, element, score_scale(d_));
    set_number(scratch_ + s_.most + i * element, element, -INFINITY);
  }
  memset(scratch_ + s_.sum, 0, size_t(rows_ * element));
  memset(scratch_ + s_.out, 0, size_t(rows_ * s_.value_pitch));
}

void AttendTile::take(int64_t first_chunk, int64_t end_chunk) const noexcept {
  const State own{scratch_ + s_.chunk, scratch_ + s_.chunk_most, scratch_ + s_.chunk_sum};
  const int64_t count = panel_count(rows_, s_.row->mr);
  const Panels panels(rows_, count);
  bool begun = false;
  for (int64_t index = first_chunk; index < end_chunk; ++index) {
    Chunk chunk;
    if (!find(index, &chunk)) continue;
    pack(&chunk);
    for (int64_t p = 0; p < count; ++p) {
      const int64_t first = panels.start(p), rows = panels.start(p + 1) - first;
      const State whole = state_of(first);
      // The first chunk's state is the rows' own.
      panel(chunk, first, rows, begun ? own : whole);
      if (!begun)
        for (int64_t i = 0; i < rows; ++i)  // weights of nothing: V may have anything there
          if (number_at(whole.sum + i * s_.element, s_.element) == 0)
            memset(whole.out + i * s_.value_pitch, 0, size_t(s_.value_pitch));
      if (begun)
        s_.ops->merge({rows, d_.value_size, whole.out, whole.most, whole.sum, s_.value_pitch,
                       own.out, own.most, own.sum, s_.value_pitch});
    }
    begun = true;
  }
}

AttendTile::State AttendTile::state_of(int64_t row) const {
  return {scratch_ + s_.out + row * s_.value_pitch, scratch_ + s_.most + row * s_.element,
          scratch_ + s_.sum + row * s_.element};
}

void AttendTile::leave(int64_t first_chunk, int64_t end_chunk, char *states) const noexcept {
  const int64_t count = panel_count(rows_, s_.row->mr);
  const Panels panels(rows_, count);
  for (int64_t index = first_chunk; index < end_chunk; ++index) {
    const State to = state_at(states, index);
    Chunk chunk;
    if (!find(index, &chunk)) {
      memset(to.sum, 0, size_t(rows_ * s_.element));
      continue;
    }
    pack(&chunk);
    for (int64_t p = 0; p < count; ++p) {
      const int64_t first = panels.start(p), rows = panels.start(p + 1) - first;
      panel(chunk, first, rows,
            {to.out + first * s_.value_pitch, to.most + first * s_.element,
             to.sum + first * s_.element});
    }
  }
}

void AttendTile::join(int64_t first_chunk, int64_t end_chunk, char *states) const noexcept {
  for (int64_t index = first_chunk; index < end_chunk; ++index) {
    const State from = state_at(states, index);
    s_.ops->merge({rows_, d_.value_size, scratch_ + s_.out, scratch_ + s_.most, scratch_ + s_.sum,
                   s_.value_pitch, from.out, from.most, from.sum, s_.value_pitch});
  }
}

void AttendTile::finish() const noexcept {
  const int64_t element = s_.element;
  for (int64_t r = 0; r < rows_; ++r) {
    char *const to = const_cast<char *>(row_at(d_.out, batch_, row(r).head, row(r).query));
    char *const own = scratch_ + s_.out + r * s_.value_pitch;
    const char *const most = scratch_ + s_.most + r * element, *const sum =
                                                                   scratch_ + s_.sum + r * element;
    const double l = number_at(sum, element);
    const bool half = s_.wide_rows.half != nullptr;
    s_.ops->divide(own, l, half ? own : to, d_.value_size);
    if (half) s_.wide_rows.store(own, to, d_.value_size);
    if (!d_.lse) continue;
    const int64_t place = (batch_ * d_.heads + row(r).head) * d_.queries + row(r).query;
    with_element(element, [&](auto type) {
      using T = decltype(type);
      constexpr T ln2 = T(0x1.62e42fefa39efp-1);
      static_cast<T *>(d_.lse)[place] =
          *reinterpret_cast<const T *>(most) * ln2 + T(s_.ops->log_of(l));
    });
  }
}

}  // namespace fastla
