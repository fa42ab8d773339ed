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

// Lines of C are asked for this many steps before the chain ends: about the latency of L3.
constexpr int64_t kPrefetchSteps = 32;

template <class T, int MR, int NV, int P> struct Tile {
  static constexpr int lanes = Simd<T>::lanes, vectors = NV * P;
  Vec<T> acc[MR][vectors];

  FASTLA_INLINE void zero() {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < vectors; ++j) acc[i][j] = Vec<T>{};
  }

  FASTLA_INLINE void chain(int64_t k, const char *&a, int64_t a_row, int64_t a_col, const char *&b,
                           int64_t b_step, int64_t b_panel) {
#pragma GCC unroll 4
    for (int64_t step = 0; step < k; ++step) {
      Vec<T> bv[vectors];
#pragma GCC unroll 16
      for (int p = 0; p < P; ++p)
#pragma GCC unroll 16
        for (int j = 0; j < NV; ++j)
          bv[p * NV + j] = load<T>(b + p * b_panel + j * FASTLA_VECTOR_BYTES);
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) {
        const Vec<T> av = splat(load_scalar<T>(a + i * a_row));
#pragma GCC unroll 16
        for (int j = 0; j < vectors; ++j) acc[i][j] = fma(av, bv[j], acc[i][j]);
      }
      a += a_col;
      b += b_step;
    }
  }

  // Columns [0, n) of the tile go to the block's total or to C; i0, j0 place the tile in the block.
  FASTLA_INLINE void finish(const Block &block, int64_t i0, int64_t j0, int64_t n) {
    const bool in_registers =
        n == vectors * lanes && (!block.last || (!block.finish && block.c_col_stride == sizeof(T)));
    if (!in_registers) return finish_buffered(block, i0, j0, n);
    const char *from = block.total + i0 * block.total_stride + j0 * int64_t(sizeof(T));
    char *to = block.last ? block.c + i0 * block.c_row_stride + j0 * int64_t(sizeof(T))
                          : const_cast<char *>(from);
    const int64_t to_stride = block.last ? block.c_row_stride : block.total_stride;
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < vectors; ++j) {
        const int64_t at = j * FASTLA_VECTOR_BYTES;
        const Vec<T> sum = block.first ? Vec<T>{} : load<T>(from + i * block.total_stride + at);
        store<T>(to + i * to_stride + at, sum + acc[i][j]);
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

template <class T, int MR, int NV, int P> void run_tile(const Block &block, const char *a,
                                                        int64_t a_row, int64_t a_col, const char *b,
                                                        int64_t i0, int64_t j0) {
  constexpr int width = NV * P * Simd<T>::lanes;
  Tile<T, MR, NV, P> tile;
  tile.zero();
  const int64_t head = block.k > kPrefetchSteps ? block.k - kPrefetchSteps : 0;
  tile.chain(head, a, a_row, a_col, b, block.b_step, block.b_panel);
  const char *next = block.last ? block.c : block.total;
  const int64_t stride = block.last ? block.c_row_stride : block.total_stride;
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
    const char *line = next + (i0 + i) * stride + j0 * int64_t(sizeof(T));
    __builtin_prefetch(line, 1);
    __builtin_prefetch(line + NV * FASTLA_VECTOR_BYTES - 1, 1);
  }
  tile.chain(block.k - head, a, a_row, a_col, b, block.b_step, block.b_panel);
  const int64_t left = block.n - j0;
  tile.finish(block, i0, j0, left < width ? left : width);
}

template <class T> using TileFn = void (*)(const Block &, const char *, int64_t, int64_t,
                                           const char *, int64_t, int64_t);

// tiles[r]: a tile of r rows, r = 1..MR; a compile-time list because arrays of functions must not be weak.
template <class T, int MR, int NV> struct Tiles {
  TileFn<T> of[MR + 1];
  template <int R> constexpr void fill() {
    of[R] = &run_tile<T, R, NV, 1>;
    if constexpr (R > 1) fill<R - 1>();
  }
  constexpr Tiles() : of{} { fill<MR>(); }
};

// One row leaves too few chains to hide the latency of fma (4 cycles, 2 a cycle): four panels at once.
constexpr int kRowPanels = 4;

template <class T, int MR, int NV> void run_block(const Block &block) {
  static constexpr Tiles<T, MR, NV> tiles;
  constexpr int64_t nr = NV * Simd<T>::lanes, size = sizeof(T);
  for (int64_t j = 0; j < block.n;) {
    const char *b = block.b + j / nr * block.b_panel;
    if (block.m == 1 && block.n - j >= kRowPanels * nr) {
      const int64_t col = block.a_packed ? size : block.a_col_stride;
      run_tile<T, 1, NV, kRowPanels>(block, block.a, 0, col, b, 0, j);
      j += kRowPanels * nr;
      continue;
    }
    for (int64_t i = 0; i < block.m; i += MR) {
      const int64_t rows = block.m - i < MR ? block.m - i : MR;
      if (block.a_packed)
        tiles.of[rows](block, block.a + i * block.k * size, size, rows * size, b, i, j);
      else
        tiles.of[rows](block, block.a + i * block.a_row_stride, block.a_row_stride,
                       block.a_col_stride, b, i, j);
    }
    j += nr;
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
