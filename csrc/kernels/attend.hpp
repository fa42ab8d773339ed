// Attention on one chunk of keys: scores become weights, with their maximum and sum; and how chunks' states meet.
//
// docs/rows.md, "Attention". Rows are of scores, which the tiles of a product have left, times log2(e): powers are of 2.
// Column 0 is the chunk's first key, so that virtual lanes are those of the keys' positions.
#pragma once
#include "kernels/exponentials.hpp"
#include "kernels/ops.hpp"

namespace {

using fastla::AttendArgs;
using fastla::MergeArgs;

template <class T> void set_columns(char *s, int64_t from, int64_t to, T value) {
  for (int64_t j = from; j < to; ++j) store_scalar<T>(s + j * int64_t(sizeof(T)), value);
}

// Columns [0, n) of a row, or of a matrix that is added to it; masks are bytes.
constexpr double kLog2e = 0x1.71547652b82fep0;
template <class T> void cap(char *s, int64_t n, T limit) {
  each_vector<T>(n, [&](int64_t at, auto part) FASTLA_LAMBDA {
    part.store(s + at, limit * tanh<T>(part.load(s + at, Vec<T>{}) / limit));
  });
}
template <class T> void add_bias(char *s, int64_t n, const char *bias, int64_t step) {
  const Vec<T> factor = splat(T(kLog2e));
  if (step == sizeof(T))
    return each_vector<T>(n, [&](int64_t at, auto part) FASTLA_LAMBDA {
      const Vec<T> b = part.load(bias + at, Vec<T>{});
      part.store(s + at, fma(b, factor, part.load(s + at, Vec<T>{})));
    });
  for (int64_t j = 0; j < n; ++j, s += sizeof(T)) {
    const Vec<T> b = splat(load_scalar<T>(bias + j * step));
    store_scalar<T>(s, fma(b, factor, splat(load_scalar<T>(s)))[0]);
  }
}
// s - slope |position - j|
template <class T> void add_slope(char *s, int64_t from, int64_t n, T slope, int64_t position) {
  for (int64_t j = from; j < from + n; ++j, s += sizeof(T)) {
    const T distance = T(j < position ? position - j : j - position);
    store_scalar<T>(s, fma(splat(-slope), splat(distance), splat(load_scalar<T>(s)))[0]);
  }
}
template <class T> void hide(char *s, int64_t n, const char *mask, int64_t step) {
  for (int64_t j = 0; j < n; ++j, s += sizeof(T), mask += step)
    if (!*mask) store_scalar<T>(s, -infinity<T>());
}

// What becomes of a weight: 0, or a factor that keeps the mean. The numbers are splitmix64's (Steele, Lea, Flood, 2014).
FASTLA_INLINE uint64_t random_bits(uint64_t seed, uint64_t number) {
  uint64_t z = seed + (number + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
template <class T> void survival(const AttendArgs &a, int64_t i, T *factors) {
  const uint64_t least = uint64_t(a.dropout * 0x1p53) << 11;
  const T factor = T(1 / (1 - a.dropout));
  for (int64_t j = a.begin; j < a.end; ++j)
    factors[j] = random_bits(a.seed, uint64_t(a.number[i] + j)) >= least ? factor : T(0);
}

// Row i of the scores: what is asked for done to the keys that it sees, and -Inf elsewhere. `slopes`, if any: those of the
// cap, for each column.
template <class T> FASTLA_INLINE void settle(const AttendArgs &a, int64_t i, T *slopes) {
  constexpr int64_t size = sizeof(T);
  char *const s = a.scores + i * a.stride;
  const int64_t low = a.low[i] < a.begin ? a.begin : a.low[i];
  const int64_t high = a.high[i] > a.end ? a.end : a.high[i], n = high - low;
  if (n <= 0) return set_columns<T>(s, a.begin, a.end, -infinity<T>());
  char *const kept = s + low * size;
  if (a.softcap != 0) {
    const T limit = T(a.softcap * kLog2e);
    cap<T>(kept, n, limit);
    for (int64_t j = 0; slopes && j < n; ++j) {
      const T t = load_scalar<T>(kept + j * size) / limit;
      slopes[low + j] = T(1) - t * t;
    }
  }
  if (a.bias) add_bias<T>(kept, n, a.bias[i] + low * a.bias_step, a.bias_step);
  if (a.slope) add_slope<T>(kept, low, n, T(a.slope[i] * kLog2e), a.position[i]);
  if (a.mask) hide<T>(kept, n, a.mask[i] + low * a.mask_step, a.mask_step);
  set_columns<T>(s, a.begin, low, -infinity<T>());
  set_columns<T>(s, high, a.end, -infinity<T>());
}

// Of some rows side by side: their largest elements; weights, and their sums.
template <class T, int rows>
FASTLA_INLINE void maxima(const char *x, int64_t stride, int64_t cols, T *to) {
  Rows16<T, rows> most(-infinity<T>());
  most.visit(cols, [&](Vec<T> &m, int row, int64_t at)
                       FASTLA_LAMBDA { m = larger<T>(load<T>(x + row * stride + at), m); });
  most.fold(to, [](auto a, auto b) FASTLA_LAMBDA { return b > a ? b : a; });
}
template <class T, int rows>
FASTLA_INLINE void weights(char *x, int64_t stride, int64_t cols, const T *most, T *sum) {
  Rows16<T, rows> sums(0);
  Vec<T> from[rows];
#pragma GCC unroll 4
  for (int row = 0; row < rows; ++row)
    // With nothing kept all weights are 0, and NaN where a score is.
    from[row] = splat(most[row] == -infinity<T>() ? T(0) : most[row]);
  sums.visit(cols, [&](Vec<T> &s, int row, int64_t at) FASTLA_LAMBDA {
    char *const place = x + row * stride + at;
    const Vec<T> e = exp2_of_negative<T>(load<T>(place) - from[row]);
    store<T>(place, e);
    s += e;
  });
  sums.fold(sum, [](auto a, auto b) FASTLA_LAMBDA { return a + b; });
}

// All maxima, then all exponentials: so no row waits for its own.
template <class T> void attend(const AttendArgs &a) {
  constexpr int64_t size = sizeof(T), some = kManyRegisters ? 4 : 2;
  T *const most = reinterpret_cast<T *>(a.most), *const sum = reinterpret_cast<T *>(a.sum);
  const auto first = [&](int64_t i) { return a.scores + i * a.stride + a.begin * size; };
  const int64_t cols = a.end - a.begin;
  const bool asked = a.softcap != 0 || a.bias || a.slope || a.mask;
  for (int64_t i = 0; i < a.rows; ++i)
    if (asked || a.low[i] > a.begin || a.high[i] < a.end) settle<T>(a, i, nullptr);
  int64_t i = 0;
  for (; i + some <= a.rows; i += some) maxima<T, some>(first(i), a.stride, cols, most + i);
  for (; i < a.rows; ++i) maxima<T, 1>(first(i), a.stride, cols, most + i);
  i = 0;
  for (; i + some <= a.rows; i += some)
    weights<T, some>(first(i), a.stride, cols, most + i, sum + i);
  for (; i < a.rows; ++i) weights<T, 1>(first(i), a.stride, cols, most + i, sum + i);
  if (a.dropout == 0) return;
  for (i = 0; i < a.rows; ++i) {
    T factors[fastla::kKeys + 16];
    survival<T>(a, i, factors);
    T *const w = reinterpret_cast<T *>(a.scores + i * a.stride);
    for (int64_t j = a.begin; j < a.end; ++j) w[j] *= factors[j];
  }
}

// Scores become the weights that they had, p = 2^(score - lse log2(e)), and the weights' gradients dp those of the products,
// p (dp - shift), times the cap's slopes; both 0 where a key was hidden.
template <class T> void attend_backward(const AttendArgs &a, const fastla::AttendGradients &g) {
  T slopes[fastla::kKeys + 16], factors[fastla::kKeys + 16];
  for (int64_t i = 0; i < a.rows; ++i) {
    settle<T>(a, i, slopes);
    if (a.dropout != 0) survival<T>(a, i, factors);
    char *const s = a.scores + i * a.stride, *const d = g.gradients + i * a.stride;
    const T lse = reinterpret_cast<const T *>(g.lse)[i] * T(kLog2e),
            shift = reinterpret_cast<const T *>(g.shift)[i];
    const Vec<T> none = splat(-infinity<T>());
    each_vector<T>(a.end - a.begin, [&](int64_t offset, auto part) FASTLA_LAMBDA {
      const int64_t at = offset + a.begin * int64_t(sizeof(T));
      const Vec<T> score = part.load(s + at, none);
      const IVec<T> hidden = bits<T>(score) == bits<T>(none);
      const Vec<T> p = select<T>(hidden, Vec<T>{}, exp2_of_negative<T>(score - lse));
      Vec<T> dp = part.load(d + at, Vec<T>{}), kept = p;
      if (a.dropout != 0) {
        const Vec<T> factor = load<T>(reinterpret_cast<const char *>(factors) + at);
        dp *= factor;
        kept *= factor;
      }
      Vec<T> ds = p * (dp - shift);
      if (a.softcap != 0) ds *= load<T>(reinterpret_cast<const char *>(slopes) + at);
      part.store(s + at, kept);
      part.store(d + at, select<T>(hidden, Vec<T>{}, ds));
    });
  }
}

// The factors of so many rows' own sums, and of the chunk's: 0 where it has none.
template <class T> struct Joined {
  static constexpr int64_t rows = 16;
  T old[rows], fresh[rows];

  Joined(char *most, char *sum, const char *chunk_most, const char *chunk_sum, int64_t count) {
    each_vector<T>(count, [&](int64_t at, auto part) FASTLA_LAMBDA {
      const Vec<T> m = part.load(most + at, Vec<T>{}), l = part.load(chunk_sum + at, Vec<T>{});
      const Vec<T> other = l == 0 ? m : part.load(chunk_most + at, Vec<T>{});
      const Vec<T> top = larger<T>(other, m), one = splat<T>(1);
      const Vec<T> keep = m == top ? one : exp2_of_negative<T>(m - top);
      const Vec<T> add = l == 0 ? Vec<T>{} : other == top ? one : exp2_of_negative<T>(other - top);
      part.store(reinterpret_cast<char *>(old) + at, keep);
      part.store(reinterpret_cast<char *>(fresh) + at, add);
      part.store(sum + at, fma(l, add, part.load(sum + at, Vec<T>{}) * keep));
      part.store(most + at, top);
    });
  }
};

template <class T> void merge(const MergeArgs &a) {
  constexpr int64_t size = sizeof(T), some = Joined<T>::rows;
  for (int64_t first = 0; first < a.rows; first += some) {
    const int64_t count = a.rows - first < some ? a.rows - first : some, at = first * size;
    const Joined<T> factors(a.most + at, a.sum + at, a.chunk_most + at, a.chunk_sum + at, count);
    for (int64_t i = 0; i < count; ++i) {
      const Vec<T> old = splat(factors.old[i]), fresh = splat(factors.fresh[i]);
      if (factors.fresh[i] == 0 && factors.old[i] == 1) continue;
      char *const o = a.out + (first + i) * a.out_stride;
      const char *const chunk = a.chunk_out + (first + i) * a.chunk_stride;
      each_vector<T>(a.cols, [&](int64_t j, auto part) FASTLA_LAMBDA {
        const Vec<T> sums = part.load(o + j, Vec<T>{}) * old;
        part.store(o + j, fma(part.load(chunk + j, Vec<T>{}), fresh, sums));
      });
    }
  }
}

// o / sum, or 0 where nothing was kept.
template <class T> void divide(const char *o, double sum, char *to, int64_t cols) {
  const bool none = sum == 0;
  const T factor = none ? T(0) : T(1) / T(sum);
  each_vector<T>(cols, [&](int64_t at, auto part) FASTLA_LAMBDA {
    const Vec<T> v = part.load(o + at, Vec<T>{});
    part.store(to + at, none ? Vec<T>{} : v * factor);
  });
}

template <class T> double log_of(double x) { return double(log<T>(splat(T(x)))[0]); }

}  // namespace
