// Integers in vectors. A chain's lane has 32 or 64 bits and computes modulo 2^32 or 2^64; its operands are words: one
// element, or two or four consecutive steps of a row of A or a column of B, whose products one instruction adds.
#pragma once
#include "kernels/tile.hpp"
#include "kernels/vec.hpp"

#if FASTLA_VECTOR_BYTES == 16 && defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace {

enum Pair : uint32_t {};   // two of 16 bits, signed
enum QuadS : uint32_t {};  // four of 8 bits, A's signed and B's unsigned
enum QuadU : uint32_t {};  // A's unsigned and B's signed

template <class Lane> struct SimdOfIntegers {
  typedef Lane V __attribute__((vector_size(FASTLA_VECTOR_BYTES)));
  typedef Lane I __attribute__((vector_size(FASTLA_VECTOR_BYTES)));
  typedef Lane Loose __attribute__((vector_size(FASTLA_VECTOR_BYTES), aligned(1), may_alias));
  typedef Lane Scalar __attribute__((aligned(1), may_alias));
  typedef Lane Int;
  static constexpr int lanes = FASTLA_VECTOR_BYTES / sizeof(Lane);
};
template <> struct Simd<uint32_t> : SimdOfIntegers<uint32_t> {};
template <> struct Simd<uint64_t> : SimdOfIntegers<uint64_t> {};
template <> struct Simd<Pair> : SimdOfIntegers<uint32_t> {};
template <> struct Simd<QuadS> : SimdOfIntegers<uint32_t> {};
template <> struct Simd<QuadU> : SimdOfIntegers<uint32_t> {};
template <> constexpr bool kFloat<uint32_t> = false;
template <> constexpr bool kFloat<uint64_t> = false;
template <> constexpr bool kFloat<Pair> = false;
template <> constexpr bool kFloat<QuadS> = false;
template <> constexpr bool kFloat<QuadU> = false;

using Words32 = Vec<uint32_t>;
FASTLA_INLINE Words32 splat(Pair x) { return splat(uint32_t(x)); }
FASTLA_INLINE Words32 splat(QuadS x) { return splat(uint32_t(x)); }
FASTLA_INLINE Words32 splat(QuadU x) { return splat(uint32_t(x)); }

template <class T> struct ChainOfTwo {
  static constexpr bool apart = kManyRegisters;
  static FASTLA_INLINE Vec<T> product(Vec<T> a, Vec<T> b) { return a * b; }
  static FASTLA_INLINE Vec<T> add(Vec<T> a, Vec<T> b, Vec<T> c) {
    return Chain<T>::product(a, b) + c;
  }
};
template <> struct Chain<uint32_t> : ChainOfTwo<uint32_t> {};
template <> struct Chain<uint64_t> : ChainOfTwo<uint64_t> {};

// The one sum of two products that 32 signed bits cannot hold, of four times -2^15, is right modulo 2^32.
#if defined(__AVX512VNNI__)
template <> struct Chain<Pair> {
  static constexpr bool apart = false;
  static FASTLA_INLINE Words32 add(Words32 a, Words32 b, Words32 c) {
    return (Words32)_mm512_dpwssd_epi32((__m512i)c, (__m512i)a, (__m512i)b);
  }
};
#else
template <> struct Chain<Pair> : ChainOfTwo<Pair> {
  static FASTLA_INLINE Words32 product(Words32 a, Words32 b) {
#if FASTLA_VECTOR_BYTES == 64
    return (Words32)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif FASTLA_VECTOR_BYTES == 32
    return (Words32)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (Words32)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
    typedef int32_t Signed __attribute__((vector_size(FASTLA_VECTOR_BYTES)));
    const auto low = [](Words32 x) { return (Words32)((Signed)(x << 16) >> 16); };
    const auto high = [](Words32 x) { return (Words32)((Signed)x >> 16); };
    return low(a) * low(b) + high(a) * high(b);
#endif
  }
};
#endif

#if defined(__AVX512VNNI__)
template <> struct Chain<QuadS> {
  static constexpr bool apart = false;
  static FASTLA_INLINE Words32 add(Words32 a, Words32 b, Words32 c) {
    return (Words32)_mm512_dpbusd_epi32((__m512i)c, (__m512i)b, (__m512i)a);
  }
};
template <> struct Chain<QuadU> {
  static constexpr bool apart = false;
  static FASTLA_INLINE Words32 add(Words32 a, Words32 b, Words32 c) {
    return (Words32)_mm512_dpbusd_epi32((__m512i)c, (__m512i)a, (__m512i)b);
  }
};
template <> constexpr bool kRowStarts<QuadS> = true;
template <> constexpr bool kRowStarts<QuadU> = true;
#endif

}  // namespace
