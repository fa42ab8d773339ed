// Rows of any length: a vector after the other, and reductions in sixteen virtual lanes, whatever the vector's width.
#pragma once
#include "kernels/part.hpp"
#include "kernels/vec.hpp"
#if FASTLA_VECTOR_BYTES > 16
#include <immintrin.h>
#endif

namespace {

template <class T> constexpr T infinity() { return T(__builtin_inff()); }

// A whole vector, with a Part's interface.
template <class T> struct Whole {
  FASTLA_INLINE Vec<T> load(const char *p, Vec<T>) const { return ::load<T>(p); }
  FASTLA_INLINE void store(char *p, Vec<T> v) const { ::store<T>(p, v); }
};

// body(offset in bytes, part) for each vector of a row.
template <class T, class Vector = Whole<T>, class Body>
FASTLA_INLINE void each_vector(int64_t cols, Body body) {
  constexpr int64_t lanes = Simd<T>::lanes;
  int64_t j = 0;
  for (; j + lanes <= cols; j += lanes) body(j * int64_t(sizeof(T)), Vector());
  if (j < cols) body(j * int64_t(sizeof(T)), Part<T>(cols - j));
}

// A whole vector that is stored past the caches, where there is an instruction: memory does not send its lines first.
template <class T> struct Streamed : Whole<T> {
#if FASTLA_VECTOR_BYTES == 64
  FASTLA_INLINE void store(char *p, Vec<T> v) const { _mm512_stream_pd((double *)p, (__m512d)v); }
#elif FASTLA_VECTOR_BYTES == 32
  FASTLA_INLINE void store(char *p, Vec<T> v) const { _mm256_stream_pd((double *)p, (__m256d)v); }
#endif
};
// Bytes of a row ahead of its first aligned vector; all of them where its elements are not aligned themselves.
template <class T> FASTLA_INLINE int64_t before_aligned(const char *row, int64_t cols) {
  const int64_t size = sizeof(T), bytes = -intptr_t(row) & (FASTLA_VECTOR_BYTES - 1);
  return bytes % size == 0 && bytes < cols * size ? bytes : cols * size;
}
// The same for a row that nobody reads soon: its vectors begin where they are aligned.
template <class T, class Body>
FASTLA_INLINE void each_vector_of(const char *to, bool far, int64_t cols, Body body) {
  const int64_t size = sizeof(T), first = far ? before_aligned<T>(to, cols) : cols * size;
  if (first == cols * size) return each_vector<T>(cols, body);
  if (first) body(0, Part<T>(first / size));
  each_vector<T, Streamed<T>>(cols - first / size,
                              [&](int64_t at, auto part) FASTLA_LAMBDA { body(first + at, part); });
}

// The lowest lane whose mask is set; the number of lanes if there is none.
template <class T> FASTLA_INLINE int first_lane(IVec<T> mask) {
  constexpr int lanes = Simd<T>::lanes;
#if FASTLA_VECTOR_BYTES == 64
  const unsigned set = sizeof(T) == 4 ? unsigned(_mm512_movepi32_mask((__m512i)mask))
                                      : unsigned(_mm512_movepi64_mask((__m512i)mask));
  return set ? __builtin_ctz(set) : lanes;
#elif FASTLA_VECTOR_BYTES == 32
  const int set =
      sizeof(T) == 4 ? _mm256_movemask_ps((__m256)mask) : _mm256_movemask_pd((__m256d)mask);
  return set ? __builtin_ctz(unsigned(set)) : lanes;
#else
  int l = 0;
  while (l < lanes && !mask[l]) ++l;
  return l;
#endif
}

// Square roots. At full width with a mask of all: GCC 12 warns that the other form's operand is not initialised.
template <class T> FASTLA_INLINE Vec<T> roots(Vec<T> v) {
#if FASTLA_VECTOR_BYTES == 64
  if constexpr (sizeof(T) == 4)
    return (Vec<T>)_mm512_maskz_sqrt_ps(0xffff, (__m512)v);
  else
    return (Vec<T>)_mm512_maskz_sqrt_pd(0xff, (__m512d)v);
#elif FASTLA_VECTOR_BYTES == 32
  if constexpr (sizeof(T) == 4)
    return (Vec<T>)_mm256_sqrt_ps((__m256)v);
  else
    return (Vec<T>)_mm256_sqrt_pd((__m256d)v);
#else
  for (int i = 0; i < Simd<T>::lanes; ++i)
    v[i] = sizeof(T) == 4 ? T(__builtin_sqrtf(float(v[i]))) : T(__builtin_sqrt(double(v[i])));
  return v;
#endif
}

// Of sixteen lanes: l with l + 8, then + 4, + 2, + 1. join is for vectors of any length and for numbers.
template <int half, class T, class Join> FASTLA_INLINE void join_halves(T *x, Join join) {
  constexpr int width = half * int(sizeof(T)) < FASTLA_VECTOR_BYTES ? half : Simd<T>::lanes;
  typedef T V __attribute__((vector_size(width * sizeof(T)), aligned(1), may_alias));
#pragma GCC unroll 8
  for (int l = 0; l < half; l += width) {
    V *const to = reinterpret_cast<V *>(x + l);
    *to = join(*to, *reinterpret_cast<const V *>(x + l + half));
  }
}
template <class T, class Join> FASTLA_INLINE T fold16(const Vec<T> *v, Join join) {
  constexpr int lanes = Simd<T>::lanes;
  T x[16];
#pragma GCC unroll 8
  for (int n = 0; n < 16 / lanes; ++n) store<T>(x + n * lanes, v[n]);
  join_halves<8>(x, join);
  join_halves<4>(x, join);
  join_halves<2>(x, join);
  return join(x[0], x[1]);
}

template <class T> class Lanes16 {
 public:
  FASTLA_INLINE explicit Lanes16(T start) {
#pragma GCC unroll 8
    for (auto &v : v_) v = splat(start);
  }
  // body(lanes, offset in bytes, part): element e goes to lane e mod 16. Lanes that have no element are whatever body
  // makes of the load's second argument.
  template <class Body> FASTLA_INLINE void visit(int64_t cols, Body body) {
    each_group(cols, [&](int n, int64_t at, auto part) FASTLA_LAMBDA { body(v_[n], at, part); });
  }
  template <class Body> FASTLA_INLINE void visit(int64_t cols, Lanes16 &other, Body body) {
    each_group(cols, [&](int n, int64_t at, auto part)
                         FASTLA_LAMBDA { body(v_[n], other.v_[n], at, part); });
  }
  template <class Join> FASTLA_INLINE T fold(Join join) const { return fold16<T>(v_, join); }
  FASTLA_INLINE T sum() const {
    return fold([](auto a, auto b) FASTLA_LAMBDA { return a + b; });
  }

 private:
  static constexpr int lanes = Simd<T>::lanes, vectors = 16 / lanes;
  template <class Body> static FASTLA_INLINE void each_group(int64_t cols, Body body) {
    constexpr int64_t bytes = FASTLA_VECTOR_BYTES;
    int64_t j = 0;
    for (; j + 16 <= cols; j += 16)
#pragma GCC unroll 8
      for (int n = 0; n < vectors; ++n) body(n, j * int64_t(sizeof(T)) + n * bytes, Whole<T>());
    if (j == cols) return;
#pragma GCC unroll 8
    for (int n = 0; n < vectors; ++n) {
      const int64_t left = cols - j - n * lanes, at = j * int64_t(sizeof(T)) + n * bytes;
      if (left >= lanes)
        body(n, at, Whole<T>());
      else if (left > 0)
        body(n, at, Part<T>(left));
    }
  }
  Vec<T> v_[vectors];
};

// The same of some rows side by side, whose chains hide each other's latency. Their columns are a multiple of 16.
template <class T, int rows> class Rows16 {
 public:
  FASTLA_INLINE explicit Rows16(T start) {
#pragma GCC unroll 16
    for (auto &v : v_) v = splat(start);
  }
  // body(lanes, row, offset in bytes)
  template <class Body> FASTLA_INLINE void visit(int64_t cols, Body body) {
    for (int64_t at = 0; at < cols * int64_t(sizeof(T)); at += 16 * sizeof(T))
#pragma GCC unroll 8
      for (int n = 0; n < vectors; ++n)
#pragma GCC unroll 4
        for (int row = 0; row < rows; ++row)
          body(v_[row * vectors + n], row, at + n * FASTLA_VECTOR_BYTES);
  }
  template <class Join> FASTLA_INLINE void fold(T *to, Join join) const {
    if constexpr (vectors == 1 && rows == 4) {
      const Vec<T> four = meet<4>(meet<8>(v_[0], v_[1], join), meet<8>(v_[2], v_[3], join), join);
      const Vec<T> two = meet<2>(four, four, join), one = meet<1>(two, two, join);
#pragma GCC unroll 4
      for (int row = 0; row < rows; ++row) to[row] = one[row];
    } else {
#pragma GCC unroll 4
      for (int row = 0; row < rows; ++row) to[row] = fold16<T>(v_ + row * vectors, join);
    }
  }

 private:
  static constexpr int vectors = 16 / Simd<T>::lanes;
  // Of a's lanes and then b's, each group of 2 D: its two halves.
  template <int D, class Join> static FASTLA_INLINE Vec<T> meet(Vec<T> a, Vec<T> b, Join join) {
    IVec<T> low;
    for (int l = 0; l < Simd<T>::lanes; ++l) low[l] = l / D * 2 * D + l % D;
    return join(__builtin_shuffle(a, b, low), __builtin_shuffle(a, b, low + D));
  }
  Vec<T> v_[rows * vectors];
};

template <class T> FASTLA_INLINE T row_sum(const char *x, int64_t cols) {
  Lanes16<T> sums(0);
  sums.visit(cols, [&](Vec<T> &s, int64_t at, auto part)
                       FASTLA_LAMBDA { s += part.load(x + at, Vec<T>{}); });
  return sums.sum();
}
template <class T> FASTLA_INLINE T row_dot(const char *x, const char *y, int64_t cols) {
  Lanes16<T> sums(0);
  sums.visit(cols, [&](Vec<T> &s, int64_t at, auto part) FASTLA_LAMBDA {
    s = fma(part.load(x + at, Vec<T>{}), part.load(y + at, Vec<T>{}), s);
  });
  return sums.sum();
}

}  // namespace
