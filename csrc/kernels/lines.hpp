// One row of A against contiguous columns of B (A x), a line of each at a time: the columns of a vector, as many steps of
// each, transposed in registers. Each line is read once and whole, so that columns that lie in the same sets of a cache
// (A's rows are a power of two apart) cost no more than others.
#pragma once
#include "kernels/columns.hpp"
#include "kernels/tile.hpp"

namespace {

// Quads (16 bytes) i and i + step of a, then those of b.
template <class T, int i, int step> FASTLA_INLINE Vec<T> quads_of(Vec<T> a, Vec<T> b) {
  constexpr int lanes = Simd<T>::lanes, quad = 16 / sizeof(T);
  IVec<T> from;
  for (int l = 0; l < lanes; ++l) {
    const int q = l / quad;
    from[l] = (i + q % 2 * step) * quad + l % quad + (q >= 2 ? lanes : 0);
  }
  return __builtin_shuffle(a, b, from);
}
// As many vectors as one has lanes: to[s] is step s of all of them.
template <class T> FASTLA_INLINE void transpose_lines(const Vec<T> *v, Vec<T> *to) {
  constexpr int quad = 16 / sizeof(T);
  static_assert(Simd<T>::lanes == 4 * quad);
  Vec<T> t[4 * quad];
#pragma GCC unroll 4
  for (int g = 0; g < 4; ++g) transpose_quads<T>(v + g * quad, t + g * quad);
#pragma GCC unroll 4
  for (int s = 0; s < quad; ++s) {
    const Vec<T> a = t[s], b = t[quad + s], c = t[2 * quad + s], d = t[3 * quad + s];
    const Vec<T> ab = quads_of<T, 0, 1>(a, b), cd = quads_of<T, 0, 1>(c, d);
    to[s] = quads_of<T, 0, 2>(ab, cd);
    to[quad + s] = quads_of<T, 1, 2>(ab, cd);
    const Vec<T> high_ab = quads_of<T, 2, 1>(a, b), high_cd = quads_of<T, 2, 1>(c, d);
    to[2 * quad + s] = quads_of<T, 0, 2>(high_ab, high_cd);
    to[3 * quad + s] = quads_of<T, 1, 2>(high_ab, high_cd);
  }
}

// The chains of as many columns as a vector has lanes, from the one at `first` on.
template <class T> struct Lines {
  static constexpr int lanes = Simd<T>::lanes;
  static constexpr int64_t size = sizeof(T), line = lanes * size;
  const char *column[lanes / 4];  // every fourth one
  int64_t stride, three;
  const char *a;
  int64_t a_col, ahead;
  Vec<T> sums;

  FASTLA_INLINE Lines(const Block &block, const char *first)
      : stride(block.b_step),
        three(3 * block.b_step),
        a(block.a),
        a_col(block.a_col_stride),
        ahead(block.b_ahead),
        sums{} {
    FASTLA_HIDE(three);
#pragma GCC unroll 4
    for (int i = 0; i < lanes / 4; ++i) {
      column[i] = first + 4 * i * stride;
      FASTLA_HIDE(column[i]);
    }
  }
  FASTLA_INLINE const char *at(int i) const {
    return column[i / 4] + (i % 4 == 3 ? three : i % 4 * stride);
  }
  FASTLA_INLINE void advance(int64_t bytes) {
#pragma GCC unroll 4
    for (auto &p : column) p += bytes;
  }

  // A line of each column.
  template <bool ask> FASTLA_INLINE void whole() {
    Vec<T> v[lanes], steps[lanes];
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) {
      v[i] = load<T>(at(i));
      if (ask) __builtin_prefetch(at(i) + ahead, 0, 2);
    }
    transpose_lines<T>(v, steps);
#pragma GCC unroll 16
    for (int s = 0; s < lanes; ++s, a += a_col)
      sums = fma(splat(load_scalar<T>(a)), steps[s], sums);
    advance(line);
  }
  // Fewer steps.
  FASTLA_INLINE void some(int64_t count) {
    if (count == 0) return;
    const Part<T> part(count);
    Vec<T> v[lanes], steps[lanes];
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) v[i] = part.load(at(i), Vec<T>{});
    transpose_lines<T>(v, steps);
#pragma GCC unroll 16
    for (int s = 0; s < lanes; ++s, a += a_col) {
      if (s == count) break;
      sums = fma(splat(load_scalar<T>(a)), steps[s], sums);
    }
    advance(count * size);
  }
  // k steps. Columns that begin at the same place of a line are met line by line.
  template <bool ask> FASTLA_INLINE void run(int64_t k) {
    const int64_t before = (-int64_t(uintptr_t(column[0])) & (line - 1)) / size;
    const int64_t first = stride % line ? 0 : before < k ? before : k;
    some(first);
    for (k -= first; k >= lanes; k -= lanes) whole<ask>();
    some(k);
  }
};

template <class T> FASTLA_INLINE Vec<T> sums_by_lines(const Block &block, int64_t j, Vec<T> sums) {
  Lines<T> lines(block, block.b + j * block.b_step);
  lines.sums = sums;
  block.b_ahead ? lines.template run<true>(block.k) : lines.template run<false>(block.k);
  return lines.sums;
}

// All columns but those that fill no vector where chains are cut, or in all; returns the first of these.
template <class T> int64_t row_by_lines(const Block &block) {
  constexpr int64_t lanes = Simd<T>::lanes;
  Tile<T, 1, 1> tile;
  int64_t j = 0;
  for (; j + lanes <= block.n; j += lanes) {
    if (block.resumed)
      tile.resume(block, 0, j);
    else
      tile.zero();
    tile.acc[0][0] = sums_by_lines<T>(block, j, tile.acc[0][0]);
    if (block.suspended)
      tile.suspend(block, 0, j);
    else
      tile.finish(block, 0, j, lanes);
  }
  if (j == block.n || block.resumed || block.suspended || block.n < lanes) return j;
  tile.acc[0][0] = sums_by_lines<T>(block, block.n - lanes, Vec<T>{});
  finish_last_columns(block, tile, j);
  return block.n;
}

}  // namespace
