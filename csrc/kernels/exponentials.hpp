// What softmax and attention are made of: the largest element of a row, powers of 2, exponentials with their sum.
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

// 2^x for x <= 0, but +0 below the exponents of normal numbers. AVX-512 has instructions for the reduction and for the
// power, which give the same bits.
template <class T> FASTLA_INLINE Vec<T> exp2_of_negative(Vec<T> x) {
  constexpr T limit = sizeof(T) == 4 ? T(-125) : T(-1021);
  using C = Coefficients<T>;
#if FASTLA_VECTOR_BYTES == 64
  if constexpr (sizeof(T) == 4) {
    const __mmask16 normal = _mm512_cmp_ps_mask((__m512)x, (__m512)splat<T>(limit), _CMP_NLT_UQ);
    const Vec<T> r = (Vec<T>)_mm512_maskz_reduce_ps(0xffff, (__m512)x, 0), n = x - r;
    const Vec<T> p = fma(r, horner<T>(C::exp2, r), splat<T>(1));
    return (Vec<T>)_mm512_maskz_scalef_ps(normal, (__m512)p, (__m512)n);
  } else {
    const __mmask8 normal = _mm512_cmp_pd_mask((__m512d)x, (__m512d)splat<T>(limit), _CMP_NLT_UQ);
    const Vec<T> r = (Vec<T>)_mm512_maskz_reduce_pd(0xff, (__m512d)x, 0), n = x - r;
    const Vec<T> p = fma(r, horner<T>(C::exp2, r), splat<T>(1));
    return (Vec<T>)_mm512_maskz_scalef_pd(normal, (__m512d)p, (__m512d)n);
  }
#else
  const Vec<T> shifted = x + Format<T>::magic, r = x - (shifted - Format<T>::magic);
  const Vec<T> p = fma(r, horner<T>(C::exp2, r), splat<T>(1));
  const Vec<T> e = p * power_of_two<T>(unsigned_bits<T>(shifted));
  return x < limit ? Vec<T>{} : e;
#endif
}

// y = exp(x - m), and their sum.
template <class T> FASTLA_INLINE T exponentials(const char *x, char *y, int64_t cols, T m) {
  Lanes16<T> sum(0);
  sum.visit(cols, [&](Vec<T> &s, int64_t at, auto part) FASTLA_LAMBDA {
    const Vec<T> e = exp_of_negative<T>(part.load(x + at, splat(-infinity<T>())) - m);
    part.store(y + at, e);
    s += e;
  });
  return sum.sum();
}

}  // namespace
