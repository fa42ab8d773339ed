// Elements of every dtype, one at a time and in either byte order, as what they are summed in: for the checks alone.
#pragma once
#include <stdint.h>

#include "fastla/gemm.h"

namespace fastla {

// A float16, a bfloat16 in memory.
struct Half {
  uint16_t bits;
};
struct Bfloat {
  uint16_t bits;
};
// Products of bfloat16 have no subnormal numbers.
inline float flushed(float x) {
  constexpr float least = 0x1p-126f;
  return x < least && x > -least ? x * 0 : x;
}

template <class E> inline E read_real(const char *p, bool swapped) {
  E x;
  if constexpr (sizeof(E) == 1) {
    __builtin_memcpy(&x, p, 1);
  } else if constexpr (sizeof(E) == 2) {
    uint16_t u;
    __builtin_memcpy(&u, p, 2);
    if (swapped) u = __builtin_bswap16(u);
    __builtin_memcpy(&x, &u, 2);
  } else if constexpr (sizeof(E) == 4) {
    uint32_t u;
    __builtin_memcpy(&u, p, 4);
    if (swapped) u = __builtin_bswap32(u);
    __builtin_memcpy(&x, &u, 4);
  } else {
    uint64_t u;
    __builtin_memcpy(&u, p, 8);
    if (swapped) u = __builtin_bswap64(u);
    __builtin_memcpy(&x, &u, 8);
  }
  return x;
}

template <class T, class E> inline T widened(E x) { return T(x); }
// Exact, without a branch: the exponent moved by a product, and what was infinite or no number kept so.
template <> inline float widened<float, Half>(Half x) {
  const uint32_t magnitude = uint32_t(x.bits & 0x7fff) << 13;
  float f;
  __builtin_memcpy(&f, &magnitude, 4);
  f *= 0x1p112f;
  uint32_t u;
  __builtin_memcpy(&u, &f, 4);
  u |= (magnitude >= 0x0f800000 ? 0x7f800000u : 0u) | uint32_t(x.bits & 0x8000) << 16;
  __builtin_memcpy(&f, &u, 4);
  return f;
}

template <> inline float widened<float, Bfloat>(Bfloat x) {
  const uint32_t bits = uint32_t(x.bits) << 16;
  float f;
  __builtin_memcpy(&f, &bits, 4);
  return flushed(f);
}

// The types behind a product: elements of A, B and C, what they are summed in, and how many of them make one element (a
// complex number: 2).
template <class A_, class B_, class C_, class T_, int parts_ = 1> struct Types {
  using A = A_;
  using B = B_;
  using C = C_;
  using T = T_;
  static constexpr int parts = parts_;
};

// body(Types<...>()) for a fastla_dtype. Of integers modulo 2^bits the sign does not matter.
template <class Body> fastla_status with_types(int32_t dtype, Body &&body) {
  using S = int8_t;
  using U = uint8_t;
  using W = uint32_t;
  switch (dtype) {
    case FASTLA_F16:
      return body(Types<Half, Half, Half, float>());
    case FASTLA_BF16:
      return body(Types<Bfloat, Bfloat, Bfloat, float>());
    case FASTLA_BF16_F32:
      return body(Types<Bfloat, Bfloat, float, float>());
    case FASTLA_F32:
      return body(Types<float, float, float, float>());
    case FASTLA_F64:
      return body(Types<double, double, double, double>());
    case FASTLA_C64:
      return body(Types<float, float, float, float, 2>());
    case FASTLA_C128:
      return body(Types<double, double, double, double, 2>());
    case FASTLA_I8:
      return body(Types<U, U, U, W>());
    case FASTLA_I16:
      return body(Types<uint16_t, uint16_t, uint16_t, W>());
    case FASTLA_I32:
      return body(Types<W, W, W, W>());
    case FASTLA_I64:
      return body(Types<uint64_t, uint64_t, uint64_t, uint64_t>());
    case FASTLA_S8_I32:
      return body(Types<S, S, W, W>());
    case FASTLA_U8_I32:
      return body(Types<U, U, W, W>());
    case FASTLA_S8U8_I32:
      return body(Types<S, U, W, W>());
    case FASTLA_U8S8_I32:
      return body(Types<U, S, W, W>());
    case FASTLA_S16_I32:
      return body(Types<int16_t, int16_t, W, W>());
    default:
      return FASTLA_INVALID;
  }
}

}  // namespace fastla
