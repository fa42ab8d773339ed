// The generic kernel source. A shim (avx2.cpp, ...) sets FASTLA_VECTOR_BYTES and includes this file.
//
// A tile is MR rows times P panels of NV vectors. The chain of docs/contract.md runs in registers over
// one block of K; then the finished sums meet the earlier blocks' totals and, after the last block, the
// epilogue, while they are still in registers or in a tile-sized buffer in L1.
#pragma once
#include "kernels/epilogue.hpp"
#include "kernels/pack.hpp"
#include "kernels/row.hpp"
#include "kernels/vec.hpp"

namespace {

using fastla::Block;
using fastla::KernelRow;
using fastla::panel_start;

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
  static constexpr int64_t step = NV * FASTLA_VECTOR_BYTES, last_steps = kPrefetchAhead / step;

  FASTLA_INLINE PackedAt(const char *a_panel, const char *b_panel)
      : a(a_panel), b(b_panel), b_ahead(kPrefetchAhead) {}
  // The next tile has the same panel of B: its start takes the place of what lies beyond the end.
  FASTLA_INLINE void wrap(int64_t k) { b_ahead -= k * step; }
  FASTLA_INLINE const char *row(int i) const { return a + i * int64_t(sizeof(T)); }
  FASTLA_INLINE Vec<T> vector(int j) const { return load<T>(b + j * FASTLA_VECTOR_BYTES); }
  FASTLA_INLINE void prefetch() const {
#pragma GCC unroll 8
    for (int at = 0; at < int(MR * sizeof(T)); at += 64)
      __builtin_prefetch(a + kPrefetchAhead + at);
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

// Operands in place, of B V vectors, the last one in part. Three rows share a pointer: x86 addresses base,
// base + stride and base + 2 stride, and fifteen pointers would not stay in registers.
template <class T, int MR, int NV, int V, bool whole> struct DirectAt {
  static constexpr int groups = (MR + 2) / 3;
  static constexpr int64_t last_steps = 0;
  const char *a[groups], *b;
  int64_t a_row, a_col, b_step, b_panel;
  Part<T> last;

  FASTLA_INLINE DirectAt(const char *first_row, const char *first_panel, const Block &block,
                         int64_t n)
      : b(first_panel),
        a_row(block.a_row_stride),
        a_col(block.a_col_stride),
        b_step(block.b_step),
        b_panel(block.b_panel),
        last(n - (V - 1) * Simd<T>::lanes) {
#pragma GCC unroll 8
    for (int g = 0; g < groups; ++g) {
      a[g] = first_row + 3 * g * a_row;
      FASTLA_HIDE(a[g]);
    }
  }
  FASTLA_INLINE const char *row(int i) const { return a[i / 3] + i % 3 * a_row; }
  FASTLA_INLINE Vec<T> vector(int j) const {
    const char *p = b + j / NV * b_panel + j % NV * FASTLA_VECTOR_BYTES;
    return whole || j + 1 < V ? load<T>(p) : last.load(p);
  }
  FASTLA_INLINE void prefetch() const {}
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

  template <class At> FASTLA_INLINE void chain(int64_t k, At &at) {
#pragma GCC unroll 4
    for (int64_t step = 0; step < k; ++step) {
      Vec<T> bv[vectors];
#pragma GCC unroll 16
      for (int j = 0; j < vectors; ++j) bv[j] = at.vector(j);
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) {
        Vec<T> av = splat(load_scalar<T>(at.row(i)));
        FASTLA_HOLD(av);  // one load for all its products, not one for each
#pragma GCC unroll 16
        for (int j = 0; j < vectors; ++j) acc[i][j] = fma(av, bv[j], acc[i][j]);
      }
      at.prefetch();
      at.advance();
    }
  }

  // The chain over the whole block, with the tile's lines of C asked for on the way, a row at a time: all at
  // once they would take the line fill buffers from A and B (2% of a loop over tiles in L2).
  template <class At> FASTLA_INLINE void run(const Block &block, At &at, int64_t i0, int64_t j0) {
    const int64_t stride = block.last ? block.c_row_stride : block.total_stride;
    const char *line = (block.last ? block.c : block.total) + i0 * stride + j0 * int64_t(sizeof(T));
    constexpr int width = vectors * FASTLA_VECTOR_BYTES;
    const int64_t last = block.k < At::last_steps ? block.k : At::last_steps, rest = block.k - last;
    const int64_t part = rest > kLastSteps ? (rest - kLastSteps) / MR & -4 : 0;
    for (int i = 0; i < MR; ++i, line += stride) {
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
      store_rows(to, to_stride, [](int, int64_t) { return Vec<T>{}; });
    else
      store_rows(to, to_stride,
                 [&](int i, int64_t at) { return load<T>(from + i * block.total_stride + at); });
  }

  // Adds what total(i, byte) gives for row i; -0 becomes +0 even when that is zero (docs/contract.md).
  template <class Total>
  FASTLA_INLINE void store_rows(char *to, int64_t to_stride, Total &&total) const {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < vectors; ++j) {
        const int64_t at = j * FASTLA_VECTOR_BYTES;
        store<T>(to + i * to_stride + at, total(i, at) + acc[i][j]);
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
  tile.zero();
  tile.run(block, at, i0, j0);
  tile.finish(block, i0, j0, n);
}

// a: the tile's panel, or its first row in place; b: its panel of B; n: its columns.
using TileFn = void (*)(const Block &, const char *a, const char *b, int64_t i0, int64_t j0,
                        int64_t n);
template <class T, int MR, int NV, int V> void packed_tile(const Block &block, const char *a,
                                                           const char *b, int64_t i0, int64_t j0,
                                                           int64_t n) {
  run_tile<T, MR, V>(block, PackedAt<T, MR, NV>{a, b}, i0, j0, n);
}
template <class T, int MR, int NV, int V, bool whole>
void direct_tile(const Block &block, const char *a, const char *b, int64_t i0, int64_t j0,
                 int64_t n) {
  run_tile<T, MR, V>(block, DirectAt<T, MR, NV, V, whole>(a, b, block, n), i0, j0, n);
}

// A tile of r rows: packed[v][r] and direct[v][r] compute v of the panel's vectors, direct of the last one what is
// there; direct[0][r] computes a whole panel. Compile-time lists, because arrays of functions must not be weak.
template <class T, int MR, int NV> struct Tiles {
  TileFn packed[NV + 1][MR + 1], direct[NV + 1][MR + 1];
  template <int R, int V> constexpr void fill() {
    if constexpr (V > 0) {
      packed[V][R] = &packed_tile<T, R, NV, V>;
      direct[V][R] = &direct_tile<T, R, NV, V, false>;
      fill<R, V - 1>();
    } else {
      direct[0][R] = &direct_tile<T, R, NV, NV, true>;
      if constexpr (R > 1) fill<R - 1, NV>();
    }
  }
  constexpr Tiles() : packed{}, direct{} { fill<MR, NV>(); }

  TileFn choose(const Block &block, int64_t rows, int64_t n) const {
    constexpr int lanes = Simd<T>::lanes;
    const int64_t vectors = (n + lanes - 1) / lanes;
    if (block.packed) return packed[vectors][rows];
    return direct[n == NV * lanes ? 0 : vectors][rows];
  }
};

// One row leaves too few chains to hide the latency of fma (4 cycles, 2 a cycle): four panels at once.
constexpr int kRowPanels = 4;

template <class T, int MR, int NV> void run_block(const Block &block) {
  static constexpr Tiles<T, MR, NV> tiles;
  constexpr int64_t nr = NV * Simd<T>::lanes, size = sizeof(T);
  const int64_t a_row = block.packed ? block.k * size : block.a_row_stride;
  const auto panel_rows = [&](int64_t panel, int64_t j, int64_t n) {
    const int64_t i = panel_start(block.m, block.panels, panel);
    const int64_t rows = panel_start(block.m, block.panels, panel + 1) - i;
    tiles.choose(block, rows, n)(block, block.a + i * a_row, block.b + j / nr * block.b_panel, i, j,
                                 n);
  };
  const auto columns = [&](int64_t j) { return block.n - j < nr ? block.n - j : nr; };
  if (block.m == 1 && !block.packed) {
    int64_t j = 0;
    for (; block.n - j >= kRowPanels * nr; j += kRowPanels * nr)
      direct_tile<T, 1, NV, kRowPanels * NV, true>(block, block.a, block.b + j / nr * block.b_panel,
                                                   0, j, kRowPanels * nr);
    for (; j < block.n; j += nr) panel_rows(0, j, columns(j));
  } else if (block.along_rows) {
    for (int64_t panel = 0; panel < block.panels; ++panel)
      for (int64_t j = 0; j < block.n; j += nr) panel_rows(panel, j, columns(j));
  } else {
    for (int64_t j = 0; j < block.n; j += nr)
      for (int64_t panel = 0; panel < block.panels; ++panel) panel_rows(panel, j, columns(j));
  }
}

// noinline: inlined into a caller with other vectors alive, an accumulator was spilled (a third of the rate).
template <class T, int Chains> __attribute__((noinline)) void fma_loop(int64_t iterations) {
  Vec<T> acc[Chains];
#pragma GCC unroll 32
  for (int i = 0; i < Chains; ++i) acc[i] = splat(T(0.001) * T(i + 1));
  Vec<T> factor = splat(T(0.999)), term = splat(T(0.001));
  for (int64_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 32
    for (int i = 0; i < Chains; ++i) acc[i] = fma(factor, acc[i], term);
    FASTLA_KEEP(factor);
  }
#pragma GCC unroll 32
  for (int i = 0; i < Chains; ++i) FASTLA_KEEP(acc[i]);
}

template <class T, int MR, int NV> constexpr KernelRow make_row(const char *isa, int dtype) {
  constexpr int chains = 12;
  return KernelRow{isa,
                   dtype,
                   sizeof(T),
                   MR,
                   NV * Simd<T>::lanes,
                   FASTLA_VECTOR_BYTES,
                   &pack_a<T, MR>,
                   &pack_b<T, NV>,
                   &run_block<T, MR, NV>,
                   &activate_array<T>,
                   &fma_loop<T, chains>,
                   2.0 * chains * Simd<T>::lanes};
}

}  // namespace
