// What softmax and attention have in common: the largest element of a row, and exponentials with their sum.
#pragma once
#include "kernels/derivatives.hpp"
#include "kernels/lanes16.hpp"

namespace {

// The larger of two; the second one if either is NaN.
template <class T> FASTLA_INLINE Vec<T> larger(Vec<T> v, Vec<T> m) {
#if FASTLA_VECTOR_BYTES == 64
  if constexpr (sizeof(T) == 4)
    return (Vec<T>)_mm512_maskz_max_ps(0xffff, (__m512)v, (__m512)m);
  else
    return (Vec<T>)_mm512_maskz_max_pd(0xff, (__m512d)v, (__m512d)m);
#elif FASTLA_VECTOR_BYTES == 32
  if constexpr (sizeof(T) == 4)
    return (Vec<T>)_mm256_max_ps((__m256)v, (__m256)m);
  else
    return (Vec<T>)_mm256_max_pd((__m256d)v, (__m256d)m);
#else
  return v > m ? v : m;
#endif
}

template <class T> FASTLA_INLINE T largest_of(const Lanes16<T> &most) {
  return most.fold([](auto a, auto b) FASTLA_LAMBDA { return b > a ? b : a; });
}
template <class T> FASTLA_INLINE T largest(const char *x, int64_t cols) {
  Lanes16<T> most(-infinity<T>());
  most.visit(cols, [&](Vec<T> &m, int64_t at, auto part)
                       FASTLA_LAMBDA { m = larger<T>(part.load(x + at, m), m); });
  return largest_of<T>(most);
}

// y = exp(x - m), or 2^(x - m), and their sum.
template <class T, bool base2 = false>
FASTLA_INLINE T exponentials(const char *x, char *y, int64_t cols, T m) {
  Lanes16<T> sum(0);
  sum.visit(cols, [&](Vec<T> &s, int64_t at, auto part) FASTLA_LAMBDA {
    const Vec<T> d = part.load(x + at, splat(-infinity<T>())) - m;
    const Vec<T> e = base2 ? exp2_of_negative<T>(d) : exp_of_negative<T>(d);
    part.store(y + at, e);
    s += e;
  });
  return sum.sum();
}

}  // namespace
