// A tile of C in registers: the chains of docs/contract.md over one block of K, or a part of it. Then the finished
// sums meet the earlier blocks' totals and, after the last block, the epilogue, while they are still in registers or
// in a tile-sized buffer in L1.
#pragma once
#include "kernels/epilogue.hpp"
#include "kernels/row.hpp"
#include "kernels/vec.hpp"

namespace {

using fastla::Block;

// Packed panels are asked for so far ahead of their use: hardware prefetchers stop at every page, and their
// work shows. Worth 5% of a loop over tiles in L2 at 1 KiB; 3 KiB instead gave products up to 1% more (avx512).
constexpr int64_t kPrefetchAhead = 3072;
// The last row of C is asked for this many steps before the chain ends: about the latency of L3.
constexpr int64_t kLastSteps = 32;

// Where step s of the chain finds its operands. A packed tile's strides are known to the compiler, so that
// every address is a displacement and no register, let alone a spilled one, holds a stride.
template <class T, int MR, int NV> struct PackedAt {
  const char *a, *b;
  int64_t b_ahead;
  static constexpr bool in_parts = false;  // of a block of K
  static constexpr bool asks_for_c = false;
  static constexpr int group = 1;  // steps at a time
  static constexpr int64_t step = NV * FASTLA_VECTOR_BYTES, last_steps = kPrefetchAhead / step;

  FASTLA_INLINE PackedAt(const char *a_panel, const char *b_panel)
      : a(a_panel), b(b_panel), b_ahead(kPrefetchAhead) {}
  // The next tile has the same panel of B: its start takes the place of what lies beyond the end.
  FASTLA_INLINE void wrap(int64_t k) { b_ahead -= k * step; }
  FASTLA_INLINE const char *row(int i) const { return a + i * int64_t(sizeof(T)); }
  FASTLA_INLINE Vec<T> vector(int j) const { return load<T>(b + j * FASTLA_VECTOR_BYTES); }
  FASTLA_INLINE void prefetch(int64_t s) const {
    constexpr int a_step = MR * sizeof(T);
    constexpr int64_t sharing = 64 % a_step == 0 ? 64 / a_step : 1;  // steps with one line of A
    if (s % sharing == 0)
#pragma GCC unroll 8
      for (int at = 0; at < a_step; at += 64) __builtin_prefetch(a + kPrefetchAhead + at);
#pragma GCC unroll 8
    for (int at = 0; at < step; at += 64) __builtin_prefetch(b + b_ahead + at);
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

// Operands in place, of B V vectors, the last one in part. Three rows share a pointer: x86 addresses base,
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
  FASTLA_INLINE Vec<T> vector(int j) const {
    const char *p = b + j / NV * b_panel + j % NV * FASTLA_VECTOR_BYTES;
    return whole || j + 1 < V ? load<T>(p) : last.load(p);
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

template <class T, int MR, int vectors> struct Tile {
  static constexpr int lanes = Simd<T>::lanes;
  Vec<T> acc[MR][vectors];

  FASTLA_INLINE void zero() {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < vectors; ++j) acc[i][j] = Vec<T>{};
  }

  FASTLA_INLINE char *state(const Block &block, int64_t i0, int64_t j0) const {
    return block.state + i0 * block.state_stride + j0 * int64_t(sizeof(T));
  }
  FASTLA_INLINE void resume(const Block &block, int64_t i0, int64_t j0) {
    const char *from = state(block, i0, j0);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i, from += block.state_stride)
#pragma GCC unroll 16
      for (int j = 0; j < vectors; ++j) acc[i][j] = load<T>(from + j * FASTLA_VECTOR_BYTES);
  }
  FASTLA_INLINE void suspend(const Block &block, int64_t i0, int64_t j0) const {
    char *to = state(block, i0, j0);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i, to += block.state_stride)
#pragma GCC unroll 16
      for (int j = 0; j < vectors; ++j) store<T>(to + j * FASTLA_VECTOR_BYTES, acc[i][j]);
  }

  template <class At> FASTLA_INLINE void chain(int64_t k, At &at) {
#pragma GCC unroll 4
    for (int64_t s = 0; s < k; ++s) {
      Vec<T> bv[vectors];
#pragma GCC unroll 16
      for (int j = 0; j < vectors; ++j) bv[j] = at.vector(j);
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) {
        Vec<T> av = splat(load_scalar<T>(at.row(i)));
        if (vectors > 1) FASTLA_HOLD(av);  // one load for all its products, not one for each
#pragma GCC unroll 16
        for (int j = 0; j < vectors; ++j) acc[i][j] = fma(av, bv[j], acc[i][j]);
      }
      at.prefetch(s);
      at.advance();
    }
  }

  // The same where B comes a few steps of a vector at a time.
  template <class At> FASTLA_INLINE void chain_groups(int64_t k, At &at) {
    const auto accumulate = [&](int j, int s, Vec<T> bv) {
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) {
        const Vec<T> av = splat(load_scalar<T>(at.a + i * at.a_row + s * at.a_col));
        acc[i][j] = fma(av, bv, acc[i][j]);
      }
    };
    int64_t step = 0;
    for (; step + At::group <= k; step += At::group) {
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) {
        Vec<T> bv[At::group];
        at.transpose(j, bv);
#pragma GCC unroll 16
        for (int s = 0; s < At::group; ++s) accumulate(j, s, bv[s]);
      }
      at.advance(At::group);
    }
    for (; step < k; ++step, at.advance(1))
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) accumulate(j, 0, at.step(j));
  }

  // The chain over the whole block, with the tile's lines of C asked for on the way, a row at a time: all at
  // once they would take the line fill buffers from A and B (2% of a loop over tiles in L2).
  template <class At> FASTLA_INLINE void run(const Block &block, At &at, int64_t i0, int64_t j0) {
    if (At::asks_for_c || (At::in_parts && block.suspended)) return chain(block.k, at);
    const int64_t stride = block.last ? block.c_row_stride : block.total_stride;
    const char *line = (block.last ? block.c : block.total) + i0 * stride + j0 * int64_t(sizeof(T));
    constexpr int width = vectors * FASTLA_VECTOR_BYTES;
    const int64_t last = block.k < At::last_steps ? block.k : At::last_steps, rest = block.k - last;
    const int64_t part = !block.c_near && rest > kLastSteps ? (rest - kLastSteps) / MR & -4 : 0;
    for (int i = block.c_near ? MR - 1 : 0; i < MR; ++i, line += stride) {
#pragma GCC unroll 8
      for (int ahead = 0; ahead < width; ahead += 64) __builtin_prefetch(line + ahead, 1);
      __builtin_prefetch(line + width - 1, 1);  // NumPy's rows begin 16 bytes into a cache line
      chain(i + 1 < MR ? part : rest - part * (MR - 1), at);
    }
    at.wrap(block.k);
    chain(last, at);
  }

  // Columns [0, n) of the tile go to the block's total or to C; i0, j0 place the tile in the block.
  FASTLA_INLINE void finish(const Block &block, int64_t i0, int64_t j0, int64_t n) {
    if (block.last && (block.finish || block.c_col_stride != sizeof(T)))
      return finish_buffered(block, i0, j0, n);
    const char *from = block.total + i0 * block.total_stride + j0 * int64_t(sizeof(T));
    char *to = block.last ? block.c + i0 * block.c_row_stride + j0 * int64_t(sizeof(T))
                          : const_cast<char *>(from);
    const int64_t to_stride = block.last ? block.c_row_stride : block.total_stride;
    if (n < vectors * lanes) return store_part(block, from, to, to_stride, n);
    if (block.first)
      store_rows<false>(from, block.total_stride, to, to_stride);
    else
      store_rows<true>(from, block.total_stride, to, to_stride);
  }

  // -0 becomes +0 even where there is no total to be added (docs/contract.md). One row after the other: computed
  // beforehand, the rows' addresses would take the place of the next tile's steps in the CPU's queues.
  template <bool totals> FASTLA_INLINE void store_rows(const char *from, int64_t from_stride,
                                                       char *to, int64_t to_stride) const {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 16
      for (int j = 0; j < vectors; ++j) {
        const int64_t at = j * FASTLA_VECTOR_BYTES;
        store<T>(to + at, (totals ? load<T>(from + at) : Vec<T>{}) + acc[i][j]);
      }
      to += to_stride;
      FASTLA_HIDE(to);
      if (!totals) continue;
      from += from_stride;
      FASTLA_HIDE(from);
    }
  }

  // The same where the last vector is not whole.
  FASTLA_INLINE void store_part(const Block &block, const char *from, char *to, int64_t to_stride,
                                int64_t n) const {
    constexpr int64_t at = (vectors - 1) * FASTLA_VECTOR_BYTES;
    const Part<T> last(n - (vectors - 1) * lanes);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i, from += block.total_stride, to += to_stride) {
#pragma GCC unroll 16
      for (int j = 0; j + 1 < vectors; ++j) {
        const Vec<T> total = block.first ? Vec<T>{} : load<T>(from + j * FASTLA_VECTOR_BYTES);
        store<T>(to + j * FASTLA_VECTOR_BYTES, total + acc[i][j]);
      }
      const Vec<T> total = block.first ? Vec<T>{} : last.load(from + at);
      last.store(to + at, total + acc[i][vectors - 1]);
    }
  }

  FASTLA_INLINE void finish_buffered(const Block &block, int64_t i0, int64_t j0, int64_t n) {
    T buffer[MR * vectors * lanes];
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < vectors; ++j) store<T>(buffer + (i * vectors + j) * lanes, acc[i][j]);
    finish_rows<T>(block, buffer, MR, vectors * lanes, i0, j0, n);
  }
};

template <class T, int MR, int V, class At>
FASTLA_INLINE void run_tile(const Block &block, At at, int64_t i0, int64_t j0, int64_t n) {
  Tile<T, MR, V> tile;
  if (At::in_parts && block.resumed)
    tile.resume(block, i0, j0);
  else
    tile.zero();
  if constexpr (At::group > 1)
    tile.chain_groups(block.k, at);
  else
    tile.run(block, at, i0, j0);
  if (At::in_parts && block.suspended)
    tile.suspend(block, i0, j0);
  else
    tile.finish(block, i0, j0, n);
}

}  // namespace
