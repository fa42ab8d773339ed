// Vectors made of quads, four elements each, from as many places; of each there may be a part only.
#pragma once
#include "kernels/vec.hpp"

namespace {

// A quad of float64 is more than the narrowest vectors hold.
template <class T> constexpr bool kHasQuads = Simd<T>::lanes >= 4;

#if FASTLA_VECTOR_BYTES > 16
#if defined(__AVX512VL__)
using QuadMask = __mmask8;
FASTLA_INLINE QuadMask first_of_quad(int count) { return QuadMask((1 << count) - 1); }
#else
using QuadMask = __m256i;  // four masks of 64 bits
FASTLA_INLINE QuadMask first_of_quad(int count) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_set_epi64x(3, 2, 1, 0));
}
FASTLA_INLINE __m128i narrow(QuadMask mask) {
  const __m256i even = _mm256_permutevar8x32_epi32(mask, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
  return _mm256_castsi256_si128(even);
}
#endif

// (Held before it is stored: GCC 12 makes one instruction of an extraction and a masked store, which faults where the
// mask is 0.)
template <class T> struct Quad;
template <> struct Quad<float> {
  __m128 v;
  static FASTLA_INLINE Quad whole(const char *p) {
    return {_mm_loadu_ps(reinterpret_cast<const float *>(p))};
  }
#if defined(__AVX512VL__)
  static FASTLA_INLINE Quad part(const char *p, QuadMask mask) {
    return {_mm_maskz_loadu_ps(mask, p)};
  }
  FASTLA_INLINE void store(char *p, QuadMask mask) const {
    __m128 x = v;
    FASTLA_HOLD(x);
    _mm_mask_storeu_ps(p, mask, x);
  }
#else
  static FASTLA_INLINE Quad part(const char *p, QuadMask mask) {
    return {_mm_maskload_ps(reinterpret_cast<const float *>(p), narrow(mask))};
  }
  FASTLA_INLINE void store(char *p, QuadMask mask) const {
    _mm_maskstore_ps(reinterpret_cast<float *>(p), narrow(mask), v);
  }
#endif
};
template <> struct Quad<double> {
  __m256d v;
  static FASTLA_INLINE Quad whole(const char *p) {
    return {_mm256_loadu_pd(reinterpret_cast<const double *>(p))};
  }
#if defined(__AVX512VL__)
  static FASTLA_INLINE Quad part(const char *p, QuadMask mask) {
    return {_mm256_maskz_loadu_pd(mask, p)};
  }
  FASTLA_INLINE void store(char *p, QuadMask mask) const {
    __m256d x = v;
    FASTLA_HOLD(x);
    _mm256_mask_storeu_pd(p, mask, x);
  }
#else
  static FASTLA_INLINE Quad part(const char *p, QuadMask mask) {
    return {_mm256_maskload_pd(reinterpret_cast<const double *>(p), mask)};
  }
  FASTLA_INLINE void store(char *p, QuadMask mask) const {
    _mm256_maskstore_pd(reinterpret_cast<double *>(p), mask, v);
  }
#endif
};

FASTLA_INLINE __m256 join_two(__m128 low, __m128 high) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1);
}
#if FASTLA_VECTOR_BYTES == 64
FASTLA_INLINE Vec<double> join_two(__m256d low, __m256d high) {
  // With a mask of all: GCC 12 warns that the other form's unused operand is not initialised.
  return _mm512_maskz_insertf64x4(0xff, _mm512_castpd256_pd512(low), high, 1);
}
template <class T> FASTLA_INLINE Vec<T> join_quads(const Quad<T> *quad) {
  if constexpr (sizeof(T) == 8)
    return join_two(quad[0].v, quad[1].v);
  else
    return (Vec<T>)join_two((__m256d)join_two(quad[0].v, quad[1].v),
                            (__m256d)join_two(quad[2].v, quad[3].v));
}
#else
template <class T> FASTLA_INLINE Vec<T> join_quads(const Quad<T> *quad) {
  if constexpr (sizeof(T) == 8)
    return quad[0].v;
  else
    return join_two(quad[0].v, quad[1].v);
}
#endif
// The same quad at all places.
template <class T> FASTLA_INLINE Vec<T> quad_everywhere(const char *p) {
#if FASTLA_VECTOR_BYTES == 64
  if constexpr (sizeof(T) == 4)
    return (Vec<T>)_mm512_maskz_broadcast_f32x4(0xffff, Quad<float>::whole(p).v);
  else
    return (Vec<T>)_mm512_maskz_broadcast_f64x4(0xff, Quad<double>::whole(p).v);
#else
  const Quad<T> quad = Quad<T>::whole(p);
  if constexpr (sizeof(T) == 4)
    return join_two(quad.v, quad.v);
  else
    return quad.v;
#endif
}
template <class T> FASTLA_INLINE Quad<T> quad_of(Vec<T> v, int q) {
  Quad<T> all[Simd<T>::lanes / 4];
  __builtin_memcpy(all, &v, sizeof(v));
  return all[q];
}
#else
struct QuadMask {
  int count;
};
FASTLA_INLINE QuadMask first_of_quad(int count) { return {count}; }
template <class T> struct Quad {
  Vec<T> v;
  static FASTLA_INLINE Quad whole(const char *p) { return {load<T>(p)}; }
  static FASTLA_INLINE Quad part(const char *p, QuadMask mask) {
    Vec<T> v{};
    for (int i = 0; i < mask.count; ++i) v[i] = load_scalar<T>(p + i * int64_t(sizeof(T)));
    return {v};
  }
  FASTLA_INLINE void store(char *p, QuadMask mask) const {
    for (int i = 0; i < mask.count; ++i) store_scalar<T>(p + i * int64_t(sizeof(T)), T(v[i]));
  }
};
template <class T> FASTLA_INLINE Vec<T> join_quads(const Quad<T> *quad) { return quad->v; }
template <class T> FASTLA_INLINE Vec<T> quad_everywhere(const char *p) { return load<T>(p); }
template <class T> FASTLA_INLINE Quad<T> quad_of(Vec<T> v, int) { return {v}; }
#endif

}  // namespace
