// One walk over a matrix: of every row the product with a vector of weights, and the norm; at the speed of memory, in
// either order of storage. For the checks, whose arithmetic is none of the kernels'.
#pragma once
#include <math.h>
#include <stdint.h>

#include "gemm/elements.hpp"
#include "runtime/parallel.hpp"

namespace fastla {

// Vectors of the platform's baseline.
template <class T> struct Lanes {
  typedef T V __attribute__((vector_size(16)));
  static constexpr int count = 16 / sizeof(T);
  static V load(const T *p) {
    V v;
    __builtin_memcpy(&v, p, sizeof(v));
    return v;
  }
};

// A sum of short sums, as good as exact beside their own errors; of integers, exact modulo 2^bits.
template <class T> struct Total {
  T value = 0;
  void add(T x) { value += x; }
  void add(const Total &x) { value += x.value; }
};
template <> struct Total<float> {
  double value = 0;
  void add(float x) { value += double(x); }
  void add(const Total &x) { value += x.value; }
};
template <> struct Total<double> {
  double value = 0, rest = 0;
  void add(double x) {  // Knuth's two-sum
    const double sum = value + x, t = sum - value;
    rest += (value - (sum - t)) + (x - t);
    value = sum;
  }
  void add(const Total &x) {
    add(x.value);
    rest += x.rest;
  }
};

// Terms of a chain in T between two additions to a Total: each costs as much as a term or two, and a chain's error
// grows with its length (8: 0.85 units of its rounding in the norm of the terms).
constexpr int kChain = 8;

// How far ahead of its use memory is asked for, for L2: hardware prefetchers stop at every page. From memory three
// matrices of 2048 x 2048 float32 take 4.3 ms, without it 6.3 (Sapphire Rapids).
constexpr int64_t kAhead = 8192;

// A row, its elements one after the other.
template <class T, bool squares> struct AcrossRow {
  using L = Lanes<T>;
  using V = typename L::V;
  static constexpr int kSide = 4;
  Total<T> total[L::count];
  V square[kSide] = {};

  // kSide chains of `steps` terms; inlined for the compiler to know how many, as a rule.
  [[gnu::always_inline]] void chains(const T *x, const T *w, int64_t steps) {
    V sum[kSide] = {};
    for (int64_t s = 0; s < steps; ++s, x += kSide * L::count, w += kSide * L::count) {
      __builtin_prefetch(x + kAhead / int64_t(sizeof(T)), 0, 2);
#pragma GCC unroll 4
      for (int j = 0; j < kSide; ++j) {
        const V v = L::load(x + j * L::count);
        sum[j] += v * L::load(w + j * L::count);
        if (squares) square[j] += v * v;
      }
    }
    const V all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    for (int l = 0; l < L::count; ++l) total[l].add(all[l]);
  }
  void add(const T *x, const T *w, int64_t n) {
    constexpr int64_t step = kSide * L::count, run = kChain * step;
    for (; n >= run; n -= run, x += run, w += run) chains(x, w, kChain);
    if (n >= step) {
      const int64_t steps = n / step;
      chains(x, w, steps);
      x += steps * step;
      w += steps * step;
      n -= steps * step;
    }
    for (; n > 0; --n, ++x, ++w) {
      total[0].add(*x * *w);
      if (squares) square[0][0] += *x * *x;
    }
  }
  Total<T> sum() const {
    Total<T> all = total[0];
    for (int l = 1; l < L::count; ++l) all.add(total[l]);
    return all;
  }
  double squared() const {
    const V all = (square[0] + square[1]) + (square[2] + square[3]);
    double sum = 0;
    for (int l = 0; l < L::count; ++l) sum += double(all[l]);
    return sum;
  }
};

// A band of rows whose elements follow each other down the columns; `parts` numbers to an element.
template <class T, bool squares, int parts> struct DownBand {
  using L = Lanes<T>;
  using V = typename L::V;
  static constexpr int64_t kNumbers = 1024;  // 4 KiB of each of kChain columns
  Total<T> total[kNumbers];
  T square[kNumbers] = {};

  // kChain columns of so many numbers; w: of each column `parts` weights.
  void add(const T *const *columns, const T *w, int64_t numbers) {
    V weight[kChain];
    for (int c = 0; c < kChain; ++c) {
      T lanes[L::count];
      for (int l = 0; l < L::count; ++l) lanes[l] = w[c * parts + l % parts];
      weight[c] = L::load(lanes);
    }
    int64_t i = 0;
    for (; i + L::count <= numbers; i += L::count) {
      V sum{}, of_squares{};
#pragma GCC unroll 8
      for (int c = 0; c < kChain; ++c) {
        const V v = L::load(columns[c] + i);
        sum += v * weight[c];
        if (squares) of_squares += v * v;
      }
      for (int l = 0; l < L::count; ++l) {
        total[i + l].add(sum[l]);
        if (squares) square[i + l] += of_squares[l];
      }
    }
    for (; i < numbers; ++i)
      for (int c = 0; c < kChain; ++c) {
        const T x = columns[c][i];
        total[i].add(x * w[c * parts + i % parts]);
        if (squares) square[i] += x * x;
      }
  }
};

// Elements of E at a stride as numbers of T, one after the other.
template <class E, class T, int parts>
void stage(const char *p, int64_t stride, bool swapped, int64_t n, T *out) {
  if (stride == int64_t(sizeof(E)) * parts && !swapped) {
    for (int64_t i = 0; i < n * parts; ++i)
      out[i] = widened<T>(read_real<E>(p + i * int64_t(sizeof(E)), false));
    return;
  }
  for (int64_t i = 0; i < n; ++i, p += stride)
    for (int q = 0; q < parts; ++q)
      *out++ = widened<T>(read_real<E>(p + q * int(sizeof(E)), swapped));
}

// The norm of a row whose squares leave T's range.
template <class E, class T, int parts>
double scaled_norm(const Matrix &x, int64_t row, int64_t cols) {
  const char *p = static_cast<const char *>(x.data) + row * x.row_stride;
  const auto at = [&](int64_t j, int q) {
    return double(
        widened<T>(read_real<E>(p + j * x.col_stride + q * int(sizeof(E)), x.swapped != 0)));
  };
  double most = 0, sum = 0;
  for (int64_t j = 0; j < cols; ++j)
    for (int q = 0; q < parts; ++q) {
      const double y = fabs(at(j, q));
      if (!(y <= 1.7976931348623157e308)) return y;
      if (y > most) most = y;
    }
  if (most == 0) return 0;
  for (int64_t j = 0; j < cols; ++j)
    for (int q = 0; q < parts; ++q) sum += at(j, q) / most * (at(j, q) / most);
  return most * sqrt(sum);
}

template <class E, class T, int parts>
double norm_of(double squared, const Matrix &x, int64_t row, int64_t cols) {
  // Below it, squares that went to zero may have mattered.
  constexpr double least = sizeof(T) == 4 ? 1e-26 : 1e-280;
  constexpr double most = sizeof(T) == 4 ? 3e38 : 1.7e308;
  if (squared >= least && squared <= most) return sqrt(squared);
  return scaled_norm<E, T, parts>(x, row, cols);
}

// For every row: emit(row, Total<T>, norm), concurrently; the weights are one after the other, `parts` for each column.
// Without `squares` the norm is 0.
template <class E, class T, int parts, bool squares, class Emit>
void row_sums(const Matrix &x, int64_t rows, int64_t cols, const T *w, int threads, Emit &&emit) {
  if (rows == 0) return;
  const char *data = static_cast<const char *>(x.data);
  const bool swapped = x.swapped != 0;
  const bool as_is = __is_same(E, T) && !swapped &&
                     (int64_t(reinterpret_cast<uintptr_t>(data)) | x.row_stride | x.col_stride) %
                             int64_t(sizeof(T)) ==
                         0;
  const auto norm = [&](int64_t row, double squared) {
    if constexpr (squares) return norm_of<E, T, parts>(squared, x, row, cols);
    return 0.0;
  };
  const int64_t size = int64_t(sizeof(E)) * parts;
  const auto magnitude = [](int64_t stride) { return stride < 0 ? -stride : stride; };
  const bool down = cols == 1 || magnitude(x.row_stride) < magnitude(x.col_stride);
  using Band = DownBand<T, squares, parts>;
  constexpr int64_t piece = Band::kNumbers / parts;  // elements
  const int64_t least = (int64_t{1} << 16) / (cols > 0 ? cols : 1) + 1;
  const int64_t at_once = down ? piece : least;
  parallel_for((rows + at_once - 1) / at_once, threads, [&](int64_t task, int) {
    const int64_t first = task * at_once, rest = rows - first;
    const int64_t here = rest < at_once ? rest : at_once;
    alignas(16) T staged[kChain][Band::kNumbers];
    if (!down) {
      for (int64_t i = first; i < first + here; ++i) {
        const char *row = data + i * x.row_stride;
        AcrossRow<T, squares> sum;
        if (as_is && x.col_stride == size) {
          sum.add(reinterpret_cast<const T *>(row), w, cols * parts);
        } else {
          for (int64_t j = 0; j < cols; j += piece) {
            const int64_t n = cols - j < piece ? cols - j : piece;
            stage<E, T, parts>(row + j * x.col_stride, x.col_stride, swapped, n, staged[0]);
            sum.add(staged[0], w + j * parts, n * parts);
          }
        }
        emit(i, sum.sum(), norm(i, sum.squared()));
      }
      return;
    }
    Band band;
    for (int64_t j = 0; j < cols; j += kChain) {
      T weights[kChain * parts] = {};
      const T *columns[kChain];
      for (int c = 0; c < kChain; ++c) {
        columns[c] = staged[c];
        if (j + c >= cols) {
          for (int64_t i = 0; i < here * parts; ++i) staged[c][i] = 0;
          continue;
        }
        const char *column = data + first * x.row_stride + (j + c) * x.col_stride;
        for (int q = 0; q < parts; ++q) weights[c * parts + q] = w[(j + c) * parts + q];
        if (as_is && x.row_stride == size)
          columns[c] = reinterpret_cast<const T *>(column);
        else
          stage<E, T, parts>(column, x.row_stride, swapped, here, staged[c]);
      }
      band.add(columns, weights, here * parts);
    }
    for (int64_t i = 0; i < here; ++i) {
      Total<T> sum = band.total[i * parts];
      double squared = double(band.square[i * parts]);
      for (int q = 1; q < parts; ++q) {
        sum.add(band.total[i * parts + q]);
        squared += double(band.square[i * parts + q]);
      }
      emit(first + i, sum, norm(first + i, squared));
    }
  });
}

}  // namespace fastla
