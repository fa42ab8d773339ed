// Pairs of a row's elements, turned: rotary positions (docs/rows.md).
#pragma once
#include "kernels/lanes16.hpp"
#include "kernels/ops.hpp"

namespace {

template <class V> struct Pair {
  V a, b;
  FASTLA_INLINE Pair turned(V cos, V sin) const { return {a * cos - b * sin, b * cos + a * sin}; }
};

// Lanes 0, 2, 4, ... of two vectors, or those after them; and back, the lower or upper half of what was both.
template <class T, int odd> FASTLA_INLINE Vec<T> every_second(Vec<T> v, Vec<T> w) {
  IVec<T> from;
  for (int i = 0; i < Simd<T>::lanes; ++i) from[i] = 2 * i + odd;
  return __builtin_shuffle(v, w, from);
}
template <class T, int upper> FASTLA_INLINE Vec<T> alternate(Vec<T> a, Vec<T> b) {
  constexpr int lanes = Simd<T>::lanes;
  IVec<T> from;
  for (int i = 0; i < lanes; ++i) from[i] = upper * lanes / 2 + i / 2 + i % 2 * lanes;
  return __builtin_shuffle(a, b, from);
}

// Vectors to the last pair: of numbers GCC 12 would make multiply-adds that alternate, whatever -ffp-contract says.
template <class T> void turn_neighbours(const char *x, char *y, const char *cos, const char *sin,
                                        int64_t half, T sign) {
  constexpr int64_t lanes = Simd<T>::lanes, size = sizeof(T), bytes = FASTLA_VECTOR_BYTES;
  const auto step = [&](int64_t i, auto low, auto high, auto table) FASTLA_LAMBDA {
    const int64_t at = 2 * i * size;
    const Vec<T> v = low.load(x + at, Vec<T>{}), w = high.load(x + at + bytes, Vec<T>{});
    const Pair<Vec<T>> p{every_second<T, 0>(v, w), every_second<T, 1>(v, w)};
    const auto [a, b] =
        p.turned(table.load(cos + i * size, Vec<T>{}), table.load(sin + i * size, Vec<T>{}) * sign);
    low.store(y + at, alternate<T, 0>(a, b));
    high.store(y + at + bytes, alternate<T, 1>(a, b));
  };
  int64_t i = 0;
  for (; i + lanes <= half; i += lanes) step(i, Whole<T>(), Whole<T>(), Whole<T>());
  const int64_t left = half - i, low = 2 * left < lanes ? 2 * left : lanes;
  if (left > 0) step(i, Part<T>(low), Part<T>(2 * left - low), Part<T>(left));
}
template <class T>
void turn_halves(const char *x, char *y, const char *cos, const char *sin, int64_t half, T sign) {
  const int64_t second = half * int64_t(sizeof(T));
  each_vector<T>(half, [&](int64_t at, auto part) FASTLA_LAMBDA {
    const Pair<Vec<T>> p{part.load(x + at, Vec<T>{}), part.load(x + second + at, Vec<T>{})};
    const auto [a, b] =
        p.turned(part.load(cos + at, Vec<T>{}), part.load(sin + at, Vec<T>{}) * sign);
    part.store(y + at, a);
    part.store(y + second + at, b);
  });
}

template <class T> void turn(const fastla::TurnArgs &t) {
  const auto one = t.interleaved ? &turn_neighbours<T> : &turn_halves<T>;
  for (int64_t i = 0; i < t.rows; ++i)
    one(t.x.data + i * t.x.stride, const_cast<char *>(t.out.data) + i * t.out.stride,
        t.cos.data + i * t.cos.stride, t.sin.data + i * t.sin.stride, t.half, T(t.back ? -1 : 1));
}

}  // namespace
