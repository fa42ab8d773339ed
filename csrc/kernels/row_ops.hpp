// Operations on the rows of a matrix: norms, cross entropy, activations, and what goes back through them; the table of them
// and of what else is of float32 and float64.
//
// docs/rows.md: element e of a row belongs to virtual lane e mod 16, at every vector width.
// Nothing here is promised to raise the flags that the data would.
#pragma once
#include "kernels/attend.hpp"
#include "kernels/derivatives.hpp"
#include "kernels/exponentials.hpp"
#include "kernels/lanes16.hpp"
#include "kernels/math.hpp"
#include "kernels/nearest.hpp"
#include "kernels/ops.hpp"
#include "kernels/rank.hpp"
#include "kernels/softmax.hpp"
#include "kernels/sparse.hpp"
#include "kernels/turns.hpp"
#include "kernels/updates.hpp"

namespace {

// --- cross entropy ----------------------------------------------------------------------------------------------

// Of each row with a target t: its loss (1 - e) (L - x[t]) + e mean(L - x), L the logarithm of the sum of exponentials;
// stat[1]: L. Rows whose target is negative have none.
template <class T> void cross_entropy(const RowArgs &a) {
  const T smooth = T(a.param);
  for (int64_t i = 0; i < a.rows; ++i) {
    const Row<T> row(a, i);
    const T m = largest<T>(row.x, row.cols);
    stat<T>(a.stat[0], i) = m;
    stat<T>(a.stat[1], i) = exponential_sum<T>(row.x, row.cols, m);
  }
  // A logarithm takes as long as a vector of them.
  each_vector<T>(a.rows, [&](int64_t at, auto part) FASTLA_LAMBDA {
    const Vec<T> sum = part.load(a.stat[1] + at, splat(T(1)));
    part.store(a.stat[1] + at, part.load(a.stat[0] + at, Vec<T>{}) + log<T>(sum));
  });
  for (int64_t i = 0; i < a.rows; ++i) {
    const Row<T> row(a, i);
    const T level = stat<T>(a.stat[1], i);
    T loss = 0;
    if (a.target[i] >= 0) {
      loss = level - load_scalar<T>(row.x + a.target[i] * int64_t(sizeof(T)));
      if (smooth != 0)
        loss =
            (T(1) - smooth) * loss + smooth * (level - row_sum<T>(row.x, row.cols) / T(row.cols));
    }
    stat<T>(a.stat[0], i) = loss;
  }
}

// (exp(x - L) - e / cols - (1 - e) [j = t]) times stat[0], 0 where there is no target.
template <class T> void cross_entropy_backward(const RowArgs &a) {
  const T smooth = T(a.param), share = smooth / T(a.cols);
  for (int64_t i = 0; i < a.rows; ++i) {
    const Row<T> row(a, i);
    const bool none = a.target[i] < 0;
    const T level = stat<T>(a.stat[1], i), scale = none ? T(0) : stat<T>(a.stat[0], i);
    each_vector<T>(row.cols, [&](int64_t at, auto part) FASTLA_LAMBDA {
      const Vec<T> p = exp_of_negative<T>(part.load(row.x + at, splat(level)) - level);
      part.store(row.y + at, none ? Vec<T>{} : (p - share) * scale);
    });
    if (none) continue;
    char *const at = row.y + a.target[i] * int64_t(sizeof(T));
    store_scalar<T>(at, fma(splat(smooth - T(1)), splat(scale), splat(load_scalar<T>(at)))[0]);
  }
}

// --- norms ------------------------------------------------------------------------------------------------------

// What weight and bias make of a normalised element.
template <class T> struct Scale {
  const char *weight, *bias;
  template <class P> FASTLA_INLINE Vec<T> operator()(Vec<T> v, int64_t at, P part) const {
    if (weight && bias)
      return fma(v, part.load(weight + at, Vec<T>{}), part.load(bias + at, Vec<T>{}));
    if (weight) return v * part.load(weight + at, Vec<T>{});
    return bias ? v + part.load(bias + at, Vec<T>{}) : v;
  }
};

FASTLA_INLINE float root(float x) { return __builtin_sqrtf(x); }
FASTLA_INLINE double root(double x) { return __builtin_sqrt(x); }
template <class T> T inverse_root(T square, const RowArgs &a) {
  return T(1) / root(square / T(a.cols) + T(a.param));
}

template <class T, bool centred> void norm(const RowArgs &a) {
  const Scale<T> scale{a.weight, a.bias};
  for (int64_t i = 0; i < a.rows; ++i) {
    const Row<T> row(a, i);
    const T mean = centred ? row_sum<T>(row.x, row.cols) / T(row.cols) : T(0);
    Lanes16<T> squares(0);
    squares.visit(row.cols, [&](Vec<T> &s, int64_t at, auto part) FASTLA_LAMBDA {
      __builtin_prefetch(row.x + at + a.in[0].stride);
      Vec<T> v = part.load(row.x + at, splat(mean));
      if (centred) v -= mean;
      s = fma(v, v, s);
    });
    const T factor = inverse_root<T>(squares.sum(), a);
    if (a.stat[0]) stat<T>(a.stat[0], i) = mean;
    if (a.stat[1]) stat<T>(a.stat[1], i) = factor;
    if (!row.y) continue;
    each_vector_of<T>(row.y, a.far, row.cols, [&](int64_t at, auto part) FASTLA_LAMBDA {
      Vec<T> v = part.load(row.x + at, Vec<T>{});
      if (centred) v -= mean;
      part.store(row.y + at, scale(v * factor, at, part));
    });
  }
}

// dx = factor (g - mean(g) - n mean(g n)), g = dy weight, n = (x - mean) factor; without the first mean where rows were
// not centred. x is dy, other is x. The columns' sums of dy n and dy go to sums[0] and sums[1], a chain over the rows.
template <class T, bool centred> void norm_backward(const RowArgs &a) {
  const Scale<T> scale{a.weight, nullptr};
  for (int64_t i = 0; i < a.rows; ++i) {
    const Row<T> row(a, i);
    const T mean = centred ? stat<T>(a.stat[0], i) : T(0), factor = stat<T>(a.stat[1], i);
    const auto normal = [&](int64_t at, auto part) FASTLA_LAMBDA {
      return (part.load(row.other + at, splat(mean)) - mean) * factor;
    };
    Lanes16<T> plain(0), dots(0);
    dots.visit(row.cols, plain, [&](Vec<T> &s, Vec<T> &t, int64_t at, auto part) FASTLA_LAMBDA {
      const Vec<T> dy = part.load(row.x + at, Vec<T>{}), g = scale(dy, at, part),
                   n = normal(at, part);
      s = fma(g, n, s);
      t += g;
      char *const weights = a.sums[0] + at, *const biases = a.sums[1] + at;
      if (a.sums[0]) part.store(weights, fma(dy, n, part.load(weights, Vec<T>{})));
      if (a.sums[1]) part.store(biases, dy + part.load(biases, Vec<T>{}));
    });
    const T dot = dots.sum() / T(row.cols), shift = centred ? plain.sum() / T(row.cols) : T(0);
    if (!row.y) continue;
    each_vector<T>(row.cols, [&](int64_t at, auto part) FASTLA_LAMBDA {
      const Vec<T> g = scale(part.load(row.x + at, Vec<T>{}), at, part);
      part.store(row.y + at, fma(-normal(at, part), splat(dot), g - shift) * factor);
    });
  }
}

// --- element by element -----------------------------------------------------------------------------------------

template <class T> void activation(const RowArgs &a) {
  with_activation<T>(a.activation, [&](auto act) FASTLA_LAMBDA {
    for (int64_t i = 0; i < a.rows; ++i) {
      const Row<T> row(a, i);
      each_vector_of<T>(row.y, a.far, row.cols, [&](int64_t at, auto part) FASTLA_LAMBDA {
        part.store(row.y + at, act(part.load(row.x + at, Vec<T>{})));
      });
    }
  });
}
// dx = dy act'(x); x is dy, other is x.
template <class T> void activation_backward(const RowArgs &a) {
  with_derivative<T>(a.activation, [&](auto slope) FASTLA_LAMBDA {
    for (int64_t i = 0; i < a.rows; ++i) {
      const Row<T> row(a, i);
      each_vector<T>(row.cols, [&](int64_t at, auto part) FASTLA_LAMBDA {
        const Vec<T> dy = part.load(row.x + at, Vec<T>{});
        part.store(row.y + at, dy * slope(part.load(row.other + at, Vec<T>{})));
      });
    }
  });
}

template <class T> void swiglu(const RowArgs &a) {
  for (int64_t i = 0; i < a.rows; ++i) {
    const Row<T> row(a, i);
    each_vector_of<T>(row.y, a.far, row.cols, [&](int64_t at, auto part) FASTLA_LAMBDA {
      const Vec<T> up = part.load(row.other + at, Vec<T>{});
      part.store(row.y + at, silu<T>(part.load(row.x + at, Vec<T>{})) * up);
    });
  }
}
// dz = (dy up) silu'(z), dup = dy silu(z); x is dy, other is z.
template <class T> void swiglu_backward(const RowArgs &a) {
  for (int64_t i = 0; i < a.rows; ++i) {
    const Row<T> row(a, i);
    const char *const ups = a.in[2].data + i * a.in[2].stride;
    char *const dups = const_cast<char *>(a.more.data) + i * a.more.stride;
    each_vector<T>(row.cols, [&](int64_t at, auto part) FASTLA_LAMBDA {
      const Vec<T> dy = part.load(row.x + at, Vec<T>{}), z = part.load(row.other + at, Vec<T>{});
      const Vec<T> up = part.load(ups + at, Vec<T>{});
      part.store(row.y + at, dy * up * silu_slope<T>(z));
      part.store(dups + at, dy * silu<T>(z));
    });
  }
}

// Some rows at a time, as memory has them, so that sums need not be stored for each.
template <class T, int rows>
FASTLA_INLINE void centre_rows(const fastla::CentreArgs &a, int64_t first) {
  const int64_t width = a.panel_cols * int64_t(sizeof(T));
  const char *from = a.x + first * a.stride, *shift = a.shift;
  char *to = a.panels + first * width, *sums = a.sums;
  for (int64_t cols = a.cols; cols > 0; cols -= a.panel_cols) {
    each_vector<T>(cols < a.panel_cols ? cols : a.panel_cols,
                   [&](int64_t at, auto part) FASTLA_LAMBDA {
                     const Vec<T> less = part.load(shift + at, Vec<T>{});
                     Vec<T> sum = part.load(sums + at, Vec<T>{});
#pragma GCC unroll 4
                     for (int i = 0; i < rows; ++i) {
                       __builtin_prefetch(from + (i + 8) * a.stride + at);
                       const Vec<T> y = part.load(from + i * a.stride + at, Vec<T>{}) - less;
                       part.store(to + i * width + at, y);
                       sum += y;
                     }
                     part.store(sums + at, sum);
                   });
    from += width, shift += width, sums += width, to += a.panel_bytes;
  }
}
template <class T> void centre(const fastla::CentreArgs &a) {
  int64_t i = 0;
  for (; i + 4 <= a.rows; i += 4) centre_rows<T, 4>(a, i);
  for (; i < a.rows; ++i) centre_rows<T, 1>(a, i);
}

template <class T> double dot_of(const char *x, const char *y, int64_t cols) {
  return double(row_dot<T>(x, y, cols));
}

template <class T> constexpr fastla::RowOps make_row_ops() {
  return {{&softmax<T>, &log_softmax<T>, &softmax_backward<T>, &log_softmax_backward<T>,
           &cross_entropy<T>, &cross_entropy_backward<T>, &norm<T, true>, &norm<T, false>,
           &norm_backward<T, true>, &norm_backward<T, false>, &activation<T>,
           &activation_backward<T>, &swiglu<T>, &swiglu_backward<T>},
          {&sgd<T>, &adam<T>},
          &turn<T>,
          &attend<T>,
          &attend_backward<T>,
          &merge<T>,
          &dot_of<T>,
          &divide<T>,
          &log_of<T>,
          &centre<T>,
          &sparse<T>,
          &rank<T>,
          &next_not_below<T>,
          &first_largest<T>,
          &squared_distance<T>};
}

}  // namespace
