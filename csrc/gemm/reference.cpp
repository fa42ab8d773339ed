// docs/contract.md in plain loops: what the kernels are compared with, and nothing of theirs.
#include <math.h>

#include "fastla/verify.h"

#include "fastla/runtime.h"
#include "gemm/elements.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"

namespace fastla {
namespace {

constexpr int64_t kBlock = 512;  // of K; the contract's
constexpr int64_t kColumns =
    64;  // summed side by side, so that one chain does not wait for another

inline float fused(float x, float y, float z) { return fmaf(x, y, z); }

// Without subnormal numbers: a result that, rounded to 24 bits whatever its exponent, is below 2^-126 is 0. Rounded to odd
// first where it is near there (Boldo and Melquiond), and out of the way of float's exponents.
float flushed_sum(double product, float z, float usual) {
  if (!(fabsf(usual) < 0x1p-120f)) return usual;
  double sum = product + double(z);
  const double t = sum - product, error = (product - (sum - t)) + (double(z) - t);
  uint64_t bits;
  __builtin_memcpy(&bits, &sum, 8);
  if (error != 0 && (bits & 1) == 0) {
    bits += (error > 0) == (sum > 0) ? 1 : -1;
    __builtin_memcpy(&sum, &bits, 8);
  }
  const float scaled = float(sum * 0x1p100);
  return fabsf(scaled) < 0x1p-26f ? copysignf(0, scaled) : scaled * 0x1p-100f;
}
inline double fused(double x, double y, double z) { return fma(x, y, z); }
template <class T> inline T fused(T x, T y, T z) { return T(x * y + z); }  // modulo 2^bits

// To nearest, ties to even: in units of the last place of a float16.
Half rounded_to_half(float x) {
  const uint16_t sign = signbit(x) ? 0x8000 : 0;
  if (isnan(x)) return {uint16_t(sign | 0x7e00)};
  const float magnitude = fabsf(x);
  if (magnitude >= 65520) return {uint16_t(sign | 0x7c00)};
  int exponent = 0;
  frexpf(magnitude, &exponent);
  --exponent;  // magnitude = 1.f 2^exponent
  if (exponent < -14 || magnitude == 0) exponent = -14;
  const int units = int(rintf(ldexpf(magnitude, 10 - exponent)));  // 2048 at most
  // Below 2^-14 the units are the bits; from there on the leading one of 1024 is implied, and a carry raises the
  // exponent.
  return {uint16_t(sign | ((exponent + 14) * 1024 + units))};
}

Bfloat rounded_to_bfloat(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  if (isnan(x)) return {0x7fc0};
  const uint32_t up = bits & 0xffff, odd = bits >> 16 & 1;
  return {uint16_t((bits >> 16) + (up > 0x8000 || (up == 0x8000 && odd)))};
}

template <class C, class T> inline void put(char *p, T x) {
  C c;
  if constexpr (__is_same(C, Half)) {
    c = rounded_to_half(x);
  } else if constexpr (__is_same(C, Bfloat)) {
    c = rounded_to_bfloat(x);
  } else {
    c = C(x);
  }
  __builtin_memcpy(p, &c, sizeof(C));
}

// Columns [j0, j1) of row i.
template <class Y> void some_of_row(const GemmDesc &d, int64_t i, int64_t j0, int64_t j1) {
  using T = typename Y::T;
  constexpr int parts = Y::parts, chains = parts * parts;
  constexpr bool flushes = __is_same(typename Y::A, Bfloat);
  const auto step = [](T x, T y, T z) {
    if constexpr (flushes)
      return flushed_sum(double(x) * double(y), z, fused(x, y, z));
    else
      return fused(x, y, z);
  };
  const auto add = [](T x, T y) {
    if constexpr (flushes)
      return flushed_sum(double(x), y, x + y);
    else
      return T(x + y);
  };
  T total[kColumns][parts] = {}, sum[kColumns][chains];
  for (int64_t k0 = 0; k0 < d.k; k0 += kBlock) {
    __builtin_memset(sum, 0, sizeof(sum));
    for (int64_t p = k0; p < d.k && p < k0 + kBlock; ++p) {
      const char *at =
          static_cast<const char *>(d.a.data) + i * d.a.row_stride + p * d.a.col_stride;
      T a[parts];
      for (int q = 0; q < parts; ++q)
        a[q] =
            widened<T>(read_real<typename Y::A>(at + q * int(sizeof(typename Y::A)), d.a.swapped));
      const char *b =
          static_cast<const char *>(d.b.data) + p * d.b.row_stride + j0 * d.b.col_stride;
      for (int64_t j = 0; j < j1 - j0; ++j, b += d.b.col_stride)
        for (int q = 0; q < parts; ++q) {
          const T y =
              widened<T>(read_real<typename Y::B>(b + q * int(sizeof(typename Y::B)), d.b.swapped));
          for (int r = 0; r < parts; ++r)
            sum[j][r * parts + q] = step(a[r], y, sum[j][r * parts + q]);
        }
    }
    for (int64_t j = 0; j < j1 - j0; ++j)
      if constexpr (parts == 1) {
        total[j][0] = add(total[j][0], sum[j][0]);
      } else {
        const auto &[rr, ri, ir, ii] = sum[j];
        total[j][0] += rr - ii;
        total[j][1] += ri + ir;
      }
  }
  char *c = static_cast<char *>(d.c) + i * d.c_row_stride + j0 * d.c_col_stride;
  for (int64_t j = 0; j < j1 - j0; ++j, c += d.c_col_stride)
    for (int q = 0; q < parts; ++q)
      put<typename Y::C>(c + q * int(sizeof(typename Y::C)), total[j][q]);
}

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" fastla_status fastla_reference_gemm(const fastla_gemm_desc *desc) {
  if (!desc || desc->struct_size < sizeof(*desc) || desc->m < 0 || desc->n < 0 || desc->k < 0 ||
      desc->batch_ndim != 0 || desc->epilogue || desc->packed_b)
    return FASTLA_INVALID;
  const FpScope scope;
  return with_types(desc->dtype, [&](auto types) {
    const int64_t pieces = (desc->n + kColumns - 1) / kColumns;
    const int threads = desc->num_threads ? desc->num_threads : fastla_get_num_threads();
    if (pieces > 0 && desc->m > 0)
      parallel_for(desc->m * pieces, threads, [&](int64_t task, int) {
        const int64_t j0 = task % pieces * kColumns;
        const int64_t j1 = j0 + kColumns < desc->n ? j0 + kColumns : desc->n;
        some_of_row<decltype(types)>(*desc, task / pieces, j0, j1);
      });
    return FASTLA_OK;
  });
}
