// Steps of PageRank: what comes in along the edges to each node, in double whatever the ranks are.
#pragma once
#include "kernels/lanes16.hpp"
#include "kernels/ops.hpp"
#include "kernels/sparse.hpp"

namespace {

using fastla::RankArgs;

// Ranks of so many edges further on are asked for: those of later nodes, too.
constexpr int64_t kRankAhead = 64;
// 2^60, of which ranks are whole multiples where they are added up.
constexpr double kRankUnit = double(int64_t{1} << 60);

template <class T, bool weighted>
FASTLA_INLINE double rank_term(const RankArgs &a, int64_t entry, const char *x) {
  const double value = double(load_scalar<T>(x));
  if constexpr (weighted)
    return double(load_scalar<T>(a.weights + entry * int64_t(sizeof(T)))) * value;
  else
    return value;
}

// What becomes of a node's sum in one column.
template <class T>
FASTLA_INLINE void rank_node(const RankArgs &a, int64_t i, int64_t c, double sum) {
  const int64_t at = (i * a.columns + c) * int64_t(sizeof(T));
  double rank = a.alpha * sum + a.jump_factor[c] * a.jump[i * a.jump_row + c * a.jump_column];
  if (a.sink) rank += a.sink_factor[c] * a.sink[i * a.sink_row + c * a.sink_column];
  const T before = load_scalar<T>(a.from + at), now = T(rank),
          inverse = load_scalar<T>(a.inverse + i * int64_t(sizeof(T)));
  store_scalar<T>(a.to + at, now);
  store_scalar<T>(a.next + at, now * inverse);
  const uint64_t whole = uint64_t(int64_t(double(now) * kRankUnit));
  a.total[c] += whole;
  a.dangling[c] += inverse == 0 ? whole : 0;
  const double change = double(now) - double(before);
  a.change[c] += uint64_t(int64_t((change < 0 ? -change : change) * kRankUnit));
}

// A column: edges in four chains, by their place, so that additions do not wait for each other.
template <class T, class I, bool weighted> void rank_column(const RankArgs &a, int64_t column) {
  const int64_t row = a.columns * int64_t(sizeof(T)), far = a.entries - kRankAhead - 4;
  const char *const x = a.x + column * int64_t(sizeof(T));
  int64_t p = index_at<I>(a.starts, a.begin);
  for (int64_t i = a.begin; i < a.end; ++i) {
    const int64_t end = index_at<I>(a.starts, i + 1);
    double s[4] = {};
    const auto add = [&](int lane) FASTLA_LAMBDA {
      s[lane] += rank_term<T, weighted>(a, p + lane, x + index_at<I>(a.indices, p + lane) * row);
    };
    for (; p + 4 <= end; p += 4) {
      if (p < far)
#pragma GCC unroll 4
        for (int lane = 0; lane < 4; ++lane)
          __builtin_prefetch(x + index_at<I>(a.indices, p + kRankAhead + lane) * row);
#pragma GCC unroll 4
      for (int lane = 0; lane < 4; ++lane) add(lane);
    }
    const int64_t rest = end - p;
    if (p < far)
      for (int lane = 0; lane < rest; ++lane)
        __builtin_prefetch(x + index_at<I>(a.indices, p + kRankAhead + lane) * row);
    if (rest > 0) add(0);
    if (rest > 1) add(1);
    if (rest > 2) add(2);
    p = end;
    rank_node<T>(a, i, column, (s[0] + s[2]) + (s[1] + s[3]));
  }
}

// As many ranks as a vector of doubles has.
template <class T> struct RankVector {
  static constexpr int lanes = Simd<double>::lanes;
  typedef T Few __attribute__((vector_size(lanes * sizeof(T)), aligned(1), may_alias));
  static FASTLA_INLINE Vec<double> load(const char *p) {
    return (Vec<double>)__builtin_convertvector(*reinterpret_cast<const Few *>(p), Vec<double>);
  }
};

// Columns side by side, V vectors, with the bits of each alone.
template <class T, class I, bool weighted, int V>
void rank_columns(const RankArgs &a, int64_t column) {
  constexpr int lanes = Simd<double>::lanes, size = int(sizeof(T));
  const int64_t row = a.columns * size;
  const char *const x = a.x + column * size;
  int64_t p = index_at<I>(a.starts, a.begin);
  for (int64_t i = a.begin; i < a.end; ++i) {
    const int64_t end = index_at<I>(a.starts, i + 1);
    Vec<double> s[4][V] = {};
    const auto add = [&](int lane) FASTLA_LAMBDA {
      const char *const from = x + index_at<I>(a.indices, p + lane) * row;
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        Vec<double> term = RankVector<T>::load(from + v * lanes * size);
        if constexpr (weighted)
          term = splat(double(load_scalar<T>(a.weights + (p + lane) * size))) * term;
        s[lane][v] += term;
      }
    };
    for (; p + 4 <= end; p += 4)
#pragma GCC unroll 4
      for (int lane = 0; lane < 4; ++lane) add(lane);
    const int64_t rest = end - p;
    if (rest > 0) add(0);
    if (rest > 1) add(1);
    if (rest > 2) add(2);
    p = end;
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const Vec<double> sum = (s[0][v] + s[2][v]) + (s[1][v] + s[3][v]);
      for (int l = 0; l < lanes; ++l) rank_node<T>(a, i, column + v * lanes + l, sum[l]);
    }
  }
}

template <class T, class I, bool weighted> void rank_all(const RankArgs &a) {
  constexpr int64_t lanes = Simd<double>::lanes;
  int64_t c = 0;
  for (; c + 2 * lanes <= a.columns; c += 2 * lanes) rank_columns<T, I, weighted, 2>(a, c);
  for (; c + lanes <= a.columns; c += lanes) rank_columns<T, I, weighted, 1>(a, c);
  for (; c < a.columns; ++c) rank_column<T, I, weighted>(a, c);
}
template <class T> void rank(const RankArgs &a) {
  if (a.weights)
    a.index_bytes == 4 ? rank_all<T, int32_t, true>(a) : rank_all<T, int64_t, true>(a);
  else
    a.index_bytes == 4 ? rank_all<T, int32_t, false>(a) : rank_all<T, int64_t, false>(a);
}

}  // namespace
