// Steps of optimizers, element by element (docs/rows.md).
#pragma once
#include "fastla/nn.h"
#include "kernels/lanes16.hpp"

namespace {

// Its element `first`.
template <class T> FASTLA_INLINE char *from(const void *array, int64_t first) {
  return array ? static_cast<char *>(const_cast<void *>(array)) + first * int64_t(sizeof(T))
               : nullptr;
}

template <class T> void sgd(const fastla_update_desc &d, int64_t first, int64_t count) {
  char *const ps = from<T>(d.parameter, first), *const velocities = from<T>(d.state[0], first);
  const char *const gs = from<T>(d.gradient, first);
  const T rate = T(d.rate), decay = T(d.decay), momentum = T(d.beta[0]);
  each_vector<T>(count, [&](int64_t at, auto part) FASTLA_LAMBDA {
    const Vec<T> p = part.load(ps + at, Vec<T>{});
    Vec<T> g = part.load(gs + at, Vec<T>{});
    if (decay != 0) g += p * decay;
    if (velocities) {
      const Vec<T> v = part.load(velocities + at, Vec<T>{}) * momentum + g;
      part.store(velocities + at, v);
      g = d.nesterov ? v * momentum + g : v;
    }
    part.store(ps + at, p - g * rate);
  });
}

template <class T> void adam(const fastla_update_desc &d, int64_t first, int64_t count) {
  char *const ps = from<T>(d.parameter, first), *const means = from<T>(d.state[0], first),
              *const squares = from<T>(d.state[1], first);
  const char *const gs = from<T>(d.gradient, first);
  const T rate = T(d.rate), shrink = T(d.shrink), decay = T(d.decay), epsilon = T(d.epsilon),
          kept = T(d.beta[1]), change = T(1 - d.beta[0]), fresh = T(1 - d.beta[1]);
  each_vector<T>(count, [&](int64_t at, auto part) FASTLA_LAMBDA {
    const Vec<T> p = part.load(ps + at, Vec<T>{}) * shrink;
    Vec<T> g = part.load(gs + at, Vec<T>{}), mean = part.load(means + at, Vec<T>{});
    if (decay != 0) g += p * decay;
    mean += (g - mean) * change;
    const Vec<T> square = part.load(squares + at, Vec<T>{}) * kept + g * g * fresh;
    part.store(means + at, mean);
    part.store(squares + at, square);
    part.store(ps + at, p - mean / (roots<T>(square) + epsilon) * rate);
  });
}

}  // namespace
