// exp of what is not positive, and the activations' derivatives, lane by lane (docs/functions.md).
#pragma once
#include "kernels/math.hpp"

namespace {

template <class T> constexpr T kNegativeLimit = sizeof(T) == 4 ? T(-87) : T(-708);

// exp(d) for d <= 0, but +0 below kNegativeLimit, where exp is about to lose digits: a factor of one exponent does.
template <class T> FASTLA_INLINE Vec<T> exp_of_negative(Vec<T> d) {
  using C = Coefficients<T>;
  const auto [shifted, n] = nearest_power<T>(splat<T>(C::log2_e), d);
  Vec<T> r = fma(n, splat<T>(-C::ln2_high), d);
  r = fma(n, splat<T>(-C::ln2_low), r);
  const Vec<T> power = power_of_two<T>(shifted), e = fma(power, expm1_near_zero<T>(r), power);
  return d < kNegativeLimit<T> ? Vec<T>{} : e;
}

// Phi(y) + y phi(y): phi is the tail without its factor G.
template <class T> FASTLA_INLINE Vec<T> gelu_slope(Vec<T> y) {
  using F = Format<T>;
  constexpr T density = T(0x1.9884533d43651p-2);  // 1 / sqrt(2 pi)
  const Vec<T> m = at_least<T>(at_most<T>(absolute<T>(y), F::gelu_limit), F::tiny);
  const Scaled<T> tail = normal_tail<T>(m);
  const Vec<T> below = tail.head * tail.tail;
  const Vec<T> phi = exp_of_negative<T>((m * T(-0.5)) * m) * density;
  const Vec<T> above = select<T>(is_negative<T>(y), below, T(1) - below);
  return keep_nan<T>(y, fma(with_sign_of<T>(m, y), phi, above));
}

// s + y s (1 - s) (linear + 3 cubic y^2), s = sigmoid(2u) = gelu_tanh(y) / y.
template <class T> FASTLA_INLINE Vec<T> gelu_tanh_slope(Vec<T> y) {
  using C = Coefficients<T>;
  using F = Format<T>;
  const Vec<T> m = at_least<T>(at_most<T>(absolute<T>(y), F::gelu_tanh_limit), F::tiny);
  const Vec<T> square = m * m, u = fma(splat<T>(C::cubic_high), square, splat<T>(C::linear_high));
  const Vec<T> rate = fma(splat<T>(3 * C::cubic_high), square, splat<T>(C::linear_high));
  const Vec<T> x = with_sign_of<T>(m, y);
  const Scaled<T> parts = sigmoid_parts<T>(x * u);
  const Vec<T> s = parts.head * parts.tail;
  return keep_nan<T>(y, fma((x * s) * (T(1) - s), rate, s));
}

// s + y s (1 - s)
template <class T> FASTLA_INLINE Vec<T> silu_slope(Vec<T> y) {
  const Vec<T> x = with_sign_of<T>(at_most<T>(absolute<T>(y), Format<T>::exp_limit), y);
  const Scaled<T> parts = sigmoid_parts<T>(x);
  const Vec<T> s = parts.head * parts.tail;
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
