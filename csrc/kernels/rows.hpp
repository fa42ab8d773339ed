// The generic kernel source: which tile a rectangle of C gets, and the row's entry in the table. A shim (avx2.cpp,
// ...) sets FASTLA_VECTOR_BYTES and includes this file.
#pragma once
#include "kernels/columns.hpp"
#include "kernels/items.hpp"
#include "kernels/lines.hpp"
#include "kernels/pack.hpp"
#include "kernels/plain.hpp"
#include "kernels/row.hpp"
#include "kernels/side_by_side.hpp"
#include "kernels/stream.hpp"
#include "kernels/tile.hpp"

namespace {

using fastla::Block;
using fastla::KernelRow;

template <class T, int MR, int NV, int V, bool sharing = false>
void packed_tile(const Block &block, const char *a, const char *b, int64_t i0, int64_t j0,
                 int64_t n) {
  run_tile<T, MR, V>(block, PackedAt<T, MR, NV, sharing>(a, b, block, i0, j0), i0, j0, n);
}
template <class T, int MR, int NV, int V, bool whole, Ask ask = Ask::nothing>
void direct_tile(const Block &block, const char *a, const char *b, int64_t i0, int64_t j0,
                 int64_t n) {
  run_tile<T, MR, V>(block, DirectAt<T, MR, NV, V, whole, ask>(a, b, block, i0, j0, n), i0, j0, n);
}

// B's columns contiguous: few rows leave registers for a whole panel, and need its chains to hide fma's latency.
constexpr int kWideColumns = 4;
template <class T, int MR, int NV, bool whole> void columns_tile(const Block &block, const char *a,
                                                                 const char *b, int64_t i0,
                                                                 int64_t j0, int64_t n) {
  constexpr int V = whole && MR <= kWideColumns ? NV : 1, width = V * Simd<T>::lanes;
  for (int64_t j = 0; j < n; j += width) {
    const int64_t cols = n - j < width ? n - j : width;
    const ColumnsAt<T, V, whole> at(a, b + j * block.b_step, block, cols);
    run_tile<T, MR, V>(block, at, i0, j0 + j, cols);
  }
}

// of[v][r]: a tile of r rows and v of the panel's vectors; sharing[r]: a high one of all vectors, which asks L2 for its
// share of the next panel of B. High ones of fewer vectors, which a last panel has (and the diagonal of a symmetric
// product), always ask, where there are no shares for a line of their own. Compile-time lists, because arrays of functions
// must not be weak.
template <class T, int MR, int NV> struct PackedTiles {
  TileFn of[NV + 1][MR + 1], sharing[MR + 1];
  template <int R, int V> constexpr void fill() {
    constexpr bool high = 2 * R > MR;
    of[V][R] = &packed_tile<T, R, NV, V, (high && V < NV)>;
    if constexpr (high && V == NV) sharing[R] = &packed_tile<T, R, NV, V, true>;
    if constexpr (V > 1)
      fill<R, V - 1>();
    else if constexpr (R > 1)
      fill<R - 1, NV>();
  }
  constexpr PackedTiles() : of{}, sharing{} { fill<MR, NV>(); }

  TileFn choose(const Block &block, int64_t rows, int64_t n) const {
    constexpr int lanes = Simd<T>::lanes;
    if (block.b_share && n > (NV - 1) * lanes && 2 * rows > MR) return sharing[rows];
    return of[(n + lanes - 1) / lanes][rows];
  }
};

// direct[v][r] computes of the last vector what is there; direct[0][r] computes a whole panel, ahead[r] and flowing[r]
// too and ask for what later ones need, columns[whole][r] of columns in place.
template <class T, int MR, int NV> struct DirectTiles {
  TileFn direct[NV + 1][MR + 1], ahead[MR + 1], flowing[MR + 1];
  TileFn columns[2][fastla::kColumnRows + 1];
  template <int R, int V> constexpr void fill() {
    if constexpr (V > 0) {
      direct[V][R] = &direct_tile<T, R, NV, V, false>;
      fill<R, V - 1>();
    } else {
      direct[0][R] = &direct_tile<T, R, NV, NV, true>;
      ahead[R] = &direct_tile<T, R, NV, NV, true, Ask::b>;
      flowing[R] = &direct_tile<T, R, NV, NV, true, Ask::next_panel>;
      if constexpr (R <= fastla::kColumnRows) {
        columns[0][R] = &columns_tile<T, R, NV, false>;
        columns[1][R] = &columns_tile<T, R, NV, true>;
      }
      if constexpr (R > 1) fill<R - 1, NV>();
    }
  }
  constexpr DirectTiles() : direct{}, ahead{}, flowing{}, columns{} { fill<MR, NV>(); }

  TileFn choose(const Block &block, int64_t rows, int64_t n) const {
    constexpr int lanes = Simd<T>::lanes;
    if (block.down_columns) return columns[n == NV * lanes][rows];
    if (n < NV * lanes) return direct[(n + lanes - 1) / lanes][rows];
    if (block.flowing) return flowing[rows];
    return block.b_ahead ? ahead[rows] : direct[0][rows];
  }
};

// One row leaves too few chains to hide the latency of fma (4 cycles, 2 a cycle), and reads little of each row of B: as
// many panels at once as there are registers for. (In place eight instead of four: 1.05 to 1.15 times as fast in L2;
// packed, twelve vectors.) of[1][v]: v vectors; packed, L2 is asked for B further down; in place, the last one is whole.
template <class T, int NV, bool packed> struct OneRowTiles {
  static constexpr int wide = packed ? 12 / NV : 8, narrow = kFused ? 4 : 1;
  static constexpr int most = (FASTLA_VECTOR_BYTES == 64 ? wide : narrow) * NV;
  static constexpr Ask ask = packed ? Ask::b : Ask::nothing;
  TileFn of[2][most + 1];
  template <int V> constexpr void fill() {
    of[0][V] = &direct_tile<T, 1, NV, V, packed>;
    of[1][V] = &direct_tile<T, 1, NV, V, true, ask>;
    if constexpr (V > 1) fill<V - 1>();
  }
  constexpr OneRowTiles() : of{} { fill<most>(); }

  void run(const Block &block) const {
    constexpr int64_t lanes = Simd<T>::lanes, width = most * lanes;
    for (int64_t j = 0; j < block.n; j += width) {
      const int64_t n = block.n - j < width ? block.n - j : width;
      const char *b = block.b + j / (NV * lanes) * block.b_panel;
      const bool second = packed ? block.b_ahead != 0 : n % lanes == 0;
      of[second][(n + lanes - 1) / lanes](block, block.a, b, 0, j, n);
    }
  }
};

// A from memory is asked for so many panels ahead (one is too late, four lose 1 to 10%).
constexpr int64_t kFarPanels = 2;
// L2 is asked for these rows of A.
FASTLA_INLINE void prefetch_rows(const Block &block, int64_t first, int64_t rows, int64_t size) {
  const char *row = block.a + first * block.a_row_stride;
  for (int64_t i = 0; i < rows; ++i, row += block.a_row_stride)
    for (int64_t at = 0; at < block.k * size; at += 64) __builtin_prefetch(row + at, 0, 2);
}

// Page table entries of so much memory share a cache line, if pages (the host's, under a hypervisor) have 4 KiB. When B
// has more pages than the TLB holds, that line comes from L3 or memory for the first request of a tile that needs it,
// and the tile waits: the CPU has registers for some 100 cycles of its chains. The lines for a few panels, needed at
// once, come in hardly more time than one. `left`: panels of B to come.
constexpr int64_t kTableLine = 8 * 4096, kTablePanels = 4;
FASTLA_INLINE void prefetch_translations(const Block &block, int64_t panel, int64_t left) {
  if (!block.b_share || panel % kTablePanels) return;
  const char *b = block.b + (panel + 1) * block.b_panel;
  const int64_t bytes = (left < kTablePanels ? left : kTablePanels) * block.b_panel;
  for (int64_t at = -int64_t(uintptr_t(b)) & (kTableLine - 1); at < bytes; at += kTableLine)
    __builtin_prefetch(b + at, 0, 2);
}

// All tiles of the block from column `from` on.
template <class T, int NV, class Tiles>
FASTLA_INLINE void run_tiles(const Block &block, const Tiles &tiles, int64_t a_row, int64_t from) {
  constexpr int64_t lanes = Simd<T>::lanes, nr = NV * lanes, size = sizeof(T);
  const fastla::Panels panels(block.m, block.panels);
  const auto panel_rows = [&](int64_t panel, int64_t j, int64_t n) {
    const int64_t i = panels.start(panel), rows = panels.height + (panel < panels.taller);
    const char *b = block.b + j / nr * block.b_panel;
    if (block.upper) {
      const int64_t below = block.upper * (block.row0 + i - block.col0) - j;
      if (below >= n) return;
      if (below >= lanes && !block.down_columns) {  // vectors of which nothing is used
        const int64_t vectors = below / lanes;
        b += vectors * FASTLA_VECTOR_BYTES;
        j += vectors * lanes;
        n -= vectors * lanes;
      }
    }
    tiles.choose(block, rows, n)(block, block.a + i * a_row, b, i, j, n);
  };
  const auto columns = [&](int64_t j) { return block.n - j < nr ? block.n - j : nr; };
  if (block.along_rows) {
    for (int64_t panel = 0; panel < block.panels; ++panel) {
      if (block.a_far) prefetch_rows(block, panels.start(panel + kFarPanels), panels.height, size);
      for (int64_t j = from; j < block.n; j += nr) panel_rows(panel, j, columns(j));
    }
  } else {
    for (int64_t j = from; j < block.n; j += nr) {
      prefetch_translations(block, j / nr, (block.n - j - 1) / nr);
      for (int64_t panel = 0; panel < block.panels; ++panel) panel_rows(panel, j, columns(j));
    }
  }
}

template <class T, int MR, int NV> void run_packed(const Block &block) {
  static constexpr PackedTiles<T, MR, NV> tiles;
  static constexpr OneRowTiles<T, NV, true> one_row;
  if (block.m == 1) return one_row.run(block);
  run_tiles<T, NV>(block, tiles, block.k * int64_t(sizeof(T)), 0);
}

template <class T, int MR, int NV> void run_direct(const Block &block) {
  static constexpr DirectTiles<T, MR, NV> tiles;
  static constexpr OneRowTiles<T, NV, false> one_row;
  static constexpr PlainTiles<T, MR, NV> plain;
  if (block.row_steps) return stream_row<T>(block);
  if (block.m == 1 && !block.down_columns) return one_row.run(block);
  if (block.plain) return plain.run(block);
  int64_t j = 0;
  if constexpr (FASTLA_VECTOR_BYTES <= 32) {  // wider vectors leave few rows to the narrow row
    static constexpr RowsDown<T, NV> down;
    if (block.down_columns) j = down.run(block);
  } else {
    if (block.m == 1 && block.down_columns) j = row_by_lines<T>(block);
  }
  run_tiles<T, NV>(block, tiles, block.a_row_stride, j);
}

template <class T, int MR, int NV> void run_block(const Block &block) {
  block.packed ? run_packed<T, MR, NV>(block) : run_direct<T, MR, NV>(block);
}

template <class T> constexpr T roof_value(int thousandths) {
  if constexpr (kFloat<T>)
    return T(thousandths) / 1000;
  else
    return T(thousandths);
}
// As Tile::add_products does. (What KEEP says of factor makes each product another one.)
template <class T, int Chains>
FASTLA_INLINE void multiply_and_add(Vec<T> *acc, Vec<T> factor, Vec<T> term) {
#pragma GCC unroll 32
  for (int first = 0; first < Chains; first += 6) {
    Vec<T> products[6];
#pragma GCC unroll 8
    for (int i = 0; i < 6; ++i) {
      FASTLA_KEEP(factor);
      products[i] = Chain<T>::product(factor, term);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 6; ++i) {
      FASTLA_KEEP(products[i]);
      acc[first + i] += products[i];
    }
  }
}
// noinline: inlined into a caller with other vectors alive, an accumulator was spilled (a third of the rate).
template <class T, int Chains> __attribute__((noinline)) void fma_loop(int64_t iterations) {
  Vec<T> acc[Chains];
#pragma GCC unroll 32
  for (int i = 0; i < Chains; ++i) acc[i] = splat(roof_value<T>(i + 1));
  Vec<T> factor = splat(roof_value<T>(999)), term = splat(roof_value<T>(1));
  FASTLA_KEEP(term);
  for (int64_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 32
    for (int i = 0; !Chain<T>::apart && i < Chains; ++i)
      acc[i] = Chain<T>::add(acc[i], factor, term);
    if constexpr (Chain<T>::apart) multiply_and_add<T, Chains>(acc, factor, term);
    FASTLA_KEEP(factor);
  }
#pragma GCC unroll 32
  for (int i = 0; i < Chains; ++i) FASTLA_KEEP(acc[i]);
}

template <class T, int MR, int NV>
constexpr KernelRow make_row(const char *isa, int dtype, void (*block)(const Block &),
                             const KernelRow *direct, const KernelRow *narrow) {
  // Wider vectors leave it to the narrow row.
  constexpr int side_rows = FASTLA_VECTOR_BYTES <= 32 ? kSideRows : 0;
  constexpr int chains = 12;
  return KernelRow{isa,
                   dtype,
                   sizeof(T),
                   MR,
                   NV * Simd<T>::lanes,
                   FASTLA_VECTOR_BYTES,
                   &pack_a<T, MR>,
                   &pack_b<T, NV>,
                   block,
                   &activate_array<T>,
                   &fma_loop<T, chains>,
                   2.0 * chains * Simd<T>::lanes,
                   side_rows < MR ? side_rows : MR,
                   direct,
                   narrow,
                   fastla::Family::floats,
                   sizeof(T),
                   sizeof(T),
                   1,
                   0,
                   &run_items<T>};
}
template <class T, int MR, int NV>
constexpr KernelRow make_row(const char *isa, int dtype, const KernelRow *narrow = nullptr) {
  return make_row<T, MR, NV>(isa, dtype, &run_block<T, MR, NV>, nullptr, narrow);
}
// A row of packed products only, which leaves the others to another row; and a row of those others.
template <class T, int MR, int NV>
constexpr KernelRow make_packed_row(const char *isa, int dtype, const KernelRow *direct) {
  return make_row<T, MR, NV>(isa, dtype, &run_packed<T, MR, NV>, direct, nullptr);
}
template <class T, int MR, int NV> constexpr KernelRow make_direct_row(const char *isa, int dtype) {
  return make_row<T, MR, NV>(isa, dtype, &run_direct<T, MR, NV>, nullptr, nullptr);
}

}  // namespace
