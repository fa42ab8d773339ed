// Sparse rows times a dense matrix: of each stored entry, its value times a row of B (docs/contract.md).
#pragma once
#include "kernels/lanes16.hpp"
#include "kernels/ops.hpp"
#include "kernels/row.hpp"

namespace {

using fastla::SparseArgs;

// So many vectors of a row of C are summed side by side: half of AVX2's registers.
constexpr int kSparseVectors = 8;
// Rows of B from L3 or memory are asked for so many entries ahead: 64 to 256 are alike, and the CPU sees some 25 itself.
constexpr int64_t kSparseAhead = 128;

template <class I> FASTLA_INLINE int64_t index_at(const char *p, int64_t i) {
  return reinterpret_cast<const I *>(p)[i];
}

// V vectors of each row, from byte `at` on; the last one may be a part.
template <class T, class I, int V, class Last>
FASTLA_INLINE void sparse_columns(const SparseArgs &a, int64_t at, Last last) {
  constexpr int64_t size = FASTLA_VECTOR_BYTES, lines = (V * size + 63) / 64;
  const char *const b = a.b + at;
  char *c = a.c + at;
  int64_t p = index_at<I>(a.starts, 0);
  const char *value = a.values + p * a.value_step;
  for (int64_t i = 0; i < a.rows; ++i, c += a.c_stride) {
    const int64_t end = index_at<I>(a.starts, i + 1);
    Vec<T> total[V] = {};
    while (p < end) {
      const int64_t stop = end - p < fastla::kBlockLength ? end : p + fastla::kBlockLength;
      Vec<T> s[V] = {};
      for (; p < stop; ++p, value += a.value_step) {
        if (a.far) {
          const int64_t ahead = p + kSparseAhead < a.entries ? p + kSparseAhead : p;
          const char *const next = b + index_at<I>(a.indices, ahead) * a.b_stride;
#pragma GCC unroll 8
          for (int64_t line = 0; line < lines; ++line) __builtin_prefetch(next + line * 64, 0, 2);
        }
        const char *const row = b + index_at<I>(a.indices, p) * a.b_stride;
        const Vec<T> x = splat(load_scalar<T>(value));
#pragma GCC unroll 8
        for (int v = 0; v < V - 1; ++v) s[v] = fma(x, load<T>(row + v * size), s[v]);
        s[V - 1] = fma(x, last.load(row + (V - 1) * size, Vec<T>{}), s[V - 1]);
      }
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) total[v] += s[v];
    }
#pragma GCC unroll 8
    for (int v = 0; v < V - 1; ++v) store<T>(c + v * size, total[v]);
    last.store(c + (V - 1) * size, total[V - 1]);
  }
}

// `elements` of each row: a multiple of a vector's, or what is left of V vectors.
template <class T, class I, int V>
void sparse_vectors(const SparseArgs &a, int64_t at, int64_t elements) {
  constexpr int64_t lanes = Simd<T>::lanes, whole = (V - 1) * lanes;
  if (elements == whole + lanes)
    sparse_columns<T, I, V>(a, at, Whole<T>());
  else
    sparse_columns<T, I, V>(a, at, Part<T>(elements - whole));
}

template <class T, class I> struct SparseWidths {
  void (*of[kSparseVectors + 1])(const SparseArgs &, int64_t, int64_t);
  template <int V> constexpr void fill() {
    of[V] = &sparse_vectors<T, I, V>;
    if constexpr (V > 1) fill<V - 1>();
  }
  constexpr SparseWidths() : of{} { fill<kSparseVectors>(); }
};

FASTLA_INLINE float fma_one(float a, float b, float c) {
  if constexpr (kFused)
    return __builtin_fmaf(a, b, c);
  else
    return fma(Vec<float>{a}, Vec<float>{b}, Vec<float>{c})[0];
}
FASTLA_INLINE double fma_one(double a, double b, double c) { return __builtin_fma(a, b, c); }

// One column of C. (Rows side by side are no faster: the CPU finds those that follow by itself.)
template <class T, class I> void sparse_column(const SparseArgs &a) {
  int64_t p = index_at<I>(a.starts, 0);
  const char *value = a.values + p * a.value_step;
  for (int64_t i = 0; i < a.rows; ++i) {
    const int64_t end = index_at<I>(a.starts, i + 1);
    T total = 0;
    while (p < end) {
      const int64_t stop = end - p < fastla::kBlockLength ? end : p + fastla::kBlockLength;
      T s = 0;
      for (; p < stop; ++p, value += a.value_step)
        s = fma_one(load_scalar<T>(value),
                    load_scalar<T>(a.b + index_at<I>(a.indices, p) * a.b_stride), s);
      total += s;
    }
    store_scalar<T>(a.c + i * a.c_stride, total);
  }
}

template <class T, class I> void sparse_product(const SparseArgs &a) {
  static constexpr SparseWidths<T, I> widths;
  if (a.columns == 1) return sparse_column<T, I>(a);
  constexpr int64_t lanes = Simd<T>::lanes, most = kSparseVectors * lanes;
  for (int64_t j = 0; j < a.columns; j += most) {
    const int64_t elements = a.columns - j < most ? a.columns - j : most;
    widths.of[(elements + lanes - 1) / lanes](a, j * int64_t(sizeof(T)), elements);
  }
}
template <class T> void sparse(const SparseArgs &a) {
  a.index_bytes == 4 ? sparse_product<T, int32_t>(a) : sparse_product<T, int64_t>(a);
}

}  // namespace
