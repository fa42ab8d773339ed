// Few rows of A against contiguous columns of B, some vectors of them side by side, so that there are chains enough to
// hide fma's latency (A x comes here). Columns that lie in the same sets of L1 (A's rows are a power of two apart) are
// taken skewed: each vector two lines ahead of the one before, so that its lines, and the next ones, which are asked
// for, are in sets of their own.
#pragma once
#include "kernels/columns.hpp"
#include "kernels/tile.hpp"

namespace {

constexpr int kSkew = 2;  // lines
// Columns in memory are asked for so many bytes ahead (a line, or 512: up to 5 and 15% less).
constexpr int kMemoryAhead = 256;

// Where the columns of a vector are, from its first one on. A second pointer, four columns further, and two strides
// leave registers for as many vectors as are side by side; an offset for each column would not.
struct Apart {
  int64_t stride, three;
  FASTLA_INLINE explicit Apart(int64_t bytes) : stride(bytes), three(3 * bytes) {
    FASTLA_HIDE(stride);
    FASTLA_HIDE(three);
  }
  FASTLA_INLINE const char *at(const char *p, int i) const {
    const char *q = p;
    if (i >= 4) {
      q += 4 * stride;
      FASTLA_HIDE(q);
    }
    return q + (i % 4 == 3 ? three : i % 4 * stride);
  }
};

// 16 bytes of a vector's columns, from p on, as steps.
template <class T> constexpr int kSteps = 16 / sizeof(T);
template <class T> FASTLA_INLINE void next_steps(const char *p, const Apart &apart, Vec<T> *b) {
  static_assert(Simd<T>::lanes <= 2 * kSteps<T>);
#pragma GCC unroll 4
  for (int i = 0; i < kSteps<T>; ++i)
    if constexpr (Simd<T>::lanes == kSteps<T>)
      b[i] = load<T>(apart.at(p, i));
    else
      b[i] = load_halves<T>(apart.at(p, i), apart.at(p, i + kSteps<T>));
  transpose_quads<T>(b, b);
}

// Rows of A, three to a pointer (operands.hpp), each contiguous.
template <int MR> struct Rows {
  const char *p[(MR + 2) / 3];
  int64_t stride;
  FASTLA_INLINE explicit Rows(const Block &block) : stride(block.a_row_stride) {
#pragma GCC unroll 4
    for (int g = 0; 3 * g < MR; ++g) p[g] = block.a + 3 * g * stride;
  }
  FASTLA_INLINE const char *at(int i) const { return p[i / 3] + i % 3 * stride; }
  FASTLA_INLINE void advance(int64_t bytes) {
#pragma GCC unroll 4
    for (int g = 0; 3 * g < MR; ++g) p[g] += bytes;
  }
};

// The chains of vectors [first, end) go on by `parts` times 16 bytes of their columns, a line at most; `a` is where
// vector `first` is, each other one `skew` lines ahead of the one before. Multiply-adds follow the next vector's
// transposition: waiting for each other, they would fill the scheduler. ahead: bytes from what is read to what is asked
// for, 0: nothing.
template <class T, int parts, int first, int end, int skew, int ahead, int MR, int V>
FASTLA_INLINE void next_line(const char **p, const Apart &apart, Rows<MR> &a,
                             Tile<T, MR, V> &tile) {
  constexpr int lanes = Simd<T>::lanes, width = end - first, all = parts * width;
  Vec<T> b[2][kSteps<T>];
#pragma GCC unroll 32
  for (int i = 0; i <= all; ++i) {
    const int v = first + i % width, part = i / width;
    if (i < all) {
      next_steps<T>(p[v], apart, b[i % 2]);
      if (ahead)
#pragma GCC unroll 4
        for (int at = part * lanes / 4; at < (part + 1) * lanes / 4; ++at)
          __builtin_prefetch(apart.at(p[v], at) + ahead);
      p[v] += 16;
      FASTLA_HIDE(p[v]);
    }
    if (i == 0) continue;
    const int u = (i - 1) % width;
    const int64_t steps = (i - 1) / width * 16 + u * skew * 64;
#pragma GCC unroll 4
    for (int s = 0; s < kSteps<T>; ++s)
#pragma GCC unroll 8
      for (int row = 0; row < MR; ++row) {
        const Vec<T> x = splat(load_scalar<T>(a.at(row) + steps + s * int64_t(sizeof(T))));
        tile.acc[row][first + u] = fma(x, b[(i - 1) % 2][s], tile.acc[row][first + u]);
      }
  }
  a.advance(parts * 16);
}

// What is less than a line.
template <class T, int MR, int V> FASTLA_INLINE void last_steps(const char **p, const Apart &apart,
                                                                Rows<MR> &a, int64_t k,
                                                                Tile<T, MR, V> &tile) {
  for (; k >= kSteps<T>; k -= kSteps<T>) next_line<T, 1, 0, V, 0, 0>(p, apart, a, tile);
  for (int64_t s = 0; s < k; ++s, a.advance(sizeof(T)))
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      Vec<T> b;
#pragma GCC unroll 16
      for (int i = 0; i < Simd<T>::lanes; ++i)
        b[i] = load_scalar<T>(apart.at(p[v], i) + s * int64_t(sizeof(T)));
#pragma GCC unroll 8
      for (int row = 0; row < MR; ++row)
        tile.acc[row][v] = fma(splat(load_scalar<T>(a.at(row))), b, tile.acc[row][v]);
    }
}

// All of a's k steps for the vectors of columns from p[] on.
template <class T, int R, int V, int ahead> struct Even {
  static constexpr int rows = R, vectors = V;
  static FASTLA_INLINE void run(const char **p, const Apart &apart, Rows<R> a, int64_t k,
                                Tile<T, R, V> &tile) {
    constexpr int64_t line = 64 / sizeof(T);
    if (ahead)
      for (; k >= line; k -= line) next_line<T, 4, 0, V, 0, ahead>(p, apart, a, tile);
    last_steps<T>(p, apart, a, k, tile);
  }
};

// The same of one row, skewed: 2 kSkew lines or more.
template <class T> struct Skewed {
  static constexpr int rows = 1, vectors = fastla::kSkewedVectors;
  static_assert(vectors == 3);
  static FASTLA_INLINE void run(const char **p, const Apart &apart, Rows<1> a, int64_t k,
                                Tile<T, 1, 3> &tile) {
    constexpr int64_t line = 64 / sizeof(T);
    for (int i = 0; i < kSkew; ++i) next_line<T, 4, 2, 3, kSkew, 64>(p, apart, a, tile);
    a.advance(-kSkew * 64);
    for (int i = 0; i < kSkew; ++i) next_line<T, 4, 1, 3, kSkew, 64>(p, apart, a, tile);
    a.advance(-kSkew * 64);
    for (int64_t i = 2 * kSkew; i < k / line; ++i)
      next_line<T, 4, 0, 3, kSkew, 64>(p, apart, a, tile);
    for (int i = 0; i < kSkew; ++i) next_line<T, 4, 0, 2, kSkew, 64>(p, apart, a, tile);
    for (int i = 0; i < kSkew; ++i) next_line<T, 4, 0, 1, kSkew, 64>(p, apart, a, tile);
    last_steps<T>(p, apart, a, k % line, tile);
  }
};

template <int V>
FASTLA_INLINE void find_vectors(const Block &block, int64_t j, int64_t lanes, const char **p) {
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) p[v] = block.b + (j + v * lanes) * block.b_step;
}

// From column j on as many panels of nr columns as the chains' vectors divide; returns the column of those left.
template <class T, int NV, class Chains> int64_t run_side_by_side(const Block &block, int64_t j) {
  constexpr int V = Chains::vectors;
  constexpr int64_t lanes = Simd<T>::lanes, width = V * lanes;
  constexpr int64_t panels = (V % NV ? V * NV : V) * lanes;
  const Apart apart(block.b_step);
  const int64_t end = j + (block.n - j) / panels * panels;
  for (; j < end; j += width) {
    const char *p[V];
    find_vectors<V>(block, j, lanes, p);
    Tile<T, Chains::rows, V> tile;
    if (block.resumed)
      tile.resume(block, 0, j);
    else
      tile.zero();
    Chains::run(p, apart, Rows<Chains::rows>(block), block.k, tile);
    if (block.suspended)
      tile.suspend(block, 0, j);
    else
      tile.finish(block, 0, j, width);
  }
  return end;
}

// The last columns, from j on, fewer than V vectors hold: the V vectors that end with them, of which earlier columns are
// not used.
template <class T, int R, int V> void run_last_columns(const Block &block, int64_t j) {
  constexpr int64_t lanes = Simd<T>::lanes, width = V * lanes;
  const char *p[V];
  find_vectors<V>(block, block.n - width, lanes, p);
  Tile<T, R, V> tile;
  tile.zero();
  Even<T, R, V, 0>::run(p, Apart(block.b_step), Rows<R>(block), block.k, tile);
  finish_last_columns<T>(block, tile, j);
}

template <class T, int NV, class Chains> int64_t run_all_columns(const Block &block) {
  constexpr int64_t lanes = Simd<T>::lanes;
  constexpr int R = Chains::rows, most = Chains::vectors;
  int64_t j = run_side_by_side<T, NV, Chains>(block, 0);
  const int64_t left = (block.n - j + lanes - 1) / lanes;
  if (left == 0 || left > 4) return j;
  if (block.resumed || block.suspended) {  // chains that wait are those of whole vectors
    j = run_side_by_side<T, NV, Even<T, R, 2, 0>>(block, j);
    return run_side_by_side<T, NV, Even<T, R, 1, 0>>(block, j);
  }
  if (left > most || block.n < left * lanes) return j;
  constexpr void (*last[4])(const Block &, int64_t) = {
      &run_last_columns<T, R, 1>,
      &run_last_columns<T, R, 2>,
      &run_last_columns < T,
      R,
      most < 3 ? 2 : 3 >
      , &run_last_columns < T, R, most < 4 ? 2 : 4 > };
  last[left - 1](block, j);
  return block.n;
}

template <class T, int NV, int R> int64_t run_rows_down(const Block &block) {
  constexpr int V = fastla::kColumnVectors;
  if (block.b_ahead == 0) return run_all_columns<T, NV, Even<T, R, V, 0>>(block);
  if (block.b_ahead <= fastla::kLine)
    return run_all_columns<T, NV, Even<T, R, V, fastla::kLine>>(block);
  return run_all_columns<T, NV, Even<T, R, fastla::kMemoryVectors, kMemoryAhead>>(block);
}

// So many rows at most, if there are 32 registers: with more, vectors of twice the width, one for each row, are as fast.
constexpr int kSideRows = kManyRegisters ? 4 : 1;

// of[r]: r rows. (A list, because arrays of functions must not be weak.)
template <class T, int NV> struct RowsDown {
  int64_t (*of[kSideRows + 1])(const Block &);
  template <int R> constexpr void fill() {
    of[R] = &run_rows_down<T, NV, R>;
    if constexpr (R > 1) fill<R - 1>();
  }
  constexpr RowsDown() : of{} { fill<kSideRows>(); }

  int64_t run(const Block &block) const {
    if (block.m > kSideRows || block.a_col_stride != int64_t(sizeof(T))) return 0;
    // The last block of K may be too short.
    if (block.skewed && block.k * int64_t(sizeof(T)) >= 2 * kSkew * 64)
      return run_all_columns<T, NV, Skewed<T>>(block);
    return of[block.m](block);
  }
};

}  // namespace
