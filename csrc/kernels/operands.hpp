// Where a tile's chains find their operands, packed or in place, and what is asked for ahead of its use on the way.
// (columns.hpp: B in place with contiguous columns.)
#pragma once
#include "kernels/part.hpp"
#include "kernels/row.hpp"
#include "kernels/vec.hpp"

namespace {

using fastla::Block;

// Packed panels are asked for so far ahead of their use: hardware prefetchers stop at every page, and their
// work shows. Worth 5% of a loop over tiles in L2 at 1 KiB; 3 KiB instead gave products up to 1% more (avx512).
constexpr int64_t kPrefetchAhead = 3072;

// Where step s of the chain finds its operands. A packed tile's strides are known to the compiler, so that
// every address is a displacement and no register, let alone a spilled one, holds a stride.
template <class T, int MR, int NV, bool sharing> struct PackedAt {
  const char *a, *b, *next_b;
  int64_t b_ahead, b_share;
  static constexpr bool in_parts = false;  // of a block of K
  static constexpr bool asks_for_c = false;
  static constexpr int group = 1;  // steps at a time
  static constexpr int64_t step = NV * FASTLA_VECTOR_BYTES, last_steps = kPrefetchAhead / step;
  static constexpr int64_t asking =
      fastla::kAskBytes / sizeof(T);  // steps from one request to L2 to the next

  FASTLA_INLINE PackedAt(const char *a_panel, const char *b_panel, const Block &block, int64_t i0,
                         int64_t j0)
      : a(a_panel), b(b_panel), b_ahead(kPrefetchAhead) {
    if constexpr (sharing) {
      // After the last panel the next block of rows begins with the first.
      next_b = j0 + NV * Simd<T>::lanes < block.n ? b + block.b_panel : block.b;
      next_b += i0 / MR * (block.k / asking * block.b_share);
      b_share = block.b_share;
    }
  }
  // The next tile has the same panel of B: its start takes the place of what lies beyond the end.
  FASTLA_INLINE void wrap(int64_t k) { b_ahead -= k * step; }
  FASTLA_INLINE const char *row(int i) const { return a + i * int64_t(sizeof(T)); }
  FASTLA_INLINE Vec<T> vector(int j, const Vec<T> *) const {
    return load<T>(b + j * FASTLA_VECTOR_BYTES);
  }
  FASTLA_INLINE void prefetch(int64_t s) {
    constexpr int a_step = MR * sizeof(T);
    constexpr int64_t on_line = 64 % a_step == 0 ? 64 / a_step : 1;  // steps with one line of A
    if (s % on_line == 0)
#pragma GCC unroll 8
      for (int at = 0; at < a_step; at += 64) __builtin_prefetch(a + kPrefetchAhead + at);
#pragma GCC unroll 8
    for (int at = 0; at < step; at += 64) __builtin_prefetch(b + b_ahead + at);
    if (sharing && s % asking == 0) {
      __builtin_prefetch(next_b, 0, 2);
      next_b += b_share;
    }
  }
  FASTLA_INLINE void advance() {
    a += MR * sizeof(T);
    b += step;
    // Or the addresses are counted from the prefetched ones, with longer instructions.
    FASTLA_HIDE(a);
    FASTLA_HIDE(b);
  }
};

// What a tile asks for on its way, for a later one: B further along its rows, for L2; or of the next panel the rows of A
// and C, which follow each other in memory, a line of each per step.
enum class Ask { nothing, b, next_panel };

// Operands in place (or one row of A, and B packed), of B V vectors, the last one in part. Three rows share a pointer: x86 addresses base,
// base + stride and base + 2 stride, and fifteen pointers would not stay in registers.
template <class T, int MR, int NV, int V, bool whole, Ask ask> struct DirectAt {
  static constexpr bool in_parts = true;
  static constexpr int group = 1;
  static constexpr int groups = (MR + 2) / 3;
  static constexpr int64_t last_steps = 0;
  static constexpr bool asks_for_c = ask == Ask::next_panel;
  const char *a[groups], *b, *next_a, *next_c;
  int64_t a_row, a_col, b_step, b_panel, b_ahead, next_a_step, next_c_step;
  Part<T> last;

  FASTLA_INLINE DirectAt(const char *first_row, const char *first_panel, const Block &block,
                         int64_t i0, int64_t j0, int64_t n)
      : b(first_panel),
        a_row(block.a_row_stride),
        a_col(block.a_col_stride),
        b_step(block.b_step),
        b_panel(block.b_panel),
        b_ahead(block.b_ahead),
        last(n - (V - 1) * Simd<T>::lanes) {
#pragma GCC unroll 8
    for (int g = 0; g < groups; ++g) {
      a[g] = first_row + 3 * g * a_row;
      FASTLA_HIDE(a[g]);
    }
    if constexpr (ask == Ask::next_panel) {
      // Of the tiles whole ones ask.
      constexpr int64_t nr = NV * Simd<T>::lanes, row_bytes = MR * sizeof(T);
      const int64_t tiles = block.n / nr, steps = tiles * block.k;
      next_a_step = (row_bytes + tiles - 1) / tiles;
      next_c_step = (row_bytes * block.n + steps - 1) / steps;
      const int64_t earlier = j0 / nr * block.k;
      next_a = first_row + MR * a_row + earlier * next_a_step;
      next_c = block.c + (i0 + MR) * block.c_row_stride + earlier * next_c_step;
    }
  }
  FASTLA_INLINE const char *row(int i) const { return a[i / 3] + i % 3 * a_row; }
  FASTLA_INLINE Vec<T> vector(int j, const Vec<T> *before) const {
    const char *p = b + j / NV * b_panel + j % NV * FASTLA_VECTOR_BYTES;
    if (whole || j + 1 < V) return load<T>(p);
    // Rather than the last element the lanes beyond it repeat the vector before, which is there already; but for one
    // row, whose state stream.hpp may have begun.
    return V > 1 && MR > 1 ? last.load(p, before[j - 1]) : last.load(p);
  }
  FASTLA_INLINE void prefetch(int64_t) {
    if constexpr (ask == Ask::next_panel) {
      __builtin_prefetch(next_a);
      __builtin_prefetch(next_c, 1);
      next_a += next_a_step;
      next_c += next_c_step;
    }
    if constexpr (ask == Ask::b)
#pragma GCC unroll 16
      for (int j = 0; j < V; ++j)
        __builtin_prefetch(b + b_ahead + j / NV * b_panel + j % NV * FASTLA_VECTOR_BYTES, 0, 2);
  }
  FASTLA_INLINE void wrap(int64_t) {}
  FASTLA_INLINE void advance() {
#pragma GCC unroll 8
    for (int g = 0; g < groups; ++g) a[g] += a_col;
    b += b_step;
  }
};

}  // namespace
