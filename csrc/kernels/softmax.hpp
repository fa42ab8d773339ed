// Softmax of the rows of a matrix, its logarithm, and what goes back through them (docs/rows.md).
#pragma once
#include "kernels/exponentials.hpp"
#include "kernels/ops.hpp"

namespace {

using fastla::RowArgs;

// The operands of row i.
template <class T> struct Row {
  const char *x, *other;  // in[0], in[1]
  char *y;
  int64_t cols;
  Row(const RowArgs &a, int64_t i)
      : x(a.in[0].data + i * a.in[0].stride),
        other(a.in[1].data + i * a.in[1].stride),
        y(const_cast<char *>(a.out.data) + i * a.out.stride),
        cols(a.cols) {}
};
template <class T> FASTLA_INLINE T &stat(char *stats, int64_t i) {
  return reinterpret_cast<T *>(stats)[i];
}

template <class T> void softmax_near(const RowArgs &a) {
  for (int64_t i = 0; i < a.rows; ++i) {
    const Row<T> row(a, i);
    const T most = largest<T>(row.x, row.cols);
    const T factor = T(1) / exponentials<T>(row.x, row.y, row.cols, most);
    each_vector<T>(row.cols, [&](int64_t at, auto part) FASTLA_LAMBDA {
      part.store(row.y + at, part.load(row.y + at, Vec<T>{}) * factor);
    });
  }
}

// Past the caches: while a row's exponentials are computed the next one's maximum is found and the one before is stored,
// so that memory works all the time. Prefetchers stop at the end of a page: the next lines are asked for.
template <class T> void softmax_far(const RowArgs &a) {
  constexpr int64_t lines = 1024, width = FASTLA_VECTOR_BYTES;
  const int64_t size = sizeof(T), bytes = a.cols * size;
  T most = largest<T>(Row<T>(a, 0).x, a.cols), factor = 0;
  const auto finish = [&](char *y, int64_t at, auto part) FASTLA_LAMBDA {
    part.store(y + at, part.load(a.spare + at, Vec<T>{}) * factor);
  };
  for (int64_t i = 0; i < a.rows; ++i) {
    const Row<T> row(a, i), next(a, i + 1 < a.rows ? i + 1 : i), before(a, i ? i - 1 : i);
    const int64_t first = before_aligned<T>(before.y, a.cols);
    if (i && first) finish(before.y, 0, Part<T>(first / size));
    Lanes16<T> sum(0), top(-infinity<T>());
    sum.visit(a.cols, top, [&](Vec<T> &s, Vec<T> &t, int64_t at, auto part) FASTLA_LAMBDA {
      __builtin_prefetch(next.x + at + lines);
      t = larger<T>(part.load(next.x + at, t), t);
      const Vec<T> e = exp_of_negative<T>(part.load(row.x + at, splat(-infinity<T>())) - most);
      const int64_t to = first + at;  // never behind `at`: what is stored now is overwritten later
      if (i && to + width <= bytes)
        finish(before.y, to, Streamed<T>());
      else if (i && to < bytes)
        finish(before.y, to, Part<T>((bytes - to) / size));
      part.store(a.spare + at, e);
      s += e;
    });
    factor = T(1) / sum.sum();
    most = largest_of<T>(top);
  }
  char *const y = Row<T>(a, a.rows - 1).y;
  each_vector_of<T>(y, true, a.cols,
                    [&](int64_t at, auto part) FASTLA_LAMBDA { finish(y, at, part); });
}

template <class T> void softmax(const RowArgs &a) {
  const bool aligned = (uintptr_t(a.out.data) | uintptr_t(a.out.stride)) % sizeof(T) == 0;
  a.far &&aligned ? softmax_far<T>(a) : softmax_near<T>(a);
}

// The sum of exponentials of x - m.
template <class T> T exponential_sum(const char *x, int64_t cols, T m) {
  Lanes16<T> sum(0);
  sum.visit(cols, [&](Vec<T> &s, int64_t at, auto part) FASTLA_LAMBDA {
    s += exp_of_negative<T>(part.load(x + at, splat(-infinity<T>())) - m);
  });
  return sum.sum();
}
template <class T> FASTLA_INLINE T log_of_one(T x) { return log<T>(splat(x))[0]; }

template <class T> void log_softmax(const RowArgs &a) {
  for (int64_t i = 0; i < a.rows; ++i) {
    const Row<T> row(a, i);
    const T m = largest<T>(row.x, row.cols),
            rest = log_of_one<T>(exponential_sum<T>(row.x, row.cols, m));
    each_vector_of<T>(row.y, a.far, row.cols, [&](int64_t at, auto part) FASTLA_LAMBDA {
      part.store(row.y + at, (part.load(row.x + at, Vec<T>{}) - m) - rest);
    });
  }
}

// dx = y (dy - sum(dy y)); x is dy, other is y.
template <class T> void softmax_backward(const RowArgs &a) {
  for (int64_t i = 0; i < a.rows; ++i) {
    const Row<T> row(a, i);
    const T dot = row_dot<T>(row.x, row.other, row.cols);
    each_vector<T>(row.cols, [&](int64_t at, auto part) FASTLA_LAMBDA {
      const Vec<T> dy = part.load(row.x + at, Vec<T>{}), y = part.load(row.other + at, Vec<T>{});
      part.store(row.y + at, y * (dy - dot));
    });
  }
}

// dx = dy - exp(y) sum(dy)
template <class T> void log_softmax_backward(const RowArgs &a) {
  for (int64_t i = 0; i < a.rows; ++i) {
    const Row<T> row(a, i);
    const T sum = row_sum<T>(row.x, row.cols);
    each_vector<T>(row.cols, [&](int64_t at, auto part) FASTLA_LAMBDA {
      const Vec<T> dy = part.load(row.x + at, Vec<T>{}), y = part.load(row.other + at, Vec<T>{});
      part.store(row.y + at, fma(-exp_of_negative<T>(y), splat(sum), dy));
    });
  }
}

}  // namespace
