// One row of A against contiguous columns of B, some vectors of them side by side, so that there are chains enough to
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

// The chains of vectors [first, end) go on by `parts` times 16 bytes of their columns, a line at most; `a` is where
// vector `first` is, each other one `skew` lines ahead of the one before. Multiply-adds follow the next vector's
// transposition: waiting for each other, they would fill the scheduler. ahead: bytes from what is read to what is asked
// for, 0: nothing.
template <class T, int parts, int first, int end, int skew, int ahead>
FASTLA_INLINE void next_line(const char **p, const Apart &apart, const char *&a, Vec<T> *acc) {
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
    const char *steps = a + (i - 1) / width * 16 + u * skew * 64;
#pragma GCC unroll 4
    for (int s = 0; s < kSteps<T>; ++s)
      acc[first + u] = fma(splat(load_scalar<T>(steps + s * int64_t(sizeof(T)))), b[(i - 1) % 2][s],
                           acc[first + u]);
  }
  a += parts * 16;
}

// What is less than a line.
template <class T, int V> FASTLA_INLINE void last_steps(const char **p, const Apart &apart,
                                                        const char *a, int64_t k, Vec<T> *acc) {
  for (; k >= kSteps<T>; k -= kSteps<T>) next_line<T, 1, 0, V, 0, 0>(p, apart, a, acc);
  for (int64_t s = 0; s < k; ++s, a += sizeof(T))
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      Vec<T> b;
#pragma GCC unroll 16
      for (int i = 0; i < Simd<T>::lanes; ++i)
        b[i] = load_scalar<T>(apart.at(p[v], i) + s * int64_t(sizeof(T)));
      acc[v] = fma(splat(load_scalar<T>(a)), b, acc[v]);
    }
}

// All of a's k steps for the vectors of columns from p[] on.
template <class T, int V, int ahead> struct Even {
  static constexpr int vectors = V;
  static FASTLA_INLINE void run(const char **p, const Apart &apart, const char *a, int64_t k,
                                Vec<T> *acc) {
    constexpr int64_t line = 64 / sizeof(T);
    if (ahead)
      for (; k >= line; k -= line) next_line<T, 4, 0, V, 0, ahead>(p, apart, a, acc);
    last_steps<T, V>(p, apart, a, k, acc);
  }
};

// The same, skewed: 2 kSkew lines or more.
template <class T> struct Skewed {
  static constexpr int vectors = fastla::kSkewedVectors;
  static_assert(vectors == 3);
  static FASTLA_INLINE void run(const char **p, const Apart &apart, const char *a, int64_t k,
                                Vec<T> *acc) {
    constexpr int64_t line = 64 / sizeof(T);
    for (int i = 0; i < kSkew; ++i) next_line<T, 4, 2, 3, kSkew, 64>(p, apart, a, acc);
    a -= kSkew * 64;
    for (int i = 0; i < kSkew; ++i) next_line<T, 4, 1, 3, kSkew, 64>(p, apart, a, acc);
    a -= kSkew * 64;
    for (int64_t i = 2 * kSkew; i < k / line; ++i)
      next_line<T, 4, 0, 3, kSkew, 64>(p, apart, a, acc);
    for (int i = 0; i < kSkew; ++i) next_line<T, 4, 0, 2, kSkew, 64>(p, apart, a, acc);
    for (int i = 0; i < kSkew; ++i) next_line<T, 4, 0, 1, kSkew, 64>(p, apart, a, acc);
    last_steps<T, 3>(p, apart, a, k % line, acc);
  }
};

// From column j on as many panels of nr columns as the chains' vectors divide; returns the column of those left.
template <class T, int NV, class Chains> int64_t run_side_by_side(const Block &block, int64_t j) {
  constexpr int V = Chains::vectors;
  constexpr int64_t lanes = Simd<T>::lanes, width = V * lanes;
  constexpr int64_t panels = (V % NV ? V * NV : V) * lanes;
  const Apart apart(block.b_step);
  const int64_t end = j + (block.n - j) / panels * panels;
  for (; j < end; j += width) {
    const char *p[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) p[v] = block.b + (j + v * lanes) * block.b_step;
    Tile<T, 1, V> tile;
    if (block.resumed)
      tile.resume(block, 0, j);
    else
      tile.zero();
    Chains::run(p, apart, block.a, block.k, tile.acc[0]);
    if (block.suspended)
      tile.suspend(block, 0, j);
    else
      tile.finish(block, 0, j, width);
  }
  return end;
}

// The last columns, from j on, fewer than V vectors hold: the V vectors that end with them, of which earlier columns are
// not used.
template <class T, int V> void run_last_columns(const Block &block, int64_t j) {
  constexpr int64_t lanes = Simd<T>::lanes, width = V * lanes;
  const int64_t first = block.n - width;
  const char *p[V];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) p[v] = block.b + (first + v * lanes) * block.b_step;
  Tile<T, 1, V> tile;
  tile.zero();
  Even<T, V, 0>::run(p, Apart(block.b_step), block.a, block.k, tile.acc[0]);
  T sums[width + lanes];  // and copies of the last one, which computes what a real element computes
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) store<T>(sums + v * lanes, tile.acc[0][v]);
  store<T>(sums + width, splat(sums[width - 1]));
  finish_rows<T>(block, sums + (j - first), 1, width, 0, j, block.n - j);
}

template <class T, int NV, class Chains> int64_t run_all_columns(const Block &block) {
  constexpr int64_t lanes = Simd<T>::lanes;
  int64_t j = run_side_by_side<T, NV, Chains>(block, 0);
  const int64_t left = (block.n - j + lanes - 1) / lanes;
  if (left == 0 || left > 4) return j;
  if (block.resumed || block.suspended) {  // chains that wait are those of whole vectors
    j = run_side_by_side<T, NV, Even<T, 2, 0>>(block, j);
    return run_side_by_side<T, NV, Even<T, 1, 0>>(block, j);
  }
  if (block.n < left * lanes) return j;
  constexpr void (*last[4])(const Block &, int64_t) = {
      &run_last_columns<T, 1>, &run_last_columns<T, 2>, &run_last_columns<T, 3>,
      &run_last_columns<T, 4>};
  last[left - 1](block, j);
  return block.n;
}

template <class T, int NV> int64_t run_one_row_down(const Block &block) {
  constexpr int V = fastla::kColumnVectors;
  if (block.m != 1 || block.a_col_stride != int64_t(sizeof(T))) return 0;
  // The last block of K may be too short.
  if (block.skewed && block.k * int64_t(sizeof(T)) >= 2 * kSkew * 64)
    return run_all_columns<T, NV, Skewed<T>>(block);
  if (block.b_ahead == 0) return run_all_columns<T, NV, Even<T, V, 0>>(block);
  if (block.b_ahead <= fastla::kLine)
    return run_all_columns<T, NV, Even<T, V, fastla::kLine>>(block);
  return run_all_columns<T, NV, Even<T, fastla::kMemoryVectors, kMemoryAhead>>(block);
}

}  // namespace
