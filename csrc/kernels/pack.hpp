// Packing: panels of mr rows of A and nr columns of B, k-major, from any byte strides and byte order.
//
// A panel is W "lines" (rows of A, columns of B) by k steps, stored step by step. Two sources are fast:
// lines contiguous (several panels are copied together), steps contiguous (transposed in registers); anything
// else goes element by element.
#pragma once
#include "kernels/row.hpp"
#include "kernels/vec.hpp"

namespace {

using fastla::Source;

// Lines this far apart are not in L2 as a rule; L2 is asked for them so far ahead.
constexpr int64_t kFarLine = 4096, kPackAhead = 512;

template <class T> FASTLA_INLINE T load_swapped(const char *p) {
  if constexpr (sizeof(T) == 4) {
    uint32_t u;
    __builtin_memcpy(&u, p, 4);
    u = __builtin_bswap32(u);
    T x;
    __builtin_memcpy(&x, &u, 4);
    return x;
  } else {
    uint64_t u;
    __builtin_memcpy(&u, p, 8);
    u = __builtin_bswap64(u);
    T x;
    __builtin_memcpy(&x, &u, 8);
    return x;
  }
}

// Lines of a panel: `lines` real ones, `width` to be stored; the excess repeats the last.
template <class T> void pack_elements(const char *p, int64_t line, int64_t step, bool swapped,
                                      int lines, int width, int64_t k, T *dst) {
  for (int64_t s = 0; s < k; ++s, p += step, dst += width)
    for (int i = 0; i < width; ++i) {
      const char *from = p + (i < lines ? i : lines - 1) * line;
      dst[i] = swapped ? load_swapped<T>(from) : load_scalar<T>(from);
    }
}

// Of `size` vectors, in each part of so many lanes, r[i][j] and r[j][i] trade places: at distance D, blocks of D lanes of
// r[i] and r[i + D] are exchanged.
template <class T, int size, int D = size / 2> FASTLA_INLINE void transpose(Vec<T> *r) {
  constexpr int lanes = Simd<T>::lanes;
  IVec<T> low, high;
  for (int j = 0; j < lanes; ++j) {
    low[j] = j & D ? lanes + j - D : j;
    high[j] = j & D ? lanes + j : j + D;
  }
#pragma GCC unroll 16
  for (int i = 0; i < size; ++i)
    if (!(i & D)) {
      const Vec<T> a = r[i], b = r[i + D];
      r[i] = __builtin_shuffle(a, b, low);
      r[i + D] = __builtin_shuffle(a, b, high);
    }
  if constexpr (D > 1) transpose<T, size, D / 2>(r);
}

// Steps contiguous in memory: a vector of steps of each of `lines` lines goes through registers to a panel of W, in
// groups of as many lines as a vector has lanes, or of half as many if one such group is enough. When lines do not fill
// the groups a store spills into the next steps, which are written afterwards. Returns the steps done: the last ones are
// not stored that way, what lies behind the panel may be another thread's.
template <class T, int W, int lines, bool far>
FASTLA_INLINE int64_t pack_lines(const char *p, int64_t line, int64_t k, T *dst) {
  constexpr int lanes = Simd<T>::lanes, size = lines <= lanes / 2 ? lanes / 2 : lanes;
  constexpr int groups = (lines + size - 1) / size;
  constexpr int spilled_steps = (groups * size + W - 1) / W - 1;
  const int64_t end = k - spilled_steps;
  int64_t s = 0;
  for (; s + lanes <= end; s += lanes, dst += lanes * W) {
    Vec<T> r[groups][size];
#pragma GCC unroll 4
    for (int g = 0; g < groups; ++g) {
#pragma GCC unroll 16
      for (int i = 0; i < size; ++i) {
        const int l = g * size + i < lines ? g * size + i : lines - 1;
        const char *from = p + l * line + s * int64_t(sizeof(T));
        r[g][i] = load<T>(from);
        if (far && g * size + i < lines) __builtin_prefetch(from + kPackAhead, 0, 2);
      }
      transpose<T, size>(r[g]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i)
#pragma GCC unroll 4
      for (int g = 0; g < groups; ++g)
        if constexpr (size == lanes)
          store<T>(dst + i * W + g * lanes, r[g][i]);
        else
          store_half<T>(dst + i * W, r[g][i % size], i >= size);
  }
  return s;
}

// Whole groups of lines one after the other: fewer streams for the prefetchers.
template <class T, int W, bool far>
FASTLA_INLINE int64_t pack_groups(const char *p, int64_t line, int64_t k, T *dst) {
  constexpr int lanes = Simd<T>::lanes;
  if constexpr (W % lanes != 0) return pack_lines<T, W, W, far>(p, line, k, dst);
  int64_t done = 0;
  for (int g = 0; g < W; g += lanes)
    done = pack_lines<T, W, lanes, far>(p + g * line, line, k, dst + g);
  return done;
}

template <class T, int W> void pack_transposed(const char *p, int64_t line, int64_t k, T *dst) {
  const int64_t done = line >= kFarLine ? pack_groups<T, W, true>(p, line, k, dst)
                                        : pack_groups<T, W, false>(p, line, k, dst);
  pack_elements<T>(p + done * int64_t(sizeof(T)), line, sizeof(T), false, W, W, k - done,
                   dst + done * W);
}

template <class T, int W> void pack_panel(const char *p, int64_t line, int64_t step, bool swapped,
                                          int lines, int width, int64_t k, T *dst) {
  const bool full = lines == W && !swapped;
  if (full && step == sizeof(T)) return pack_transposed<T, W>(p, line, k, dst);
  pack_elements<T>(p, line, step, swapped, lines, width, k, dst);
}

// Panels whose lines are contiguous in memory, `panel` elements apart where they go. Whole rows of them, a few at a time
// with the next few asked for: long runs to read and lines of each panel to write. B of 512 x 2048 float64 from memory
// takes 0.45 ms so (Zen 4), 0.65 in bands of eight panels, a row after the other; memcpy 0.37.
template <class T, int W>
void pack_together(const char *p, int64_t step, int64_t k, int64_t panels, int64_t panel, T *dst) {
  constexpr int bytes = W * sizeof(T);
  constexpr int64_t together = 4;
  const auto copy = [=](int64_t s, int64_t steps) __attribute__((always_inline)) {
    for (int64_t i = 0; i < panels; ++i) {
      const char *from = p + s * step + i * bytes;
      T *to = dst + i * panel + s * W;
      for (int64_t r = 0; r < steps; ++r, from += step, to += W) {
        if (steps == together)  // with fewer the stride may mean nothing
          for (int at = 0; at < bytes; at += 64)
            __builtin_prefetch(from + together * step + at, 0, 2);
        __builtin_memcpy(to, from, bytes);
      }
    }
  };
  int64_t s = 0;
  for (; s + together <= k; s += together) copy(s, together);
  if (s < k) copy(s, k - s);
}

// of[r](a, panels, k, dst): panels of r rows.
template <class T, int MR> struct RowPackers {
  void (*of[MR + 1])(const Source &, int64_t, int64_t, T *);
  template <int R> static void pack(const Source &a, int64_t panels, int64_t k, T *dst) {
    if (a.row_stride == sizeof(T) && !a.swapped)
      return pack_together<T, R>(a.data, a.col_stride, k, panels, R * k, dst);
    for (int64_t panel = 0; panel < panels; ++panel)
      pack_panel<T, R>(a.data + panel * R * a.row_stride, a.row_stride, a.col_stride, a.swapped, R,
                       R, k, dst + panel * R * k);
  }
  template <int R> constexpr void fill() {
    of[R] = &pack<R>;
    if constexpr (R > 1) fill<R - 1>();
  }
  constexpr RowPackers() : of{} { fill<MR>(); }
};

template <class T, int MR>
void pack_a(const Source &a, int64_t rows, int64_t panels, int64_t k, char *dst) {
  static constexpr RowPackers<T, MR> packers;
  const auto [height, taller] = fastla::Panels(rows, panels);
  const int64_t split = taller * (height + 1);
  Source lower = a;
  lower.data += split * a.row_stride;
  if (taller) packers.of[height + 1](a, taller, k, reinterpret_cast<T *>(dst));
  packers.of[height](lower, panels - taller, k, reinterpret_cast<T *>(dst) + split * k);
}

template <class T, int NV>
void pack_b(const Source &b, int64_t k, int64_t cols, int64_t depth, char *dst) {
  constexpr int nr = NV * Simd<T>::lanes;
  T *to = reinterpret_cast<T *>(dst);
  const int64_t whole = b.col_stride == sizeof(T) && !b.swapped ? cols / nr : 0;
  pack_together<T, nr>(b.data, b.row_stride, k, whole, nr * depth, to);
  for (int64_t j = whole * nr; j < cols; j += nr) {
    const int lines = cols - j < nr ? int(cols - j) : nr;
    pack_panel<T, nr>(b.data + j * b.col_stride, b.col_stride, b.row_stride, b.swapped, lines, nr,
                      k, to + j * depth);
  }
}

}  // namespace
