// Steps of PageRank: what comes in along the edges to each node, in double whatever the ranks are.
#pragma once
#include "kernels/lanes16.hpp"
#include "kernels/ops.hpp"
#include "kernels/sparse.hpp"

namespace {

using fastla::RankArgs;

// Ranks of so many edges further on are asked for: those of later nodes, too.
constexpr int64_t kRankAhead = 64;
// And so many where each is a row of columns.
constexpr int64_t kRankRows = 32;
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

// One column's way from the sums of nodes to their ranks. What it reads for each node is at hand: a pointer, a step.
template <class T> struct RankColumn {
  const char *from, *inverse;
  char *to, *next;
  const double *jump, *sink;
  int64_t row, jump_row, sink_row;
  double alpha, jump_factor, sink_factor;
  uint64_t change = 0, dangling = 0, total = 0;

  FASTLA_INLINE RankColumn(const RankArgs &a, int64_t c)
      : from(a.from + c * int64_t(sizeof(T))),
        inverse(a.inverse),
        to(a.to + c * int64_t(sizeof(T))),
        next(a.next + c * int64_t(sizeof(T))),
        jump(a.jump + c * a.jump_column),
        sink(a.sink ? a.sink + c * a.sink_column : nullptr),
        row(a.columns * int64_t(sizeof(T))),
        jump_row(a.jump_row),
        sink_row(a.sink_row),
        alpha(a.alpha),
        jump_factor(a.jump_factor[c]),
        sink_factor(a.sink ? a.sink_factor[c] : 0) {}

  FASTLA_INLINE void node(int64_t i, double sum) {
    double rank = alpha * sum + jump_factor * jump[i * jump_row];
    if (sink) rank += sink_factor * sink[i * sink_row];
    const T before = load_scalar<T>(from + i * row), now = T(rank),
            back = load_scalar<T>(inverse + i * int64_t(sizeof(T)));
    store_scalar<T>(to + i * row, now);
    store_scalar<T>(next + i * row, now * back);
    const uint64_t whole = uint64_t(int64_t(double(now) * kRankUnit));
    total += whole;
    dangling += back == 0 ? whole : 0;
    const double moved = double(now) - double(before);
    change += uint64_t(int64_t((moved < 0 ? -moved : moved) * kRankUnit));
  }
  FASTLA_INLINE void finish(const RankArgs &a, int64_t c) const {
    a.change[c] += change;
    a.dangling[c] += dangling;
    a.total[c] += total;
  }
};

// A column: edges in four chains, by their place, so that additions do not wait for each other. alone: it is the only one.
template <class T, class I, bool weighted, bool alone>
void rank_column(const RankArgs &a, int64_t column) {
  const int64_t row = alone ? int64_t(sizeof(T)) : a.columns * int64_t(sizeof(T)),
                far = a.far ? a.entries - kRankAhead - 4 : 0, last = a.end;
  const char *const x = a.x + column * int64_t(sizeof(T)), *const indices = a.indices,
                    *const starts = a.starts;
  RankColumn<T> out(a, column);
  if (alone) out.row = sizeof(T);
  int64_t p = index_at<I>(starts, a.begin);
  for (int64_t i = a.begin; i < last; ++i) {
    const int64_t end = index_at<I>(starts, i + 1);
    double s[4] = {};
    const auto add = [&](int lane) FASTLA_LAMBDA {
      s[lane] += rank_term<T, weighted>(a, p + lane, x + index_at<I>(indices, p + lane) * row);
    };
    const auto ask = [&](int lane) FASTLA_LAMBDA {
      __builtin_prefetch(x + index_at<I>(indices, p + kRankAhead + lane) * row);
    };
    for (; p + 4 <= end; p += 4) {
      if (p < far)
#pragma GCC unroll 4
        for (int lane = 0; lane < 4; ++lane) ask(lane);
#pragma GCC unroll 4
      for (int lane = 0; lane < 4; ++lane) add(lane);
    }
    const int64_t rest = end - p;
    if (rest && p < far)  // those of the next few as well: asking twice costs less than a loop
#pragma GCC unroll 4
      for (int lane = 0; lane < 3; ++lane) ask(lane);
    if (rest > 0) add(0);
    if (rest > 1) add(1);
    if (rest > 2) add(2);
    p = end;
    out.node(i, (s[0] + s[2]) + (s[1] + s[3]));
  }
  out.finish(a, column);
}

// As many ranks as a vector of doubles has, and whole multiples of the unit. (GCC 12 converts half vectors in two parts,
// by way of the stack.)
typedef uint64_t RankSums __attribute__((vector_size(FASTLA_VECTOR_BYTES)));
template <class T> struct Ranks {
  static constexpr int lanes = Simd<double>::lanes;
  typedef T Few __attribute__((vector_size(lanes * sizeof(T)), aligned(1), may_alias));
  static FASTLA_INLINE Vec<double> wide(Few x) {
#if FASTLA_VECTOR_BYTES == 64
    if constexpr (sizeof(T) == 4) return (Vec<double>)_mm512_maskz_cvtps_pd(0xff, (__m256)x);
#elif FASTLA_VECTOR_BYTES == 32
    if constexpr (sizeof(T) == 4) return (Vec<double>)_mm256_cvtps_pd((__m128)x);
#endif
    return __builtin_convertvector(x, Vec<double>);
  }
  static FASTLA_INLINE Few narrow(Vec<double> x) {
#if FASTLA_VECTOR_BYTES == 64
    if constexpr (sizeof(T) == 4) return (Few)_mm512_maskz_cvtpd_ps(0xff, (__m512d)x);
#elif FASTLA_VECTOR_BYTES == 32
    if constexpr (sizeof(T) == 4) return (Few)_mm256_cvtpd_ps((__m256d)x);
#endif
    return __builtin_convertvector(x, Few);
  }
  static FASTLA_INLINE Few few(const char *p) { return *reinterpret_cast<const Few *>(p); }
  static FASTLA_INLINE RankSums multiples(Vec<double> x) {
    typedef int64_t Signed __attribute__((vector_size(FASTLA_VECTOR_BYTES)));
    return (RankSums) __builtin_convertvector(x * splat(kRankUnit), Signed);
  }
};
FASTLA_INLINE Vec<double> rank_share(const double *x, int64_t column_step) {
  return column_step ? load<double>(reinterpret_cast<const char *>(x)) : splat(*x);
}

// V vectors of columns side by side, with the bits of each alone: one of the four chains after the other, so that their
// sums stay in registers.
template <class T, class I, bool weighted, int V>
void rank_columns(const RankArgs &a, int64_t column) {
  constexpr int lanes = Simd<double>::lanes, size = int(sizeof(T)), width = V * lanes * size;
  const int64_t row = a.columns * size, far = a.far ? a.entries - kRankRows : 0;
  const char *const x = a.x + column * size;
  const Vec<double> alpha = splat(a.alpha);
  RankSums change[V] = {}, dangling[V] = {}, total[V] = {};
  int64_t p = index_at<I>(a.starts, a.begin);
  for (int64_t i = a.begin; i < a.end; ++i) {
    const int64_t end = index_at<I>(a.starts, i + 1);
    Vec<double> chains[4][V] = {};
    for (int lane = 0; lane < 4; ++lane) {
      if (p + lane >= end) break;
      Vec<double> s[V] = {};
      for (int64_t q = p + lane; q < end; q += 4) {
        const char *const from = x + index_at<I>(a.indices, q) * row;
        if (q < far) {
          const char *const next = x + index_at<I>(a.indices, q + kRankRows) * row;
#pragma GCC unroll 8
          for (int at = 0; at < width; at += 64) __builtin_prefetch(next + at);
        }
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
          Vec<double> term = Ranks<T>::wide(Ranks<T>::few(from + v * lanes * size));
          if constexpr (weighted) term = splat(double(load_scalar<T>(a.weights + q * size))) * term;
          s[v] += term;
        }
      }
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) chains[lane][v] = s[v];
    }
    p = end;
    const T back = load_scalar<T>(a.inverse + i * size);
    const int64_t at = i * row + column * size;
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      const int64_t c = column + v * lanes, to = at + v * lanes * size;
      const Vec<double> sum = (chains[0][v] + chains[2][v]) + (chains[1][v] + chains[3][v]);
      Vec<double> rank =
          alpha * sum + load<double>(reinterpret_cast<const char *>(a.jump_factor + c)) *
                            rank_share(a.jump + i * a.jump_row + c * a.jump_column, a.jump_column);
      if (a.sink)
        rank += load<double>(reinterpret_cast<const char *>(a.sink_factor + c)) *
                rank_share(a.sink + i * a.sink_row + c * a.sink_column, a.sink_column);
      typedef typename Ranks<T>::Few Few;
      const Few now = Ranks<T>::narrow(rank);
      const Vec<double> before = Ranks<T>::wide(Ranks<T>::few(a.from + to)),
                        wide = Ranks<T>::wide(now), moved = wide - before;
      *reinterpret_cast<Few *>(a.to + to) = now;
      *reinterpret_cast<Few *>(a.next + to) = now * back;
      const RankSums whole = Ranks<T>::multiples(wide);
      total[v] += whole;
      if (back == 0) dangling[v] += whole;
      change[v] += Ranks<T>::multiples(moved < 0 ? -moved : moved);
    }
  }
  for (int v = 0; v < V; ++v)
    for (int l = 0; l < lanes; ++l) {
      const int64_t c = column + v * lanes + l;
      a.change[c] += change[v][l];
      a.dangling[c] += dangling[v][l];
      a.total[c] += total[v][l];
    }
}

template <class T, class I, bool weighted> void rank_all(const RankArgs &a) {
  constexpr int64_t lanes = Simd<double>::lanes;
  if (a.columns == 1) return rank_column<T, I, weighted, true>(a, 0);
  int64_t c = 0;
  for (; c + 8 * lanes <= a.columns; c += 8 * lanes) rank_columns<T, I, weighted, 8>(a, c);
  for (; c + 2 * lanes <= a.columns; c += 2 * lanes) rank_columns<T, I, weighted, 2>(a, c);
  for (; c + lanes <= a.columns; c += lanes) rank_columns<T, I, weighted, 1>(a, c);
  for (; c < a.columns; ++c) rank_column<T, I, weighted, false>(a, c);
}
template <class T> void rank(const RankArgs &a) {
  if (a.weights)
    a.index_bytes == 4 ? rank_all<T, int32_t, true>(a) : rank_all<T, int64_t, true>(a);
  else
    a.index_bytes == 4 ? rank_all<T, int32_t, false>(a) : rank_all<T, int64_t, false>(a);
}

}  // namespace
