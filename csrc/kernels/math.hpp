// exp, log, tanh, erf, sigmoid and the activations of the epilogue, lane by lane.
//
// docs/functions.md defines every function as a sequence of IEEE operations (+ - * / and fma, round
// to nearest even), so the bits are the same at every vector width, in the tests' oracle and on a
// GPU. Nothing here compares floating-point numbers: magnitudes are ordered as integers, which
// raises no flag on NaN. Arguments are clamped before use, so a finite one raises neither invalid
// nor divide-by-zero, and overflow only where exp itself overflows.
#pragma once

#include "fastla/gemm.h"
#include "kernels/coefficients.hpp"
#include "kernels/vec.hpp"

namespace {

template <class T> struct Format;
template <> struct Format<float> {
  typedef uint32_t U __attribute__((vector_size(FASTLA_VECTOR_BYTES)));
  static constexpr int32_t infinity = 0x7f800000, quiet = 0x00400000;
  static constexpr int fraction_bits = 23, bias = 127;
  // x + magic rounds x to an integer, whose low bits are those of the sum (|x| < 2^21 or 2^50).
  static constexpr float magic = 0x1.8p23f;
  // Below tiny a function equals its first term; beyond its limit it is constant or rounds to zero.
  static constexpr float tiny = 0x1p-30f, exp_limit = 128, tanh_limit = 10, erf_limit = 4;
  static constexpr float gelu_limit = 14.5f, gelu_tanh_limit = 11, erf_split = 0.75f;
};
template <> struct Format<double> {
  typedef uint64_t U __attribute__((vector_size(FASTLA_VECTOR_BYTES)));
  static constexpr int64_t infinity = 0x7ff0000000000000, quiet = 0x0008000000000000;
  static constexpr int fraction_bits = 52, bias = 1023;
  static constexpr double magic = 0x1.8p52;
  static constexpr double tiny = 0x1p-60, exp_limit = 1024, tanh_limit = 20, erf_limit = 6;
  static constexpr double gelu_limit = 38.75, gelu_tanh_limit = 22, erf_split = 0.75;
};
template <class T> using UVec = typename Format<T>::U;
template <class T> using Int = typename Simd<T>::Int;

template <class T> FASTLA_INLINE UVec<T> unsigned_bits(Vec<T> v) { return (UVec<T>)v; }
template <class T> FASTLA_INLINE Vec<T> as_value(UVec<T> u) { return (Vec<T>)u; }
template <class T> FASTLA_INLINE IVec<T> is_negative(Vec<T> v) { return bits<T>(v) < 0; }
template <class T> FASTLA_INLINE IVec<T> is_nan(Vec<T> v) {
  return magnitude<T>(v) > Format<T>::infinity;
}
template <class T> FASTLA_INLINE Vec<T> with_sign_of(Vec<T> v, Vec<T> sign) {
  return from_bits<T>(bits<T>(v) | sign_bit<T>(sign));
}
template <class T> FASTLA_INLINE Vec<T> absolute(Vec<T> v) { return from_bits<T>(magnitude<T>(v)); }

// NaN lanes of y keep their payload, made quiet; the others take result. What was computed in a NaN
// lane came from a clamped argument.
template <class T> FASTLA_INLINE Vec<T> keep_nan(Vec<T> y, Vec<T> result) {
  return select<T>(is_nan<T>(y), from_bits<T>(bits<T>(y) | Format<T>::quiet), result);
}
// The smaller and the larger of two magnitudes; Inf and NaN are larger than any limit.
template <class T> FASTLA_INLINE Vec<T> at_most(Vec<T> m, T limit) {
  const Vec<T> l = splat<T>(limit);
  return select<T>(bits<T>(m) > bits<T>(l), l, m);
}
template <class T> FASTLA_INLINE Vec<T> at_least(Vec<T> m, T limit) {
  const Vec<T> l = splat<T>(limit);
  return select<T>(bits<T>(m) < bits<T>(l), l, m);
}

// c[0] + x (c[1] + x (c[2] + ...)), one fma per step.
template <class T, int N, int I = 0> FASTLA_INLINE Vec<T> horner(const T (&c)[N], Vec<T> x) {
  if constexpr (I == N - 1)
    return splat<T>(c[I]);
  else
    return fma(horner<T, N, I + 1>(c, x), x, splat<T>(c[I]));
}

// n magic-shifted, and its value: x = n log(2) + r.
template <class T> struct Reduced {
  UVec<T> shifted;  // the low bits are those of the integer n
  Vec<T> n;
};
template <class T> FASTLA_INLINE Reduced<T> nearest_power(Vec<T> factor, Vec<T> x) {
  const Vec<T> shifted = fma(factor, x, splat<T>(Format<T>::magic));
  return {unsigned_bits<T>(shifted), shifted - Format<T>::magic};
}
template <class T> FASTLA_INLINE Vec<T> expm1_near_zero(Vec<T> r) {
  const Vec<T> half = r * horner<T>(Coefficients<T>::exp, r);
  return fma(half, r, r);  // (r r) q instead would underflow before r does
}
// 2^n for the integer in the low bits of n.
template <class T> FASTLA_INLINE Vec<T> power_of_two(UVec<T> n) {
  return as_value<T>((n << Format<T>::fraction_bits) + unsigned_bits<T>(splat<T>(1)));
}

// c (1 + w) 2^n as head * tail, n outside the range of one exponent: head is a normal number and
// tail a power of two, so head * tail rounds at most once and overflows or underflows only where
// the value does.
template <class T> struct Scaled {
  Vec<T> head, tail;
};
template <class T> FASTLA_INLINE Scaled<T> scaled(Vec<T> c, Vec<T> w, UVec<T> shifted) {
  const UVec<T> half = shifted >> 1;  // floor(n / 2) in its low bits: magic is even
  c = c * power_of_two<T>(half);
  return {fma(c, w, c), power_of_two<T>(shifted - half)};
}
// exp(x) for a clamped x.
template <class T> FASTLA_INLINE Scaled<T> exp_parts(Vec<T> x) {
  using C = Coefficients<T>;
  const auto [shifted, n] = nearest_power<T>(splat<T>(C::log2_e), x);
  Vec<T> r = fma(n, splat<T>(-C::ln2_high), x);
  r = fma(n, splat<T>(-C::ln2_low), r);
  return scaled<T>(splat<T>(1), expm1_near_zero<T>(r), shifted);
}

template <class T> FASTLA_INLINE Vec<T> exp(Vec<T> y) {
  const IVec<T> finite = magnitude<T>(y) < Format<T>::infinity;
  const Vec<T> m = at_most<T>(from_bits<T>(magnitude<T>(y) & finite), Format<T>::exp_limit);
  const Scaled<T> e = exp_parts<T>(with_sign_of<T>(m, y));
  const Vec<T> at_infinity = from_bits<T>(bits<T>(y) & ~is_negative<T>(y));
  return keep_nan<T>(y, select<T>(finite, e.head * e.tail, at_infinity));
}

// log(0) = -Inf and log(negative) = NaN, both without a flag.
template <class T> FASTLA_INLINE Vec<T> log(Vec<T> y) {
  using C = Coefficients<T>;
  using F = Format<T>;
  constexpr int scale = F::fraction_bits + 2, bias = F::bias + 1;
  const IVec<T> y_bits = bits<T>(y), positive = (y_bits > 0) & (y_bits < F::infinity);
  const IVec<T> subnormal = positive & (y_bits < (Int<T>(1) << F::fraction_bits));
  const Vec<T> one = splat<T>(1), safe = select<T>(positive, y, one);
  const Vec<T> x = safe * select<T>(subnormal, splat<T>(T(Int<T>(1) << scale)), one);
  // x = 2^k (1 + f), 1 + f in [sqrt(1/2), sqrt(2)). The bias keeps the shifted integers positive.
  const UVec<T> offset = UVec<T>{} + bias;
  const UVec<T> u = unsigned_bits<T>(x), shifted_bias = offset << F::fraction_bits;
  const UVec<T> k_biased =
      (u - unsigned_bits<T>(splat<T>(C::sqrt_half)) + shifted_bias) >> F::fraction_bits;
  const Vec<T> f = as_value<T>(u - ((k_biased - offset) << F::fraction_bits)) - T(1);
  Vec<T> k = as_value<T>(k_biased + unsigned_bits<T>(splat<T>(F::magic))) - (F::magic + bias);
  k = k - select<T>(subnormal, splat<T>(scale), splat<T>(0));
  // log(1 + f) = f - f^2/2 + s (f^2/2 + s^2 L(s^2)) with s = f / (2 + f).
  const Vec<T> s = f / (f + T(2)), z = s * s, h = f * f * T(0.5);
  const Vec<T> low = fma(s, fma(z, horner<T>(C::log, z), h), k * C::ln2_low);
  const Vec<T> result = fma(k, splat<T>(C::ln2_high), f - (h - low));
  const Vec<T> undefined = from_bits<T>(IVec<T>{} + (F::infinity | F::quiet));
  const Vec<T> infinite = from_bits<T>(IVec<T>{} + F::infinity);
  const Vec<T> rest =
      select<T>(magnitude<T>(y) == 0, -infinite, select<T>(is_negative<T>(y), undefined, infinite));
  return keep_nan<T>(y, select<T>(positive, result, rest));
}

// expm1(2 |y|) / (expm1(2 |y|) + 2)
template <class T> FASTLA_INLINE Vec<T> tanh(Vec<T> y) {
  using C = Coefficients<T>;
  const Vec<T> a = at_most<T>(absolute<T>(y), Format<T>::tanh_limit) * T(2);
  const auto [shifted, n] = nearest_power<T>(splat<T>(C::log2_e), a);
  Vec<T> r = fma(n, splat<T>(-C::ln2_high), a);
  r = fma(n, splat<T>(-C::ln2_low), r);
  const Vec<T> power = power_of_two<T>(shifted);
  const Vec<T> t = fma(expm1_near_zero<T>(r), power, power - T(1));
  return keep_nan<T>(y, with_sign_of<T>(t / (t + T(2)), y));
}

// The normal distribution's lower tail Phi(-m) = exp(-m^2/2) G(m), for tiny <= m <= gelu_limit.
// m^2/2 meets n log(2) inside an fma, so its rounding never grows into the exponent.
template <class T> FASTLA_INLINE Scaled<T> normal_tail(Vec<T> m) {
  using C = Coefficients<T>;
  const Vec<T> minus_half = m * T(-0.5);
  const auto [shifted, n] = nearest_power<T>(minus_half * C::log2_e, m);
  Vec<T> r = fma(minus_half, m, n * -C::ln2_high);
  r = fma(n, splat<T>(-C::ln2_low), r);
  // G(m) = P(v) / (m + 4), v = (m - 4) / (m + 4) = 1 - 8 / (m + 4). m + 4 is d + rest exactly; both
  // quotients are corrected by their remainder, which saves 3 ulp around m = 0.
  const Vec<T> d = m + T(4), rest = m - (d - T(4)), t = T(1) / d, u = t * T(8);
  const Vec<T> error = fma(-t, rest, fma(-t, d, splat<T>(1)));
  const Vec<T> p = horner<T>(C::mills, fma(-u, error, T(1) - u)), quotient = p * t;
  const Vec<T> remainder = fma(-quotient, rest, fma(-quotient, d, p));
  const Vec<T> g = fma(t, remainder, quotient);
  return scaled<T>(g, expm1_near_zero<T>(r), shifted);
}

// x (1 + x^2 ...) up to erf_split, then 1 - 2 Phi(-sqrt(2) x).
template <class T> FASTLA_INLINE Vec<T> erf(Vec<T> y) {
  using C = Coefficients<T>;
  const Vec<T> m = at_most<T>(absolute<T>(y), Format<T>::erf_limit);
  const Vec<T> x = at_least<T>(m, Format<T>::tiny);
  const Vec<T> near = fma(m, horner<T>(C::erf, x * x), m);
  const Scaled<T> tail = normal_tail<T>(x * C::sqrt_2);
  const Vec<T> far = fma(tail.head * T(-2), tail.tail, splat<T>(1));
  const IVec<T> small = bits<T>(m) < bits<T>(splat<T>(Format<T>::erf_split));
  return keep_nan<T>(y, with_sign_of<T>(select<T>(small, near, far), y));
}

// 1 / (1 + exp(-y)) as head * tail, given exp(-|y|). Only the product can underflow, so that
// callers may multiply by y in between and keep all digits.
template <class T> FASTLA_INLINE Scaled<T> logistic(Vec<T> y, Scaled<T> e) {
  const IVec<T> negative = is_negative<T>(y);
  const Vec<T> one = splat<T>(1);
  return {select<T>(negative, e.head, one) / fma(e.head, e.tail, one),
          select<T>(negative, e.tail, one)};
}
// y, but -0 below -limit, where the result is -0: to find that by underflow takes the CPU a hundred cycles.
template <class T> FASTLA_INLINE Vec<T> from_below(Vec<T> y, T limit) {
  const IVec<T> beyond = is_negative<T>(y) & (magnitude<T>(y) > bits<T>(splat<T>(limit)));
  return select<T>(beyond, splat<T>(T(-0.0)), y);
}
template <class T> FASTLA_INLINE Scaled<T> sigmoid_parts(Vec<T> y) {
  return logistic<T>(y, exp_parts<T>(-at_most<T>(absolute<T>(y), Format<T>::exp_limit)));
}
template <class T> FASTLA_INLINE Vec<T> sigmoid(Vec<T> y) {
  const Scaled<T> s = sigmoid_parts<T>(y);
  return keep_nan<T>(y, s.head * s.tail);
}
template <class T> FASTLA_INLINE Vec<T> silu(Vec<T> y) {
  const Scaled<T> s = sigmoid_parts<T>(y);
  return keep_nan<T>(y, from_below<T>(y, Format<T>::exp_limit) * s.head * s.tail);
}

// y Phi(y), with Phi(y) = 1 - Phi(-y) where y is not negative: neither side cancels.
template <class T> FASTLA_INLINE Vec<T> gelu(Vec<T> y) {
  using F = Format<T>;
  const Vec<T> m = at_least<T>(at_most<T>(absolute<T>(y), F::gelu_limit), F::tiny);
  const Scaled<T> tail = normal_tail<T>(m);
  const IVec<T> negative = is_negative<T>(y);
  const Vec<T> one = splat<T>(1);
  const Vec<T> factor = select<T>(negative, tail.head, fma(-tail.head, tail.tail, one));
  const Vec<T> last = select<T>(negative, tail.tail, one);
  return keep_nan<T>(y, from_below<T>(y, F::gelu_limit) * factor * last);
}

// y sigmoid(2u), 2u = y (linear + cubic y^2): 0.5 (1 + tanh(u)) is sigmoid(2u). The absolute error of
// the exponent is the relative one of exp, so linear + cubic y^2 is kept as high + low.
template <class T> FASTLA_INLINE Vec<T> gelu_tanh(Vec<T> y) {
  using C = Coefficients<T>;
  using F = Format<T>;
  const Vec<T> m = at_least<T>(at_most<T>(absolute<T>(y), F::gelu_tanh_limit), F::tiny);
  const Vec<T> square = m * m, square_low = fma(m, m, -square), cubic = splat<T>(C::cubic_high);
  const Vec<T> high = fma(cubic, square, splat<T>(C::linear_high));
  // linear_high is short: linear_high - high is exact, and the next fma yields high's rounding error.
  Vec<T> low = fma(cubic, square, C::linear_high - high);
  low = fma(cubic, square_low, low);
  low = fma(splat<T>(C::cubic_low), square, low + C::linear_low);
  const auto [shifted, n] = nearest_power<T>(m * high, splat<T>(-C::log2_e));
  Vec<T> r = fma(-m, high, n * -C::ln2_high);
  r = fma(n, splat<T>(-C::ln2_low), r);
  r = fma(-m, low, r);
  const Scaled<T> s = logistic<T>(y, scaled<T>(splat<T>(1), expm1_near_zero<T>(r), shifted));
  return keep_nan<T>(y, from_below<T>(y, F::gelu_tanh_limit) * s.head * s.tail);
}

// +0 where the sign bit is set, NaN excepted.
template <class T> FASTLA_INLINE Vec<T> relu(Vec<T> y) {
  return from_bits<T>(bits<T>(y) & ~(is_negative<T>(y) & ~is_nan<T>(y)));
}

// use(the activation of that fastla_activation).
template <class T, class Use> FASTLA_INLINE void with_activation(int kind, Use use) {
  using V = Vec<T>;
  switch (kind) {
    case FASTLA_ACT_RELU:
      return use([](V y) FASTLA_LAMBDA { return relu<T>(y); });
    case FASTLA_ACT_GELU:
      return use([](V y) FASTLA_LAMBDA { return gelu<T>(y); });
    case FASTLA_ACT_GELU_TANH:
      return use([](V y) FASTLA_LAMBDA { return gelu_tanh<T>(y); });
    case FASTLA_ACT_SILU:
      return use([](V y) FASTLA_LAMBDA { return silu<T>(y); });
    case FASTLA_ACT_TANH:
      return use([](V y) FASTLA_LAMBDA { return tanh<T>(y); });
    case FASTLA_ACT_SIGMOID:
      return use([](V y) FASTLA_LAMBDA { return sigmoid<T>(y); });
    default:
      return use([](V y) FASTLA_LAMBDA { return y; });
  }
}

}  // namespace
