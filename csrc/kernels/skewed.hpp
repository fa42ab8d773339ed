// One row of A against contiguous columns of B that lie in the same sets of L1 (A x, where A's rows are a power of two
// apart): three vectors of columns side by side, each two lines ahead of the one before. Its lines, and the next ones,
// which are asked for, are then in sets of their own.
#pragma once
#include "kernels/columns.hpp"
#include "kernels/tile.hpp"

namespace {

constexpr int kSkew = 2;  // lines

// Where the columns of a vector begin: so many bytes after its first one. Nearly all registers are in use, and the
// compiler would rather compute these again and again.
template <class T> struct Apart {
  static constexpr int lanes = Simd<T>::lanes;
  int64_t to[lanes];
  FASTLA_INLINE explicit Apart(int64_t stride) {
    to[0] = 0;
#pragma GCC unroll 16
    for (int i = 1; i < lanes; ++i) {
      to[i] = i * stride;
      FASTLA_HIDE(to[i]);
    }
  }
};

// The chains of a vector go on by 16 bytes of its columns, from p on, and of the row of A, at a.
template <class T>
FASTLA_INLINE Vec<T> next_steps(const char *p, const Apart<T> &apart, const char *a, Vec<T> acc) {
  constexpr int steps = 16 / sizeof(T);
  static_assert(Simd<T>::lanes <= 2 * steps);
  Vec<T> b[steps];
#pragma GCC unroll 4
  for (int i = 0; i < steps; ++i)
    if constexpr (Simd<T>::lanes == steps)
      b[i] = load<T>(p + apart.to[i]);
    else
      b[i] = load_halves<T>(p + apart.to[i], p + apart.to[i + steps]);
  transpose_quads<T>(b, b);
#pragma GCC unroll 4
  for (int s = 0; s < steps; ++s)
    acc = fma(splat(load_scalar<T>(a + s * int64_t(sizeof(T)))), b[s], acc);
  return acc;
}

// A line of vectors [first, end); a is where vector `first` is.
template <class T, int first, int end>
FASTLA_INLINE void next_line(const char **p, const Apart<T> &apart, const char *&a, Vec<T> *acc) {
  constexpr int lanes = Simd<T>::lanes;
#pragma GCC unroll 4
  for (int part = 0; part < 4; ++part, a += 16)
#pragma GCC unroll 4
    for (int v = first; v < end; ++v) {
      acc[v] = next_steps<T>(p[v], apart, a + (v - first) * kSkew * 64, acc[v]);
#pragma GCC unroll 4
      for (int i = part * lanes / 4; i < (part + 1) * lanes / 4; ++i)
        __builtin_prefetch(p[v] + apart.to[i] + 64);
      p[v] += 16;
      FASTLA_HIDE(p[v]);
    }
}

// All of a's k steps, 2 kSkew lines or more, for the vectors of columns from p[] on.
template <class T> FASTLA_INLINE void skewed_chains(const char **p, const Apart<T> &apart,
                                                    const char *a, int64_t k, Vec<T> *acc) {
  static_assert(fastla::kSkewedVectors == 3);
  constexpr int64_t line = 64 / sizeof(T);
  for (int i = 0; i < kSkew; ++i) next_line<T, 2, 3>(p, apart, a, acc);
  a -= kSkew * 64;
  for (int i = 0; i < kSkew; ++i) next_line<T, 1, 3>(p, apart, a, acc);
  a -= kSkew * 64;
  for (int64_t i = 2 * kSkew; i < k / line; ++i) next_line<T, 0, 3>(p, apart, a, acc);
  for (int i = 0; i < kSkew; ++i) next_line<T, 0, 2>(p, apart, a, acc);
  for (int i = 0; i < kSkew; ++i) next_line<T, 0, 1>(p, apart, a, acc);
  for (int64_t s = 0; s < k % line; ++s, a += sizeof(T))  // what is less than a line
#pragma GCC unroll 4
    for (int v = 0; v < 3; ++v) {
      Vec<T> b;
#pragma GCC unroll 16
      for (int i = 0; i < Simd<T>::lanes; ++i)
        b[i] = load_scalar<T>(p[v] + apart.to[i] + s * int64_t(sizeof(T)));
      acc[v] = fma(splat(load_scalar<T>(a)), b, acc[v]);
    }
}

// The last block of K may be too short.
template <class T> bool skews(const Block &block) {
  return block.skewed && block.k * int64_t(sizeof(T)) >= 2 * kSkew * 64;
}

// As many panels of nr columns as the vectors divide; returns the column of those left.
template <class T, int NV> int64_t run_skewed(const Block &block) {
  constexpr int V = fastla::kSkewedVectors;
  constexpr int64_t lanes = Simd<T>::lanes, width = V * lanes, panels = V * NV * lanes;
  const Apart<T> apart(block.b_step);
  const int64_t end = block.n / panels * panels;
  for (int64_t j = 0; j < end; j += width) {
    const char *b = block.b + j * block.b_step;
    const char *p[V] = {b, b + lanes * block.b_step, b + 2 * lanes * block.b_step};
    Tile<T, 1, V> tile;
    tile.zero();
    skewed_chains<T>(p, apart, block.a, block.k, tile.acc[0]);
    tile.finish(block, 0, j, width);
  }
  return end;
}

}  // namespace
