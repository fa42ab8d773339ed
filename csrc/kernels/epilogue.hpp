// The finished tile: totals of the earlier blocks, then the epilogue's steps in the contract's order.
//
// Lanes beyond the last column repeat the last valid one in every operand, so that they compute what a
// real element computes and raise no flag of their own.
#pragma once
#include "kernels/math.hpp"
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
  for (int i = 0; i < valid; ++i) store_scalar<T>(p + i * stride, v[i]);
}

template <class T>
FASTLA_INLINE Vec<T> fetch(const Operand &operand, int64_t row, int64_t col, int valid) {
  return fetch<T>(operand.data + row * operand.row_stride + col * operand.col_stride,
                  operand.col_stride, valid);
}

template <class T>
FASTLA_INLINE Vec<T> apply(const Finish &f, Vec<T> y, int64_t row, int64_t col, int valid) {
  if (f.alpha != 1) y = splat(T(f.alpha)) * y;
  for (const Operand &scale : f.scale)
    if (scale.data) y = y * fetch<T>(scale, row, col, valid);
  if (f.c.data) y = fma(splat(T(f.beta)), fetch<T>(f.c, row, col, valid), y);
  for (const Operand &bias : f.bias)
    if (bias.data) y = y + fetch<T>(bias, row, col, valid);
  if (f.activation) y = activate<T>(f.activation, y);
  if (f.gate.data) y = y * fetch<T>(f.gate, row, col, valid);
  if (f.residual.data) y = y + fetch<T>(f.residual, row, col, valid);
  return y;
}

// Rows of chain sums in `sums` (row length `width`), of which the first n columns are real.
template <class T> __attribute__((noinline)) void finish_rows(const Block &block, const T *sums,
                                                              int rows, int width, int64_t i0,
                                                              int64_t j0, int64_t n) {
  constexpr int lanes = Simd<T>::lanes;
  for (int i = 0; i < rows; ++i)
    for (int64_t j = 0; j < n; j += lanes) {
      const int valid = n - j < lanes ? int(n - j) : lanes;
      const int64_t row = i0 + i, col = j0 + j;
      char *total = block.total + row * block.total_stride + col * int64_t(sizeof(T));
      Vec<T> y{};
      if (!block.first) y = fetch<T>(total, sizeof(T), valid);
      y = y + load<T>(sums + i * width + j);
      if (!block.last) {
        put<T>(total, sizeof(T), valid, y);
        continue;
      }
      if (block.finish) y = apply<T>(*block.finish, y, block.row0 + row, block.col0 + col, valid);
      put<T>(block.c + row * block.c_row_stride + col * block.c_col_stride, block.c_col_stride,
             valid, y);
    }
}

template <class T> void activate_array(int kind, const char *x, char *y, int64_t count) {
  constexpr int lanes = Simd<T>::lanes;
  for (int64_t i = 0; i < count; i += lanes) {
    const int valid = count - i < lanes ? int(count - i) : lanes;
    const int64_t at = i * int64_t(sizeof(T));
    put<T>(y + at, sizeof(T), valid, activate<T>(kind, fetch<T>(x + at, sizeof(T), valid)));
  }
}

}  // namespace
