// B whose columns are contiguous, read in place: lanes are columns, so that each has its chain, and a few steps of
// a vector's columns are transposed in registers on their way. A x and x W^T with few rows come here.
#pragma once
#include "kernels/row.hpp"
#include "kernels/vec.hpp"

namespace {

using fastla::Block;

// Quads of 16 / sizeof(T) columns, step by step: quad by quad transposed.
template <class T> FASTLA_INLINE void transpose_quads(const Vec<T> *v, Vec<T> *to) {
  constexpr int quad = 16 / sizeof(T);
  const Vec<T> x = interleave<T, 1, false>(v[0], v[1]), y = interleave<T, 1, true>(v[0], v[1]);
  if constexpr (quad == 4) {
    const Vec<T> z = interleave<T, 1, false>(v[2], v[3]), w = interleave<T, 1, true>(v[2], v[3]);
    to[0] = interleave<T, 2, false>(x, z);
    to[1] = interleave<T, 2, true>(x, z);
    to[2] = interleave<T, 2, false>(y, w);
    to[3] = interleave<T, 2, true>(y, w);
  } else {
    to[0] = x;
    to[1] = y;
  }
}

// V vectors of columns; of the last one, lanes beyond the edge repeat the last column.
template <class T, int V, bool whole> struct ColumnsAt {
  static constexpr int lanes = Simd<T>::lanes, quad = 16 / sizeof(T), quads = lanes / quad;
  static constexpr bool in_parts = true;
  static constexpr int group = quads == 4 ? 2 * quad : quad;  // steps transposed together
  static constexpr int columns = V * lanes, pointers = whole ? (columns + 3) / 4 : columns;
  const char *a;
  int64_t a_row, a_col, stride, three;
  bool far;
  const char *column[pointers];  // every fourth one, or each

  FASTLA_INLINE ColumnsAt(const char *first_row, const char *first_column, const Block &block,
                          int64_t n)
      : a(first_row),
        a_row(block.a_row_stride),
        a_col(block.a_col_stride),
        stride(block.b_step),
        three(3 * block.b_step),
        far(block.b_ahead > fastla::kLine) {
#pragma GCC unroll 8
    for (int i = 0; i < pointers; ++i) {
      const int64_t at = whole ? 4 * i : i < n ? i : n - 1;
      column[i] = first_column + at * stride;
      if (whole) FASTLA_HIDE(column[i]);
    }
    FASTLA_HIDE(three);
  }
  FASTLA_INLINE const char *at(int i) const {
    if (!whole) return column[i];
    const int rest = i % 4;
    return column[i / 4] + (rest == 3 ? three : rest * stride);
  }
  FASTLA_INLINE void advance(int steps) {
    a += steps * a_col;
#pragma GCC unroll 16
    for (int i = 0; i < pointers; ++i) column[i] += steps * int64_t(sizeof(T));
  }

  // The next `group` steps of vector j.
  FASTLA_INLINE void transpose(int j, Vec<T> *to) const {
    Vec<T> v[group];
#pragma GCC unroll 16
    for (int i = 0; i < group; ++i) v[i] = piece(j * lanes, i);
    if (far)
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) __builtin_prefetch(at(j * lanes + i) + fastla::kColumnAhead);
    if constexpr (quads == 4) {
#pragma GCC unroll 4
      for (int i = 0; i < quad; ++i) {
        const Vec<T> x = v[i], y = v[quad + i];
        v[i] = quads_of(x, y, 0);
        v[quad + i] = quads_of(x, y, 1);
      }
    }
#pragma GCC unroll 2
    for (int g = 0; g < group; g += quad) transpose_quads<T>(v + g, to + g);
  }
  // The next step of vector j.
  FASTLA_INLINE Vec<T> step(int j) const {
    Vec<T> v{};
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) v[i] = load_scalar<T>(at(j * lanes + i));
    return v;
  }

 private:
  // Columns i, i + quad (and 2 quad further) by the steps of 16 (32) bytes.
  FASTLA_INLINE Vec<T> piece(int j, int i) const {
    if constexpr (quads == 1) {
      return load<T>(at(j + i));
    } else {
      const int first = j + i / quad * 2 * quad + i % quad;
      return load_halves<T>(at(first), at(first + quad));
    }
  }
  // Of four quads the even or odd ones of x, then those of y.
  static FASTLA_INLINE Vec<T> quads_of(Vec<T> x, Vec<T> y, int odd) {
    IVec<T> from;
    for (int i = 0; i < lanes; ++i) {
      const int q = i / quad;
      from[i] = (q % 2 * 2 + odd) * quad + i % quad + (q >= 2 ? lanes : 0);
    }
    return __builtin_shuffle(x, y, from);
  }
};

}  // namespace
