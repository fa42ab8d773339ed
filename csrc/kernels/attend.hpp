// Attention on one chunk of keys: scores become weights, with their maximum and sum; and how chunks' states meet.
//
// docs/contract.md, "Attention". Rows are of scores, which the tiles of a product have left; column 0 is the chunk's
// first key, so that virtual lanes are those of the keys' positions.
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
template <class T> void cap(char *s, int64_t n, T limit) {
  each_vector<T>(n, [&](int64_t at, auto part) FASTLA_LAMBDA {
    part.store(s + at, limit * tanh<T>(part.load(s + at, Vec<T>{}) / limit));
  });
}
template <class T> void add_bias(char *s, int64_t n, const char *bias, int64_t step) {
  if (step == sizeof(T))
    return each_vector<T>(n, [&](int64_t at, auto part) FASTLA_LAMBDA {
      part.store(s + at, part.load(s + at, Vec<T>{}) + part.load(bias + at, Vec<T>{}));
    });
  for (int64_t j = 0; j < n; ++j, s += sizeof(T))
    store_scalar<T>(s, load_scalar<T>(s) + load_scalar<T>(bias + j * step));
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
    cap<T>(kept, n, T(a.softcap));
    for (int64_t j = 0; slopes && j < n; ++j) {
      const T t = load_scalar<T>(kept + j * size) / T(a.softcap);
      slopes[low + j] = T(1) - t * t;
    }
  }
  if (a.bias) add_bias<T>(kept, n, a.bias[i] + low * a.bias_step, a.bias_step);
  if (a.slope) add_slope<T>(kept, low, n, T(a.slope[i]), a.position[i]);
  if (a.mask) hide<T>(kept, n, a.mask[i] + low * a.mask_step, a.mask_step);
  set_columns<T>(s, a.begin, low, -infinity<T>());
  set_columns<T>(s, high, a.end, -infinity<T>());
}

template <class T> void attend(const AttendArgs &a) {
  for (int64_t i = 0; i < a.rows; ++i) {
    settle<T>(a, i, nullptr);
    char *const first = a.scores + i * a.stride + a.begin * int64_t(sizeof(T));
    const T most = largest<T>(first, a.end - a.begin);
    // With nothing kept all weights are 0, and NaN where a score is.
    const T from = most == -infinity<T>() ? T(0) : most;
    reinterpret_cast<T *>(a.most)[i] = most;
    reinterpret_cast<T *>(a.sum)[i] = exponentials<T>(first, first, a.end - a.begin, from);
    if (a.dropout == 0) continue;
    T factors[fastla::kKeys + 16];
    survival<T>(a, i, factors);
    T *const weights = reinterpret_cast<T *>(a.scores + i * a.stride);
    for (int64_t j = a.begin; j < a.end; ++j) weights[j] *= factors[j];
  }
}

// Scores become the weights that they had, p = exp(score - lse), and the weights' gradients dp those of the products,
// p (dp - shift), times the cap's slopes; both 0 where a key was hidden.
template <class T> void attend_backward(const AttendArgs &a, const fastla::AttendGradients &g) {
  T slopes[fastla::kKeys + 16], factors[fastla::kKeys + 16];
  for (int64_t i = 0; i < a.rows; ++i) {
    settle<T>(a, i, slopes);
    if (a.dropout != 0) survival<T>(a, i, factors);
    char *const s = a.scores + i * a.stride, *const d = g.gradients + i * a.stride;
    const T lse = reinterpret_cast<const T *>(g.lse)[i],
            shift = reinterpret_cast<const T *>(g.shift)[i];
    const Vec<T> none = splat(-infinity<T>());
    each_vector<T>(a.end - a.begin, [&](int64_t offset, auto part) FASTLA_LAMBDA {
      const int64_t at = offset + a.begin * int64_t(sizeof(T));
      const Vec<T> score = part.load(s + at, none);
      const IVec<T> hidden = bits<T>(score) == bits<T>(none);
      const Vec<T> p = select<T>(hidden, Vec<T>{}, exp_of_negative<T>(score - lse));
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

// exp(x) for x <= 0, of one number.
template <class T> FASTLA_INLINE T weight_of(T x) { return exp_of_negative<T>(splat(x))[0]; }

template <class T> void merge(const MergeArgs &a) {
  for (int64_t i = 0; i < a.rows; ++i) {
    T &most = reinterpret_cast<T *>(a.most)[i], &sum = reinterpret_cast<T *>(a.sum)[i];
    const T m = reinterpret_cast<const T *>(a.chunk_most)[i],
            l = reinterpret_cast<const T *>(a.chunk_sum)[i];
    if (l == 0) continue;
    char *const o = a.out + i * a.out_stride;
    const char *const chunk = a.chunk_out + i * a.chunk_stride;
    const T larger = m > most ? m : most;
    const T old = most == larger ? T(1) : weight_of<T>(most - larger);
    const T fresh = m == larger ? T(1) : weight_of<T>(m - larger);
    each_vector<T>(a.cols, [&](int64_t at, auto part) FASTLA_LAMBDA {
      const Vec<T> sums = part.load(o + at, Vec<T>{}) * old;
      part.store(o + at, fma(part.load(chunk + at, Vec<T>{}), splat(fresh), sums));
    });
    sum = fma(splat(l), splat(fresh), splat(sum * old))[0];
    most = larger;
  }
}

// o / sum, or 0 where nothing was kept.
template <class T> void divide(const char *o, double sum, char *to, int64_t cols) {
  const T by = T(sum);
  each_vector<T>(cols, [&](int64_t at, auto part) FASTLA_LAMBDA {
    const Vec<T> v = part.load(o + at, Vec<T>{});
    part.store(to + at, by == 0 ? Vec<T>{} : v / by);
  });
}

template <class T> double log_of(double x) { return double(log<T>(splat(T(x)))[0]); }

}  // namespace
