// One product of two numbers: what everything around it costs is most of it.
#pragma once
#include "gemm/plan.hpp"

namespace fastla {

inline bool is_one_product(const GemmDesc &d) noexcept {
  return (d.m & d.n & d.k) == 1 && (d.m | d.n | d.k) == 1 && !d.batch_ndim && !d.epilogue &&
         !d.packed_b && !d.a.swapped && !d.b.swapped;
}

// A chain of one step is a product, rounded once; -0 becomes 0.
template <class T> void multiply_one(const void *a, const void *b, void *c) noexcept {
  T x, y;
  __builtin_memcpy(&x, a, sizeof(T));
  __builtin_memcpy(&y, b, sizeof(T));
  x = T(0) + x * y;
  __builtin_memcpy(c, &x, sizeof(T));
}
template <class T> void multiply_one_complex(const GemmDesc &d) noexcept {
  T x[2], y[2];
  __builtin_memcpy(x, d.a.data, sizeof(x));
  __builtin_memcpy(y, d.b.data, sizeof(y));
  if (d.flags & FASTLA_CONJ_A) x[1] = -x[1];
  if (d.flags & FASTLA_CONJ_B) y[1] = -y[1];
  const T rr = x[0] * y[0], ii = x[1] * y[1], ri = x[0] * y[1], ir = x[1] * y[0];
  // One after the other: as a vector, whose lanes GCC both adds and subtracts, Inf - Inf would raise invalid.
  volatile T re = T(0) + (rr - ii), im = T(0) + (ri + ir);
  const T product[2] = {re, im};
  __builtin_memcpy(d.c, product, sizeof(product));
}

// False: not of this dtype. The caller is in an FpScope.
inline bool compute_one_product(const GemmDesc &d) noexcept {
  if (!is_one_product(d)) return false;
  switch (d.dtype) {
    case FASTLA_F32:
      multiply_one<float>(d.a.data, d.b.data, d.c);
      return true;
    case FASTLA_F64:
      multiply_one<double>(d.a.data, d.b.data, d.c);
      return true;
    case FASTLA_C64:
      multiply_one_complex<float>(d);
      return true;
    case FASTLA_C128:
      multiply_one_complex<double>(d);
      return true;
    default:
      return false;
  }
}

}  // namespace fastla
