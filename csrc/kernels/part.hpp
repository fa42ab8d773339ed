// A part of a vector, in memory.
#pragma once
#include "kernels/vec.hpp"

namespace {

// Up to `lanes` contiguous elements. Lanes beyond `count` repeat the last element, or hold others of its row that are
// given, so that they compute what a real element computes and raise no flag of their own; nothing beyond it is read or
// written.
template <class T> class Part {
 public:
  FASTLA_INLINE explicit Part(int64_t count) : count_(int(count)), mask_(first_lanes(int(count))) {}

  FASTLA_INLINE Vec<T> load(const char *p) const {
    return load(p, splat(load_scalar<T>(p + (count_ - 1) * int64_t(sizeof(T)))));
  }
#if defined(__AVX512VL__)
  // At half of the width too: AVX2's own masked stores are some 20 operations on Zen 4.
  FASTLA_INLINE Vec<T> load(const char *p, Vec<T> rest) const {
    constexpr int kind = FASTLA_VECTOR_BYTES + sizeof(T);
    if constexpr (kind == 32 + 4) return (Vec<T>)_mm256_mask_loadu_ps((__m256)rest, mask_, p);
    if constexpr (kind == 32 + 8) return (Vec<T>)_mm256_mask_loadu_pd((__m256d)rest, mask_, p);
    if constexpr (kind == 64 + 4) return (Vec<T>)_mm512_mask_loadu_ps((__m512)rest, mask_, p);
    if constexpr (kind == 64 + 8) return (Vec<T>)_mm512_mask_loadu_pd((__m512d)rest, mask_, p);
  }
  FASTLA_INLINE void store(char *p, Vec<T> v) const {
    constexpr int kind = FASTLA_VECTOR_BYTES + sizeof(T);
    if constexpr (kind == 32 + 4) _mm256_mask_storeu_ps(p, mask_, (__m256)v);
    if constexpr (kind == 32 + 8) _mm256_mask_storeu_pd(p, mask_, (__m256d)v);
    if constexpr (kind == 64 + 4) _mm512_mask_storeu_ps(p, mask_, (__m512)v);
    if constexpr (kind == 64 + 8) _mm512_mask_storeu_pd(p, mask_, (__m512d)v);
  }

 private:
  using Mask = __mmask16;  // the lower lanes
  static FASTLA_INLINE Mask first_lanes(int count) { return Mask((1u << count) - 1); }
#elif FASTLA_VECTOR_BYTES == 32
  FASTLA_INLINE Vec<T> load(const char *p, Vec<T> rest) const {
    if constexpr (sizeof(T) == 4)
      return select<T>(
          mask_, (Vec<T>)_mm256_maskload_ps(reinterpret_cast<const float *>(p), (__m256i)mask_),
          rest);
    else
      return select<T>(
          mask_, (Vec<T>)_mm256_maskload_pd(reinterpret_cast<const double *>(p), (__m256i)mask_),
          rest);
  }
  FASTLA_INLINE void store(char *p, Vec<T> v) const {
    if constexpr (sizeof(T) == 4)
      _mm256_maskstore_ps(reinterpret_cast<float *>(p), (__m256i)mask_, (__m256)v);
    else
      _mm256_maskstore_pd(reinterpret_cast<double *>(p), (__m256i)mask_, (__m256d)v);
  }

 private:
  using Mask = IVec<T>;
  static FASTLA_INLINE Mask first_lanes(int count) {
    Mask lane;
    for (int i = 0; i < Simd<T>::lanes; ++i) lane[i] = i;
    return lane < count;
  }
#else
  FASTLA_INLINE Vec<T> load(const char *p, Vec<T> rest) const {
    for (int i = 0; i < count_; ++i) rest[i] = load_scalar<T>(p + i * int64_t(sizeof(T)));
    return rest;
  }
  FASTLA_INLINE void store(char *p, Vec<T> v) const {
    for (int i = 0; i < count_; ++i) store_scalar<T>(p + i * int64_t(sizeof(T)), T(v[i]));
  }

 private:
  struct Mask {};
  static FASTLA_INLINE Mask first_lanes(int) { return {}; }
#endif
  int count_;
  Mask mask_;
};

}  // namespace
