// float16: widened, exactly, while it is packed; summed as float32 is; rounded once, when a finished element is stored.
#pragma once
#include "kernels/vec.hpp"

namespace {

#if FASTLA_VECTOR_BYTES > 16
FASTLA_INLINE uint32_t bits_of_half(uint16_t h) {
  const __m128 f = _mm_cvtph_ps(_mm_cvtsi32_si128(h));
  return uint32_t(_mm_cvtsi128_si32(_mm_castps_si128(f)));
}
FASTLA_INLINE uint16_t half_of(float x) {
  return uint16_t(_mm_cvtsi128_si32(_mm_cvtps_ph(_mm_set_ss(x), _MM_FROUND_TO_NEAREST_INT)));
}
constexpr int kHalvesAtOnce = 8;
FASTLA_INLINE void widen_some(const char *p, char *out) {
  _mm256_storeu_ps(reinterpret_cast<float *>(out),
                   _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p))));
}
FASTLA_INLINE void round_some(const char *p, char *out) {
  const __m256 f = _mm256_loadu_ps(reinterpret_cast<const float *>(p));
  _mm_storeu_si128(reinterpret_cast<__m128i *>(out), _mm256_cvtps_ph(f, _MM_FROUND_TO_NEAREST_INT));
}
#else
FASTLA_INLINE uint32_t bits_of_half(uint16_t h) {
  const uint32_t sign = uint32_t(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3ff;
  if (exponent == 31) return sign | 0x7f800000 | fraction << 13;
  if (exponent) return sign | (exponent + 112) << 23 | fraction << 13;
  const float f = float(int(fraction)) * 0x1p-24f;  // exact
  uint32_t u;
  __builtin_memcpy(&u, &f, 4);
  return sign | u;
}
// The flags are those of arithmetic that does the like.
FASTLA_INLINE void raise_by_product(float x) {
  __asm__ volatile("" : "+m"(x));
  x *= x;
  __asm__ volatile("" : "+m"(x));
}
FASTLA_INLINE uint16_t half_of(float x) {
  uint32_t u;
  __builtin_memcpy(&u, &x, 4);
  const uint16_t sign = uint16_t(u >> 16 & 0x8000);
  const uint32_t magnitude = u & 0x7fffffff;
  if (magnitude > 0x7f800000) return uint16_t(sign | 0x7e00 | (magnitude >> 13 & 0x1ff));
  if (magnitude >= 0x477ff000) {  // 65520: rounds to 2^16
    if (magnitude < 0x7f800000) raise_by_product(0x1p100f);
    return uint16_t(sign | 0x7c00);
  }
  const int exponent = int(magnitude >> 23);
  const bool tiny = exponent < 113;  // below 2^-14
  const int drop = tiny ? 126 - exponent : 13;
  if (drop > 25) {
    if (magnitude) raise_by_product(0x1p-100f);
    return sign;
  }
  const uint32_t whole = tiny ? (magnitude & 0x7fffff) | 0x800000 : magnitude - (112u << 23);
  const uint32_t kept = whole >> drop, rest = whole & ((1u << drop) - 1), middle = 1u << (drop - 1);
  if (tiny && rest) raise_by_product(0x1p-100f);
  return uint16_t(sign | (kept + (rest > middle || (rest == middle && kept & 1))));
}
constexpr int kHalvesAtOnce = 1;
FASTLA_INLINE void widen_some(const char *p, char *out) {
  uint16_t h;
  __builtin_memcpy(&h, p, 2);
  const uint32_t u = bits_of_half(h);
  __builtin_memcpy(out, &u, 4);
}
FASTLA_INLINE void round_some(const char *p, char *out) {
  float x;
  __builtin_memcpy(&x, p, 4);
  const uint16_t h = half_of(x);
  __builtin_memcpy(out, &h, 2);
}
#endif

// Contiguous ones, nothing beyond them being read or written.
using Half16 = uint16_t;
template <class In> struct Halves;
template <> struct Halves<uint16_t> {
  static FASTLA_INLINE uint32_t bits(uint16_t h) { return bits_of_half(h); }
  static FASTLA_INLINE void widen(const char *p, int64_t n, uint32_t *out) {
    int64_t i = 0;
    for (; i + kHalvesAtOnce <= n; i += kHalvesAtOnce)
      widen_some(p + 2 * i, reinterpret_cast<char *>(out + i));
    for (; i < n; ++i) {
      uint16_t h;
      __builtin_memcpy(&h, p + 2 * i, 2);
      out[i] = bits_of_half(h);
    }
  }
};
FASTLA_INLINE void put_halves(const float *from, char *to, int64_t stride, int64_t n) {
  int64_t i = 0;
  if (stride == 2)
    for (; i + kHalvesAtOnce <= n; i += kHalvesAtOnce)
      round_some(reinterpret_cast<const char *>(from + i), to + 2 * i);
  for (; i < n; ++i) {
    const uint16_t h = half_of(from[i]);
    __builtin_memcpy(to + i * stride, &h, 2);
  }
}

struct Environment {  // as it is
  FASTLA_INLINE Environment() {}
  FASTLA_INLINE ~Environment() {}
};

}  // namespace
