// A tile of C in registers: the chains of docs/contract.md over one block of K, or a part of it. Then the finished
// sums meet the earlier blocks' totals and, after the last block, the epilogue, while they are still in registers or
// in a tile-sized buffer in L1.
#pragma once
#include "kernels/epilogue.hpp"
#include "kernels/operands.hpp"
#include "kernels/row.hpp"
#include "kernels/vec.hpp"

namespace {

using fastla::Block;

// One step of some chains: fma, or what integers have instead (words.hpp).
template <class T> struct Chain {
  static constexpr bool apart = false;  // Tile::add_products
  static FASTLA_INLINE Vec<T> add(Vec<T> a, Vec<T> b, Vec<T> c) { return fma(a, b, c); }
};
// Whether a packed panel of A begins with what its rows' chains begin with.
template <class T> constexpr bool kRowStarts = false;

// The last row of C is asked for this many steps before the chain ends: about the latency of L3.
constexpr int64_t kLastSteps = 32;

// half: of the last vector only the lower half is computed; join_low() puts it in both.
template <class T, int MR, int vectors, bool half = false> struct Tile {
  static constexpr int lanes = Simd<T>::lanes;
  Vec<T> acc[MR][vectors];
  typename Half<T>::V low[half ? MR : 1];

  FASTLA_INLINE void zero() {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < vectors; ++j) acc[i][j] = Vec<T>{};
#pragma GCC unroll 16
    for (auto &sums : low) sums = typename Half<T>::V{};
  }
  // From the head of the panel on.
  template <class At> FASTLA_INLINE void start(At &at) {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const Vec<T> head = splat(load_scalar<T>(at.row(i)));
#pragma GCC unroll 16
      for (int j = 0; j < vectors; ++j) acc[i][j] = head;
    }
    at.a += MR * sizeof(T);
  }
  FASTLA_INLINE void join_low() {
    static_assert(half);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) acc[i][vectors - 1] = twice<T>(low[i]);
  }

  FASTLA_INLINE static char *c_at(const Block &block, int64_t i0, int64_t j0) {
    return block.c + i0 * block.c_row_stride + j0 * int64_t(sizeof(T));
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
      for (int j = 0; j < vectors; ++j) bv[j] = at.vector(j, bv);
      if constexpr (Chain<T>::apart) add_products(at, bv);
#pragma GCC unroll 16
      for (int i = 0; !Chain<T>::apart && i < MR; ++i) {
        Vec<T> av = splat(load_scalar<T>(at.row(i)));
        if (vectors > 1) FASTLA_HOLD(av);  // one load for all its products, not one for each
#pragma GCC unroll 16
        for (int j = 0; j < vectors - half; ++j) acc[i][j] = Chain<T>::add(av, bv[j], acc[i][j]);
        if constexpr (half) low[i] = low_fma(av, bv[vectors - 1], low[i]);
      }
      at.prefetch(s);
      at.advance();
    }
  }

  // Where a step takes a multiplication and an addition: six of these, then six of those. Taking turns they take up to a
  // fifth longer (Zen 4). It needs six registers, which AVX2 has not.
  template <class At> FASTLA_INLINE void add_products(const At &at, const Vec<T> *bv) {
    constexpr int rows = vectors < 6 ? 6 / vectors : 1;
#pragma GCC unroll 16
    for (int i = 0; i < MR; i += rows) {
      Vec<T> products[rows][vectors];
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) {
        if (i + r >= MR) continue;
        Vec<T> av = splat(load_scalar<T>(at.row(i + r)));
        if (vectors > 1) FASTLA_HOLD(av);
#pragma GCC unroll 8
        for (int j = 0; j < vectors; ++j) products[r][j] = Chain<T>::product(av, bv[j]);
      }
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) {
        if (i + r >= MR) continue;
#pragma GCC unroll 8
        for (int j = 0; j < vectors; ++j) {
          FASTLA_KEEP(products[r][j]);
          acc[i + r][j] += products[r][j];
        }
      }
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
    const bool narrow = (kStoresHalves || !kFloat<T>) && block.c_size != sizeof(T);
    if (block.last && (block.finish || block.c_col_stride != sizeof(T) || narrow))
      return finish_buffered(block, i0, j0, n);
    const char *from = block.total + i0 * block.total_stride + j0 * int64_t(sizeof(T));
    char *to = block.last ? c_at(block, i0, j0) : const_cast<char *>(from);
    const int64_t to_stride = block.last ? block.c_row_stride : block.total_stride;
    const Part<T> part(n - (vectors - 1) * lanes);
    if (n < vectors * lanes)
      block.first ? store_rows<false, false>(from, block.total_stride, to, to_stride, part)
                  : store_rows<true, false>(from, block.total_stride, to, to_stride, part);
    else
      block.first ? store_rows<false, true>(from, block.total_stride, to, to_stride, part)
                  : store_rows<true, true>(from, block.total_stride, to, to_stride, part);
  }

  // -0 becomes +0 even where there is no total to be added (docs/contract.md). One row after the other: computed
  // beforehand, the rows' addresses would take the place of the next tile's steps in the CPU's queues. Of the last
  // vector there may be a part only.
  template <bool totals, bool whole>
  FASTLA_INLINE void store_rows(const char *from, int64_t from_stride, char *to, int64_t to_stride,
                                const Part<T> &part) const {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 16
      for (int j = 0; j < vectors; ++j) {
        const int64_t at = j * FASTLA_VECTOR_BYTES;
        const Vec<T> none{};
        if (whole || j + 1 < vectors)
          store<T>(to + at, (totals ? load<T>(from + at) : none) + acc[i][j]);
        else
          part.store(to + at, (totals ? part.load(from + at, none) : none) + acc[i][j]);
      }
      to += to_stride;
      FASTLA_HIDE(to);
      if (!totals) continue;
      from += from_stride;
      FASTLA_HIDE(from);
    }
  }

  FASTLA_INLINE void finish_buffered(const Block &block, int64_t i0, int64_t j0, int64_t n) {
    // Loads that straddle cache lines are not forwarded from stores: half of the time of gelu.
    alignas(FASTLA_VECTOR_BYTES) T buffer[MR * vectors * lanes];
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < vectors; ++j)
        store<T>(buffer + (i * vectors + j) * lanes, Vec<T>{} + acc[i][j]);  // -0 becomes +0
    if (n < vectors * lanes) {
      // Operands' lanes beyond the last column repeat it: so must the sums.
      const Part<T> part(n - (vectors - 1) * lanes);
#pragma GCC unroll 1
      for (int i = 1; i <= MR; ++i) {
        T *const last = buffer + (i * vectors - 1) * lanes;
        store<T>(last, part.load(reinterpret_cast<const char *>(last)));
      }
    }
    finish_rows<T>(block, buffer, MR, vectors * lanes, i0, j0, n);
  }
};

template <class T, int MR, int V, class At>
FASTLA_INLINE void run_tile(const Block &block, At at, int64_t i0, int64_t j0, int64_t n) {
  Tile<T, MR, V> tile;
  if (At::in_parts && block.resumed)
    tile.resume(block, i0, j0);
  else if constexpr (kRowStarts<T>)
    tile.start(at);
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

// A tile of the last columns, of which those before column j are not used.
template <class T, int R, int V>
FASTLA_INLINE void finish_last_columns(const Block &block, const Tile<T, R, V> &tile, int64_t j) {
  constexpr int64_t lanes = Simd<T>::lanes, width = V * lanes, room = width + lanes;
  T sums[R * room];  // each row's last one repeated: that computes what a real element computes
#pragma GCC unroll 8
  for (int row = 0; row < R; ++row) {
    T *const to = sums + row * room;
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) store<T>(to + v * lanes, Vec<T>{} + tile.acc[row][v]);
    store<T>(to + width, splat(to[width - 1]));
  }
  finish_rows<T>(block, sums + (j - (block.n - width)), R, room, 0, j, block.n - j);
}

// a: the tile's panel, or its first row in place; b: its panel of B; n: its columns.
using TileFn = void (*)(const Block &, const char *a, const char *b, int64_t i0, int64_t j0,
                        int64_t n);

}  // namespace
