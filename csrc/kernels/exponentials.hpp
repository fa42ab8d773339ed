// What softmax and attention have in common: the largest element of a row, and exponentials with their sum.
#pragma once
#include "kernels/derivatives.hpp"
#include "kernels/lanes16.hpp"

namespace {

template <class T> T largest(const char *x, int64_t cols) {
  Lanes16<T> most(-infinity<T>());
  most.visit(cols, [&](Vec<T> &m, int64_t at, auto part) FASTLA_LAMBDA {
    const Vec<T> v = part.load(x + at, m);
    m = v > m ? v : m;
  });
  return most.fold([](T a, T b) { return b > a ? b : a; });
}

// y = exp(x - m) and their sum.
template <class T> T exponentials(const char *x, char *y, int64_t cols, T m) {
  Lanes16<T> sum(0);
  sum.visit(cols, [&](Vec<T> &s, int64_t at, auto part) FASTLA_LAMBDA {
    const Vec<T> e = exp_of_negative<T>(part.load(x + at, splat(-infinity<T>())) - m);
    part.store(y + at, e);
    s += e;
  });
  return sum.sum();
}

}  // namespace
