// The finished tile: totals of the earlier blocks, then the epilogue's steps in the contract's order.
//
// Lanes beyond the last column repeat the last valid one in every operand, so that they compute what a
// real element computes and raise no flag of their own.
#pragma once
#include "kernels/math.hpp"
#include "kernels/part.hpp"
#include "kernels/row.hpp"
#include "kernels/vec.hpp"

namespace {

using fastla::Block;
using fastla::Finish;
using fastla::Operand;

// `valid` elements from p on, `stride` bytes apart; lanes beyond repeat the last one.
template <class T> FASTLA_INLINE Vec<T> fetch(const char *p, int64_t stride, int valid) {
  if (stride == 0) return splat(load_scalar<T>(p));
  if (stride == sizeof(T)) return valid == Simd<T>::lanes ? load<T>(p) : Part<T>(valid).load(p);
  Vec<T> v{};
  for (int i = 0; i < Simd<T>::lanes; ++i)
    v[i] = load_scalar<T>(p + (i < valid ? i : valid - 1) * stride);
  return v;
}

template <class T> FASTLA_INLINE void put(char *p, int64_t stride, int valid, Vec<T> v) {
  if (stride == sizeof(T))
    return valid == Simd<T>::lanes ? store<T>(p, v) : Part<T>(valid).store(p, v);
  for (int i = 0; i < valid; ++i) store_scalar<T>(p + i * stride, T(v[i]));
}

template <class T>
FASTLA_INLINE Vec<T> fetch(const Operand &operand, int64_t row, int64_t col, int valid) {
  return fetch<T>(operand.data + row * operand.row_stride + col * operand.col_stride,
                  operand.col_stride, valid);
}

// Rows of chain sums (row length `width`), of which the first n columns are real; row and col: the place of the first one
// in C. Each step passes over all of them, which are in L1: so it is chosen once, not for each vector.
template <class T> struct Sums {
  T *sums;
  int rows, width;
  int64_t n, row, col;

  static constexpr int lanes = Simd<T>::lanes;

  // f(sums, row, col, valid) for each vector.
  template <class F> FASTLA_INLINE void visit(F f) const {
    for (int i = 0; i < rows; ++i) {
      T *const y = sums + i * width;
      int64_t j = 0;
      for (; j + lanes <= n; j += lanes) f(y + j, row + i, col + j, lanes);
      if (j < n) f(y + j, row + i, col + j, int(n - j));
    }
  }
  template <class F> FASTLA_INLINE void change(F f) const {
    for (int i = 0; i < rows; ++i)
      for (int64_t j = 0; j < n; j += lanes) {
        T *const y = sums + i * width + j;
        store<T>(y, f(load<T>(y)));
      }
  }
  template <class F> FASTLA_INLINE void meet(const Operand &x, F f) const {
    if (!x.data) return;
    visit([&](T *y, int64_t i, int64_t j, int valid)
              FASTLA_LAMBDA { store<T>(y, f(load<T>(y), fetch<T>(x, i, j, valid))); });
  }
};

template <class T> void apply(const Finish &f, const Sums<T> &sums) {
  using V = Vec<T>;
  const auto add = [](V y, V x) FASTLA_LAMBDA { return y + x; };
  const auto multiply = [](V y, V x) FASTLA_LAMBDA { return y * x; };
  const V alpha = splat(T(f.alpha)), beta = splat(T(f.beta));
  if (f.alpha != 1) sums.change([&](V y) FASTLA_LAMBDA { return alpha * y; });
  for (const Operand &scale : f.scale) sums.meet(scale, multiply);
  sums.meet(f.c, [&](V y, V x) FASTLA_LAMBDA { return fma(beta, x, y); });
  for (const Operand &bias : f.bias) sums.meet(bias, add);
  if (f.activation)
    with_activation<T>(f.activation, [&](auto act) FASTLA_LAMBDA { sums.change(act); });
  sums.meet(f.gate, multiply);
  sums.meet(f.residual, add);
}

// The epilogue that layers have: a bias for each column, and an activation or none.
template <class T> bool is_layer(const Finish &f) {
  const bool others = f.alpha != 1 || f.scale[0].data || f.scale[1].data || f.c.data ||
                      f.bias[1].data || f.gate.data || f.residual.data;
  return !others && f.bias[0].data && f.bias[0].row_stride == 0 &&
         f.bias[0].col_stride == sizeof(T);
}

// All its steps in one pass, of contiguous columns.
template <class T> void apply_layer(int activation, const char *bias, char *c, int64_t row_stride,
                                    const Sums<T> &sums) {
  with_activation<T>(activation, [&](auto act) FASTLA_LAMBDA {
    sums.visit([=](T *y, int64_t i, int64_t j, int valid) FASTLA_LAMBDA {
      const int64_t at = j * int64_t(sizeof(T));
      const Vec<T> sum = load<T>(y) + fetch<T>(bias + at, sizeof(T), valid);
      put<T>(c + i * row_stride + at, sizeof(T), valid, act(sum));
    });
  });
}

#ifdef FASTLA_STORES_HALVES  // halves.hpp, bfloats.hpp
constexpr bool kStoresHalves = true;
#else
constexpr bool kStoresHalves = false;
#endif

// Of integers C may keep the lower bits.
template <class Out, class T>
FASTLA_INLINE void put_lower(const T *from, char *to, int64_t stride, int64_t n) {
  typedef Out Scalar __attribute__((aligned(1), may_alias));
  if (stride == sizeof(Out))
    for (int64_t j = 0; j < n; ++j) reinterpret_cast<Scalar *>(to)[j] = Out(from[j]);
  else
    for (int64_t j = 0; j < n; ++j) *reinterpret_cast<Scalar *>(to + j * stride) = Out(from[j]);
}
template <class T> FASTLA_INLINE void put_lower(const Block &block, char *c, const Sums<T> &sums) {
  for (int i = 0; i < sums.rows; ++i, c += block.c_row_stride) {
    const T *const row = sums.sums + i * sums.width;
    if (block.c_size == 1)
      put_lower<uint8_t>(row, c, block.c_col_stride, sums.n);
    else
      put_lower<uint16_t>(row, c, block.c_col_stride, sums.n);
  }
}

// `sums`, none of them -0, from (i0, j0) of the block on go to the block's total or, after the last block and the
// epilogue, to C.
template <class T> __attribute__((noinline)) void finish_rows(const Block &block, T *sums, int rows,
                                                              int width, int64_t i0, int64_t j0,
                                                              int64_t n) {
  char *total = block.total + i0 * block.total_stride + j0 * int64_t(sizeof(T));
  const Operand totals{block.first ? nullptr : total, block.total_stride, sizeof(T)};
  const Sums<T> here{sums, rows, width, n, 0, 0};
  here.meet(totals, [](Vec<T> y, Vec<T> x) FASTLA_LAMBDA { return x + y; });
  char *const c = block.c + i0 * block.c_row_stride + j0 * block.c_col_stride;
  if constexpr (!kFloat<T>) {
    if (block.last && block.c_size != sizeof(T)) return put_lower<T>(block, c, here);
  } else if constexpr (kStoresHalves) {
    if (block.last && block.finish)
      apply<T>(*block.finish, Sums<T>{sums, rows, width, n, block.row0 + i0, block.col0 + j0});
    if (block.last && block.c_size != sizeof(T)) {
      for (int i = 0; i < rows; ++i)
        put_halves(sums + i * width, c + i * block.c_row_stride, block.c_col_stride, n);
      return;
    }
  } else if (block.last && block.finish) {
    const Finish &f = *block.finish;
    if (block.c_col_stride == sizeof(T) && is_layer<T>(f)) {
      const char *bias = f.bias[0].data + (block.col0 + j0) * int64_t(sizeof(T));
      return apply_layer<T>(f.activation, bias, c, block.c_row_stride, here);
    }
    apply<T>(f, Sums<T>{sums, rows, width, n, block.row0 + i0, block.col0 + j0});
  }
  const int64_t row_stride = block.last ? block.c_row_stride : block.total_stride;
  const int64_t col_stride = block.last ? block.c_col_stride : int64_t(sizeof(T));
  here.visit([&, to = block.last ? c : total](T *y, int64_t i, int64_t j, int valid) FASTLA_LAMBDA {
    put<T>(to + i * row_stride + j * col_stride, col_stride, valid, load<T>(y));
  });
}

template <class T> void activate_array(int kind, const char *x, char *y, int64_t count) {
  constexpr int lanes = Simd<T>::lanes;
  with_activation<T>(kind, [&](auto act) FASTLA_LAMBDA {
    for (int64_t i = 0; i < count; i += lanes) {
      const int valid = count - i < lanes ? int(count - i) : lanes;
      const int64_t at = i * int64_t(sizeof(T));
      put<T>(y + at, sizeof(T), valid, act(fetch<T>(x + at, sizeof(T), valid)));
    }
  });
}

}  // namespace
