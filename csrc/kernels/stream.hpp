// One row of A against B in place, a few of B's rows at a time for all columns, while the chains wait in `state`: B is
// read along its rows, few of them at once, which is what caches and memory are fastest at.
#pragma once
#include "kernels/row.hpp"
#include "kernels/tile.hpp"

namespace {

// The chains of all columns go on by so many steps, from step k of the block on; or (fresh) begin.
template <class T, int steps, bool fresh, bool ask>
FASTLA_INLINE void stream_steps(const Block &block, const char *first_a, const char *first_b) {
  constexpr int64_t lanes = Simd<T>::lanes, width = FASTLA_VECTOR_BYTES;
  Vec<T> a[steps];
  const char *b[steps];
#pragma GCC unroll 16
  for (int s = 0; s < steps; ++s) {
    a[s] = splat(load_scalar<T>(first_a));
    b[s] = first_b;
    FASTLA_HIDE(b[s]);
    first_a += block.a_col_stride;
    first_b += block.b_step;
  }
  char *const state = block.state;  // not looked up again after each store
  const int64_t ahead = block.b_ahead, n = block.n;
  // Whole lines, row by row: a vector's chain after the other's would meet each line twice, far apart (3 to 9%).
  constexpr int per_line = int(64 / width);
  const int64_t lines = n * int64_t(sizeof(T)) & -64, end = n / lanes * width;
  int64_t at = 0;
  for (; at < lines; at += 64) {
    Vec<T> acc[per_line];
#pragma GCC unroll 4
    for (int j = 0; j < per_line; ++j) acc[j] = fresh ? Vec<T>{} : load<T>(state + at + j * width);
#pragma GCC unroll 16
    for (int s = 0; s < steps; ++s) {
      if (ask) __builtin_prefetch(b[s] + at + ahead, 0, 2);
#pragma GCC unroll 4
      for (int j = 0; j < per_line; ++j) acc[j] = fma(a[s], load<T>(b[s] + at + j * width), acc[j]);
    }
#pragma GCC unroll 4
    for (int j = 0; j < per_line; ++j) store<T>(state + at + j * width, acc[j]);
  }
  const auto one_vector = [&](const auto &load_b) FASTLA_LAMBDA {
    Vec<T> acc = fresh ? Vec<T>{} : load<T>(state + at);
#pragma GCC unroll 16
    for (int s = 0; s < steps; ++s) acc = fma(a[s], load_b(b[s] + at), acc);
    store<T>(state + at, acc);
  };
  for (; at < end; at += width) one_vector([](const char *p) FASTLA_LAMBDA { return load<T>(p); });
  if (n % lanes == 0) return;
  const Part<T> last(n % lanes);
  one_vector([&](const char *p) FASTLA_LAMBDA { return last.load(p); });
}

// So many steps at a time; then, of those that are left, fewer and fewer.
template <class T, int steps, bool ask>
FASTLA_INLINE void stream_rows(const Block &block, const char *a, const char *b, int64_t left) {
  const int64_t a_next = steps * block.a_col_stride, b_next = steps * block.b_step;
  if (left == block.k && left >= steps && !block.resumed) {
    stream_steps<T, steps, true, ask>(block, a, b);
    a += a_next, b += b_next, left -= steps;
  }
  for (; left >= steps; a += a_next, b += b_next, left -= steps)
    stream_steps<T, steps, false, ask>(block, a, b);
  if constexpr (steps > 1) stream_rows<T, steps / 2, ask>(block, a, b, left);
}

template <class T> void stream_row(const Block &block) {
  constexpr int64_t lanes = Simd<T>::lanes;
  constexpr int most = fastla::kRowSteps;
  if (block.b_ahead)
    stream_rows<T, most, true>(block, block.a, block.b, block.k);
  else if (block.row_steps == most)
    stream_rows<T, most, false>(block, block.a, block.b, block.k);
  else
    stream_rows<T, most / 2, false>(block, block.a, block.b, block.k);
  if (block.suspended) return;
  for (int64_t j = 0; j < block.n; j += lanes) {
    Tile<T, 1, 1> tile;
    tile.resume(block, 0, j);
    tile.finish(block, 0, j, block.n - j < lanes ? block.n - j : lanes);
  }
}

}  // namespace
