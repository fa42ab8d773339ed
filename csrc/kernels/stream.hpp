// One row of A against B in place, a few of B's rows at a time for all columns, while the chains wait in `state`: B is
// read along its rows, few of them at once, which is what memory is fastest at.
#pragma once
#include "kernels/row.hpp"
#include "kernels/vec.hpp"

namespace {

using fastla::Block;

FASTLA_INLINE bool streams_row(const Block &block) {
  const bool steps = block.k == fastla::kRowSteps || block.k == fastla::kRowSteps / 2;
  return block.m == 1 && block.suspended && steps && !block.packed && !block.down_columns;
}

template <class T, int steps, bool ahead> FASTLA_INLINE void stream_steps(const Block &block) {
  constexpr int lanes = Simd<T>::lanes;
  Vec<T> a[steps];
  const char *b[steps];
#pragma GCC unroll 16
  for (int s = 0; s < steps; ++s) {
    a[s] = splat(load_scalar<T>(block.a + s * block.a_col_stride));
    b[s] = block.b + s * block.b_step;
    FASTLA_HIDE(b[s]);
  }
  const auto chain = [&](int64_t at, const auto &load_b) {
    Vec<T> acc = block.resumed ? load<T>(block.state + at) : Vec<T>{};
#pragma GCC unroll 16
    for (int s = 0; s < steps; ++s) acc = fma(a[s], load_b(b[s] + at), acc);
    store<T>(block.state + at, acc);
  };
  const int64_t whole = block.n / lanes * FASTLA_VECTOR_BYTES;
  int64_t at = 0;
  for (; at < whole; at += FASTLA_VECTOR_BYTES) {
    chain(at, [](const char *p) { return load<T>(p); });
    if (ahead)
#pragma GCC unroll 16
      for (int s = 0; s < steps; ++s) __builtin_prefetch(b[s] + at + block.b_ahead, 0, 2);
  }
  if (block.n % lanes == 0) return;
  const Part<T> last(block.n % lanes);
  chain(at, [&](const char *p) { return last.load(p); });
}

template <class T, int steps = fastla::kRowSteps> void stream_row(const Block &block) {
  if constexpr (steps == fastla::kRowSteps)
    if (block.k < steps) return stream_row<T, steps / 2>(block);
  if (block.b_ahead)
    stream_steps<T, steps, true>(block);
  else
    stream_steps<T, steps, false>(block);
}

}  // namespace
