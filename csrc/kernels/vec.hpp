// Portable SIMD: GCC/Clang vector extensions at the width of the instruction set that includes this file.
//
// FASTLA_VECTOR_BYTES is set by the shim (avx512.cpp, avx2.cpp, neon.cpp, generic.cpp). Only this file, part.hpp,
// quads.hpp, words.hpp, halves.hpp, bfloats.hpp, lanes16.hpp and exponentials.hpp name intrinsics. Everything sits in an
// anonymous namespace: a weak symbol compiled here for AVX-512 could replace the baseline's copy at link time and end in
// an illegal instruction on an older CPU.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifndef FASTLA_VECTOR_BYTES
#error "a kernel shim defines FASTLA_VECTOR_BYTES"
#endif
#if FASTLA_VECTOR_BYTES > 16
#include <immintrin.h>
#endif

#define FASTLA_INLINE inline __attribute__((always_inline))
#define FASTLA_LAMBDA __attribute__((always_inline))  // after a lambda's parameters
// The compiler must have the vector's value in a register here, and may not assume what it is; KEEP also
// stays where it stands.
#if defined(__x86_64__)
#define FASTLA_KEEP(v) __asm__ volatile("" : "+v"(v))
#define FASTLA_HOLD(v) __asm__("" : "+v"(v))
#else
#define FASTLA_KEEP(v) __asm__ volatile("" : "+w"(v))
#define FASTLA_HOLD(v) __asm__("" : "+w"(v))
#endif
// The same for a pointer: the compiler forgets how it was computed and keeps it instead.
#define FASTLA_HIDE(p) __asm__("" : "+r"(p))

namespace {

template <class T> struct Simd;
template <class T> constexpr bool kFloat = true;  // integers: words.hpp
#if defined(__AVX512VL__) || defined(__aarch64__)
constexpr bool kManyRegisters = true;
#else
constexpr bool kManyRegisters = false;
#endif
template <> struct Simd<float> {
  typedef float V __attribute__((vector_size(FASTLA_VECTOR_BYTES)));
  typedef int32_t I __attribute__((vector_size(FASTLA_VECTOR_BYTES)));
  typedef float Loose __attribute__((vector_size(FASTLA_VECTOR_BYTES), aligned(1), may_alias));
  typedef float Scalar __attribute__((aligned(1), may_alias));
  typedef int32_t Int;
  static constexpr int lanes = FASTLA_VECTOR_BYTES / 4;
};
template <> struct Simd<double> {
  typedef double V __attribute__((vector_size(FASTLA_VECTOR_BYTES)));
  typedef int64_t I __attribute__((vector_size(FASTLA_VECTOR_BYTES)));
  typedef double Loose __attribute__((vector_size(FASTLA_VECTOR_BYTES), aligned(1), may_alias));
  typedef double Scalar __attribute__((aligned(1), may_alias));
  typedef int64_t Int;
  static constexpr int lanes = FASTLA_VECTOR_BYTES / 8;
};
template <class T> using Vec = typename Simd<T>::V;   // lanes of T
template <class T> using IVec = typename Simd<T>::I;  // signed integers of the same width

// Loads and stores at any alignment; p counts in bytes so that struct fields and odd strides work too.
template <class T> FASTLA_INLINE Vec<T> load(const void *p) {
  return *static_cast<const typename Simd<T>::Loose *>(p);
}
template <class T> FASTLA_INLINE void store(void *p, Vec<T> v) {
  *static_cast<typename Simd<T>::Loose *>(p) = v;
}
template <class T> FASTLA_INLINE T load_scalar(const void *p) {
  return T(*static_cast<const typename Simd<T>::Scalar *>(p));
}
template <class T> FASTLA_INLINE void store_scalar(void *p, T x) {
  *static_cast<typename Simd<T>::Scalar *>(p) = x;
}
// x - 0 is x for every x, -0 and NaN included; compilers turn it into a broadcast.
template <class T> FASTLA_INLINE Vec<T> splat(T x) { return x - Vec<T>{}; }
template <class T> FASTLA_INLINE IVec<T> bits(Vec<T> v) { return (IVec<T>)v; }
template <class T> FASTLA_INLINE Vec<T> from_bits(IVec<T> v) { return (Vec<T>)v; }

// Half a vector from each of two places: the second instruction reads memory and needs no shuffle.
#if FASTLA_VECTOR_BYTES == 64
template <class T> FASTLA_INLINE Vec<T> load_halves(const char *low, const char *high) {
  const __m512d v = _mm512_castpd256_pd512(_mm256_loadu_pd(reinterpret_cast<const double *>(low)));
  // With a mask of all: GCC 12 warns that the other form's unused operand is not initialised.
  return (Vec<T>)_mm512_maskz_insertf64x4(
      0xff, v, _mm256_loadu_pd(reinterpret_cast<const double *>(high)), 1);
}
template <class T> FASTLA_INLINE void store_half(void *p, Vec<T> v, bool high) {
  const __m512d d = (__m512d)v;
  _mm256_storeu_pd(static_cast<double *>(p), high ? _mm512_maskz_extractf64x4_pd(0xff, d, 1)
                                                  : _mm512_maskz_extractf64x4_pd(0xff, d, 0));
}
#elif FASTLA_VECTOR_BYTES == 32
template <class T> FASTLA_INLINE Vec<T> load_halves(const char *low, const char *high) {
  const __m256d v = _mm256_castpd128_pd256(_mm_loadu_pd(reinterpret_cast<const double *>(low)));
  return (Vec<T>)_mm256_insertf128_pd(v, _mm_loadu_pd(reinterpret_cast<const double *>(high)), 1);
}
template <class T> FASTLA_INLINE void store_half(void *p, Vec<T> v, bool high) {
  const __m256d d = (__m256d)v;
  _mm_storeu_pd(static_cast<double *>(p),
                high ? _mm256_extractf128_pd(d, 1) : _mm256_castpd256_pd128(d));
}
#else
template <class T> FASTLA_INLINE void store_half(void *p, Vec<T> v, bool high) {
  const auto d = (typename Simd<double>::V)v;
  store_scalar<double>(p, d[high]);
}
#endif

// Within every 16 bytes: the first (second) halves of a and b, alternating by D elements.
template <class T, int D, bool second> FASTLA_INLINE Vec<T> interleave(Vec<T> a, Vec<T> b) {
  constexpr int lanes = Simd<T>::lanes, quad = 16 / sizeof(T);
  IVec<T> from;
  for (int i = 0; i < lanes; ++i) {
    const int in_quad = i % quad, pair = in_quad / (2 * D);
    from[i] = i - in_quad + (second ? quad / 2 : 0) + pair * D + in_quad % D +
              (in_quad / D % 2 ? lanes : 0);
  }
  return __builtin_shuffle(a, b, from);
}

// fma(a, b, c) = round(a b + c), once. kFused: by an instruction.
#if FASTLA_VECTOR_BYTES > 16 || defined(__ARM_FEATURE_FMA)
constexpr bool kFused = true;
#else
constexpr bool kFused = false;
#endif
#if FASTLA_VECTOR_BYTES == 64
FASTLA_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return _mm512_fmadd_ps(a, b, c);
}
FASTLA_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return _mm512_fmadd_pd(a, b, c);
}
FASTLA_INLINE Vec<float> sqrt(Vec<float> a) { return _mm512_sqrt_ps(a); }
FASTLA_INLINE Vec<double> sqrt(Vec<double> a) { return _mm512_sqrt_pd(a); }
#elif FASTLA_VECTOR_BYTES == 32
FASTLA_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return _mm256_fmadd_ps(a, b, c);
}
FASTLA_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return _mm256_fmadd_pd(a, b, c);
}
#elif defined(__ARM_FEATURE_FMA)
template <class V> FASTLA_INLINE V fma_lanes(V a, V b, V c) {
  for (size_t i = 0; i < sizeof(V) / sizeof(a[0]); ++i)
    c[i] = sizeof(a[0]) == 4 ? __builtin_fmaf(a[i], b[i], c[i]) : __builtin_fma(a[i], b[i], c[i]);
  return c;
}
FASTLA_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return fma_lanes(a, b, c);
}
FASTLA_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return fma_lanes(a, b, c);
}
#else
// No FMA hardware. float32: the product is exact in double; the sum is rounded to odd there, which makes
// the second rounding harmless (Boldo and Melquiond, 2008: 53 >= 2*24 + 2). Five times faster than fmaf().
FASTLA_INLINE float fma_scalar(float a, float b, float c) {
  const double p = static_cast<double>(a) * b, d = c;
  double s = p + d;
  uint64_t u;
  __builtin_memcpy(&u, &s, 8);
  if ((u >> 52 & 0x7ff) == 0x7ff) return static_cast<float>(s);  // Inf and NaN: no error term
  const double t = s - p;
  const double error = (p - (s - t)) + (d - t);  // exact (Knuth)
  if (error != 0 && (u & 1) == 0) {
    u += (error > 0) == (s > 0) ? 1 : -1;
    __builtin_memcpy(&s, &u, 8);
  }
  return static_cast<float>(s);
}
FASTLA_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  for (int i = 0; i < Simd<float>::lanes; ++i) c[i] = fma_scalar(a[i], b[i], c[i]);
  return c;
}
FASTLA_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  for (int i = 0; i < Simd<double>::lanes; ++i) c[i] = __builtin_fma(a[i], b[i], c[i]);
  return c;
}
#endif

// Half a vector, where it takes half the work: low_fma is fma of the lower halves.
#if FASTLA_VECTOR_BYTES == 64
constexpr bool kHalves = true;
template <class T> struct Half {  // of integers: not used
  using V = Vec<T>;
};
template <> struct Half<float> {
  using V = __m256;
};
template <> struct Half<double> {
  using V = __m256d;
};
// (GCC 12 warns that the cast uses something uninitialised.)
template <class H, class V> FASTLA_INLINE H low_half(V v) {
  H low;
  __builtin_memcpy(&low, &v, sizeof(low));
  return low;
}
FASTLA_INLINE __m256 low_fma(Vec<float> a, Vec<float> b, __m256 c) {
  return _mm256_fmadd_ps(low_half<__m256>(a), low_half<__m256>(b), c);
}
FASTLA_INLINE __m256d low_fma(Vec<double> a, Vec<double> b, __m256d c) {
  return _mm256_fmadd_pd(low_half<__m256d>(a), low_half<__m256d>(b), c);
}
template <class T> FASTLA_INLINE Vec<T> twice(typename Half<T>::V v) {
  return (Vec<T>)_mm512_maskz_broadcast_f64x4(0xff, (__m256d)v);
}
#else
constexpr bool kHalves = false;
template <class T> struct Half {
  using V = Vec<T>;
};
template <class V> FASTLA_INLINE V low_fma(V a, V b, V c) { return fma(a, b, c); }
template <class T> FASTLA_INLINE Vec<T> twice(Vec<T> v) { return v; }
#endif

// mask lanes are all ones or all zeros. Integer compares only: a floating-point compare of a NaN would
// raise the invalid flag, which belongs to the user's data.
template <class T> FASTLA_INLINE Vec<T> select(IVec<T> mask, Vec<T> yes, Vec<T> no) {
  return mask ? yes : no;
}
template <class T> FASTLA_INLINE IVec<T> magnitude(Vec<T> v) {
  constexpr int shift = sizeof(T) * 8 - 1;
  return bits<T>(v) & ~(IVec<T>{} + (typename Simd<T>::Int(1) << shift));
}
template <class T> FASTLA_INLINE IVec<T> sign_bit(Vec<T> v) {
  constexpr int shift = sizeof(T) * 8 - 1;
  return bits<T>(v) & (IVec<T>{} + (typename Simd<T>::Int(1) << shift));
}

}  // namespace
