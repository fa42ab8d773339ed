// What a search among scores needs: the next one that is good enough, the best one, and the distance of two rows.
#pragma once
#include "kernels/lanes16.hpp"

namespace {

template <class T>
int64_t next_not_below(const char *x, int64_t from, int64_t count, double least) {
  constexpr int64_t lanes = Simd<T>::lanes, size = sizeof(T), group = 4;
  const Vec<T> bound = splat(T(least));
  for (; from + group * lanes <= count; from += group * lanes) {
    IVec<T> below[group];
#pragma GCC unroll 4
    for (int v = 0; v < group; ++v) below[v] = load<T>(x + (from + v * lanes) * size) < bound;
    if (first_lane<T>(~(below[0] & below[1] & below[2] & below[3])) == lanes) continue;
    for (int v = 0; v < group; ++v) {
      const int lane = first_lane<T>(~below[v]);
      if (lane < lanes) return from + v * lanes + lane;
    }
  }
  for (; from + lanes <= count; from += lanes) {
    const int lane = first_lane<T>(~(load<T>(x + from * size) < bound));
    if (lane < lanes) return from + lane;
  }
  while (from < count && load_scalar<T>(x + from * size) < T(least)) ++from;
  return from;
}

// The first of the largest elements; a NaN is none. 0 if there is nothing else.
template <class T> int64_t first_largest(const char *x, int64_t count) {
  Lanes16<T> lanes16(-infinity<T>());
  const auto larger = [](auto a, auto b) FASTLA_LAMBDA { return a > b ? a : b; };
  lanes16.visit(count, [&](Vec<T> &top, int64_t at, auto part) FASTLA_LAMBDA {
    top = larger(part.load(x + at, splat(-infinity<T>())), top);
  });
  const T top = lanes16.fold(larger);
  constexpr int64_t lanes = Simd<T>::lanes, size = sizeof(T);
  int64_t j = 0;
  for (; j + lanes <= count; j += lanes) {
    const int lane = first_lane<T>(load<T>(x + j * size) == splat(top));
    if (lane < lanes) return j + lane;
  }
  while (j < count && !(load_scalar<T>(x + j * size) == top)) ++j;
  return j < count ? j : 0;
}

// Element e belongs to lane e mod 8; a difference of float32 and its square are exact in float64. Lanes combine in a
// fixed tree, so that the bits are the same at every vector width, and if x and y change places.
template <class T> double squared_distance(const char *x, const char *y, int64_t cols) {
  typedef double Lanes __attribute__((vector_size(64)));
  typedef T Eight __attribute__((vector_size(8 * sizeof(T)), aligned(1), may_alias));
  constexpr int64_t size = sizeof(T);
  Lanes sums = {};
  int64_t j = 0;
  for (; j + 8 <= cols; j += 8) {
    const Lanes off =
        __builtin_convertvector(*reinterpret_cast<const Eight *>(x + j * size), Lanes) -
        __builtin_convertvector(*reinterpret_cast<const Eight *>(y + j * size), Lanes);
    sums += off * off;
  }
  for (int l = 0; j < cols; ++j, ++l) {
    const double off = double(load_scalar<T>(x + j * size)) - double(load_scalar<T>(y + j * size));
    sums[l] += off * off;
  }
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

}  // namespace
