// exp of what is not positive, and the activations' derivatives, lane by lane (docs/functions.md).
#pragma once
#include "kernels/math.hpp"

namespace {

// exp(d) for d <= 0, but +0 below -exp_limit, where exp is about to lose digits; NaN stays NaN.
template <class T> FASTLA_INLINE Vec<T> exp_of_negative(Vec<T> d) {
  const auto [shifted, n] = nearest_power<T>(splat<T>(Coefficients<T>::log2_e), d);
  const Vec<T> e = exp_near_zero<T>(without_powers<T>(d, n)) * power_of_two<T>(shifted);
  return d < -Format<T>::exp_limit ? Vec<T>{} : e;
}

// Phi(y) + y phi(y): tail - m phi(m), or 1 less that; phi is the bell times a constant.
template <class T> FASTLA_INLINE Vec<T> gelu_slope(Vec<T> y) {
  using C = Coefficients<T>;
  using F = Format<T>;
  const Vec<T> x = at_least<T>(within<T>(y, F::gelu_limit), F::tiny), square = x * x;
  const auto [fraction, shifted] = bell<T>(x);
  const Vec<T> mills =
      by_squares<T>(C::mills_over, x, square) / by_squares<T>(C::mills_under, x, square);
  const Vec<T> g = fma(splat<T>(-C::density), x, mills);
  const Vec<T> lost = fma(g, fraction, g) * power_of_two<T>(-shifted);
  const IVec<T> usual = magnitude<T>(y) < bits<T>(splat<T>(F::gelu_limit));
  const Vec<T> some = from_bits<T>(bits<T>(lost) & usual);
  return keep_nan<T>(y, select<T>(is_negative<T>(y), some, T(1) - some));
}

// s + y s (1 - s) (linear + 3 cubic y^2), s = sigmoid(2u) = gelu_tanh(y) / y.
template <class T> FASTLA_INLINE Vec<T> gelu_tanh_slope(Vec<T> y) {
  using C = Coefficients<T>;
  using F = Format<T>;
  const Vec<T> m = at_least<T>(at_most<T>(absolute<T>(y), 2 * F::gelu_tanh_limit), F::tiny);
  const Vec<T> square = m * m, u = fma(splat<T>(C::cubic_high), square, splat<T>(C::linear_high));
  const Vec<T> rate = fma(splat<T>(3 * C::cubic_high), square, splat<T>(C::linear_high));
  const Vec<T> x = with_sign_of<T>(m, y);
  const Vec<T> s = sigmoid<T>(x * u);
  return keep_nan<T>(y, fma((x * s) * (T(1) - s), rate, s));
}

// s + y s (1 - s)
template <class T> FASTLA_INLINE Vec<T> silu_slope(Vec<T> y) {
  const Vec<T> x = with_sign_of<T>(at_most<T>(absolute<T>(y), Format<T>::exp_limit), y);
  const Vec<T> s = sigmoid<T>(x);
  return keep_nan<T>(y, fma(x * s, T(1) - s, s));
}
template <class T> FASTLA_INLINE Vec<T> tanh_slope(Vec<T> y) {
  const Vec<T> t = tanh<T>(y);
  return fma(-t, t, splat<T>(1));
}
template <class T> FASTLA_INLINE Vec<T> sigmoid_slope(Vec<T> y) {
  const Vec<T> s = sigmoid<T>(y);
  return fma(-s, s, s);
}
template <class T> FASTLA_INLINE Vec<T> relu_slope(Vec<T> y) {
  return keep_nan<T>(y, select<T>(bits<T>(y) > 0, splat<T>(1), Vec<T>{}));
}

// use(the derivative of that fastla_activation).
template <class T, class Use> FASTLA_INLINE void with_derivative(int kind, Use use) {
  using V = Vec<T>;
  switch (kind) {
    case FASTLA_ACT_RELU:
      return use([](V y) FASTLA_LAMBDA { return relu_slope<T>(y); });
    case FASTLA_ACT_GELU:
      return use([](V y) FASTLA_LAMBDA { return gelu_slope<T>(y); });
    case FASTLA_ACT_GELU_TANH:
      return use([](V y) FASTLA_LAMBDA { return gelu_tanh_slope<T>(y); });
    case FASTLA_ACT_SILU:
      return use([](V y) FASTLA_LAMBDA { return silu_slope<T>(y); });
    case FASTLA_ACT_TANH:
      return use([](V y) FASTLA_LAMBDA { return tanh_slope<T>(y); });
    case FASTLA_ACT_SIGMOID:
      return use([](V y) FASTLA_LAMBDA { return sigmoid_slope<T>(y); });
    default:
      return use([](V) FASTLA_LAMBDA { return splat<T>(1); });
  }
}

}  // namespace
