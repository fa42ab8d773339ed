// log, tanh, sigmoid and the activations of the epilogue, lane by lane.
//
// docs/functions.md defines every function as a sequence of IEEE operations (+ - * / and fma, round
// to nearest even), so the bits are the same at every vector width, in the tests' oracle and on a
// GPU. Nothing here compares floating-point numbers: magnitudes are ordered as integers, which
// raises no flag on NaN. What lies beyond a function's limit is replaced before use, so a finite
// argument raises neither invalid, nor divide-by-zero, nor overflow.
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
  // Below tiny a function equals its first term; from its limit on it is constant, or y where y is positive.
  static constexpr float tiny = 0x1p-30f, exp_limit = 87, tanh_limit = 10;
  static constexpr float gelu_limit = 13.125f, gelu_tanh_limit = 9.9375f;
};
template <> struct Format<double> {
  typedef uint64_t U __attribute__((vector_size(FASTLA_VECTOR_BYTES)));
  static constexpr int64_t infinity = 0x7ff0000000000000, quiet = 0x0008000000000000;
  static constexpr int fraction_bits = 52, bias = 1023;
  static constexpr double magic = 0x1.8p52;
  static constexpr double tiny = 0x1p-60, exp_limit = 708, tanh_limit = 20;
  static constexpr double gelu_limit = 37.5, gelu_tanh_limit = 21.125;
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

// NaN lanes of y keep their payload, made quiet; the others take result.
template <class T> FASTLA_INLINE Vec<T> keep_nan(Vec<T> y, Vec<T> result) {
  return select<T>(is_nan<T>(y), from_bits<T>(bits<T>(y) | Format<T>::quiet), result);
}
// The smaller and the larger of two magnitudes; Inf and NaN are larger than any limit.
template <class T> FASTLA_INLINE Vec<T> at_most(Vec<T> m, T limit) {
  const IVec<T> a = bits<T>(m), l = bits<T>(splat<T>(limit));
  return from_bits<T>(a < l ? a : l);
}
template <class T> FASTLA_INLINE Vec<T> at_least(Vec<T> m, T limit) {
  const IVec<T> a = bits<T>(m), l = bits<T>(splat<T>(limit));
  return from_bits<T>(a > l ? a : l);
}
// |y|, but +0 from the limit on and of NaN.
template <class T> FASTLA_INLINE Vec<T> within(Vec<T> y, T limit) {
  const IVec<T> m = magnitude<T>(y);
  return from_bits<T>(m & (m < bits<T>(splat<T>(limit))));
}
// y, but -0 where its sign bit is set (as unsigned integers, negative numbers come after -0).
template <class T> FASTLA_INLINE Vec<T> not_negative(Vec<T> y) {
  const UVec<T> u = unsigned_bits<T>(y), zero = unsigned_bits<T>(splat<T>(T(-0.0)));
  return as_value<T>(u < zero ? u : zero);
}

// c[first] + x (c[first + step] + x (c[first + 2 step] + ...)), one fma per step.
template <class T, int N, int first = 0, int step = 1>
FASTLA_INLINE Vec<T> horner(const T (&c)[N], Vec<T> x) {
  if constexpr (first + step >= N)
    return splat<T>(c[first]);
  else
    return fma(horner<T, N, first + step, step>(c, x), x, splat<T>(c[first]));
}

// The same polynomial, of x and its square: fewer roundings, one after the other, where x is large.
template <class T, int N>
FASTLA_INLINE Vec<T> by_squares(const T (&c)[N], Vec<T> x, Vec<T> square) {
  return fma(horner<T, N, 1, 2>(c, square), x, horner<T, N, 0, 2>(c, square));
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
template <class T> FASTLA_INLINE Vec<T> without_powers(Vec<T> x, Vec<T> n) {
  using C = Coefficients<T>;
  return fma(n, splat<T>(-C::ln2_low), fma(n, splat<T>(-C::ln2_high), x));
}
// (exp(x / divisor) - 1) / x as a polynomial: the divisor, a power of two, rounds nothing.
template <class T, int divisor> struct ExpSeries {
  static constexpr int terms = sizeof(Coefficients<T>::exp) / sizeof(T);
  T c[terms];
  constexpr ExpSeries() : c{} {
    T factor = 1;
    for (int i = 0; i < terms; ++i) c[i] = Coefficients<T>::exp[i] * (factor /= divisor);
  }
};
// exp(x / divisor) for |x / divisor| <= log(2) / 2, and that less 1.
template <class T, int divisor> FASTLA_INLINE Vec<T> exp_slope(Vec<T> x) {
  constexpr ExpSeries<T, divisor> series;
  return horner<T>(series.c, x);
}
template <class T, int divisor = 1> FASTLA_INLINE Vec<T> exp_near_zero(Vec<T> x) {
  return fma(x, exp_slope<T, divisor>(x), splat<T>(1));
}
template <class T, int divisor> FASTLA_INLINE Vec<T> expm1_near_zero(Vec<T> x) {
  return x * exp_slope<T, divisor>(x);
}
// 2^n for the integer in the low bits of n.
template <class T> FASTLA_INLINE Vec<T> power_of_two(UVec<T> n) {
  return as_value<T>((n << Format<T>::fraction_bits) + unsigned_bits<T>(splat<T>(1)));
}
// x 2^n, where both are normal numbers or n is 0.
template <class T> FASTLA_INLINE Vec<T> scaled(Vec<T> x, UVec<T> n) {
  return as_value<T>(unsigned_bits<T>(x) + (n << Format<T>::fraction_bits));
}
// exp(-m) for 0 <= m <= exp_limit.
template <class T> FASTLA_INLINE Vec<T> exp_of_minus(Vec<T> m) {
  const auto [shifted, n] = nearest_power<T>(splat<T>(Coefficients<T>::log2_e), m);
  return scaled<T>(exp_near_zero<T, -1>(without_powers<T>(m, n)), -shifted);
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
  const Vec<T> r = without_powers<T>(a, n), power = power_of_two<T>(shifted);
  const Vec<T> expm1 = fma(r * horner<T, sizeof(C::exp) / sizeof(T), 1>(C::exp, r), r, r);
  const Vec<T> t = fma(expm1, power, power - T(1));
  return keep_nan<T>(y, with_sign_of<T>(t / (t + T(2)), y));
}

// The tail of the normal distribution: Phi(-x) = bell(x) numerator(x) / denominator(x), bell(x) = exp(-x^2/2), for
// tiny <= x <= gelu_limit. x^2 meets n log(2) inside an fma, so its rounding never grows into the exponent. bell is
// (1 + fraction) 2^-n.
template <class T> struct Bell {
  Vec<T> fraction;
  UVec<T> shifted;  // of n
};
template <class T> FASTLA_INLINE Bell<T> bell(Vec<T> x) {
  using C = Coefficients<T>;
  const auto [shifted, n] = nearest_power<T>(x * (C::log2_e / 2), x);
  const Vec<T> w = fma(n, splat<T>(-2 * C::ln2_low), fma(x, x, n * (-2 * C::ln2_high)));
  return {expm1_near_zero<T, -2>(w), shifted};
}

// y (1 - tail) where y is not negative, y tail where it is: neither side cancels. m is |y|, tail what y loses, of m.
template <class T> FASTLA_INLINE Vec<T> without_tail(Vec<T> y, Vec<T> m, Vec<T> tail) {
  return keep_nan<T>(y, fma(-m, tail, not_negative<T>(y)));
}

// y Phi(y). 2^-n goes to m, so that nothing is subnormal before the result is.
template <class T> FASTLA_INLINE Vec<T> gelu(Vec<T> y) {
  using C = Coefficients<T>;
  using F = Format<T>;
  const Vec<T> m = within<T>(y, F::gelu_limit), x = at_least<T>(m, F::tiny);
  const auto [fraction, shifted] = bell<T>(x);
  const Vec<T> square = x * x, over = by_squares<T>(C::mills_over, x, square);
  const Vec<T> tail = fma(over, fraction, over) / by_squares<T>(C::mills_under, x, square);
  return without_tail<T>(y, scaled<T>(m, -shifted), tail);
}

// exp(-|y|) is normal below exp_limit and 0 beyond, where sigmoid is 0 or 1.
template <class T> FASTLA_INLINE Vec<T> sigmoid(Vec<T> y) {
  const IVec<T> usual = magnitude<T>(y) < bits<T>(splat<T>(Format<T>::exp_limit));
  const Vec<T> e = exp_of_minus<T>(within<T>(y, Format<T>::exp_limit));
  const Vec<T> some = from_bits<T>(bits<T>(e) & usual), one = splat<T>(1);
  return keep_nan<T>(y, select<T>(is_negative<T>(y), some, one) / (some + one));
}

// y sigmoid(y)
template <class T> FASTLA_INLINE Vec<T> silu(Vec<T> y) {
  const Vec<T> m = within<T>(y, Format<T>::exp_limit), e = exp_of_minus<T>(m);
  return without_tail<T>(y, m, e / (e + T(1)));
}

// y sigmoid(2u), 2u = y (linear + cubic y^2): 0.5 (1 + tanh(u)) is sigmoid(2u). The absolute error of
// the exponent is the relative one of exp, so linear + cubic y^2 is kept as high + low.
template <class T> FASTLA_INLINE Vec<T> gelu_tanh(Vec<T> y) {
  using C = Coefficients<T>;
  using F = Format<T>;
  const Vec<T> m = within<T>(y, F::gelu_tanh_limit), x = at_least<T>(m, F::tiny);
  const Vec<T> square = x * x, square_low = fma(x, x, -square), cubic = splat<T>(C::cubic_high);
  const Vec<T> high = fma(cubic, square, splat<T>(C::linear_high));
  // linear_high is short: linear_high - high is exact, and the next fma yields high's rounding error.
  Vec<T> low = fma(cubic, square, C::linear_high - high);
  low = fma(cubic, square_low, low);
  low = fma(splat<T>(C::cubic_low), square, low + C::linear_low);
  const auto [shifted, n] = nearest_power<T>(x * high, splat<T>(C::log2_e));
  Vec<T> r = fma(x, high, n * -C::ln2_high);
  r = fma(n, splat<T>(-C::ln2_low), r);
  r = fma(x, low, r);
  const Vec<T> e = scaled<T>(exp_near_zero<T, -1>(r), -shifted);
  return without_tail<T>(y, m, e / (e + T(1)));
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
