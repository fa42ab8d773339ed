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

// Lines this far apart are not in L2 as a rule. Where no more bytes of each are packed at a time than this, L2 is asked for
// them so far ahead; longer runs the hardware's prefetchers find (and asking costs a tenth).
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

// As many steps of as many lines as a vector has lanes; the excess repeats the last line.
template <class T, int W, int lines>
FASTLA_INLINE void pack_square(const char *p, int64_t line, T *dst) {
  constexpr int lanes = Simd<T>::lanes;
  const auto at = [=](int i) FASTLA_LAMBDA { return p + (i < lines ? i : lines - 1) * line; };
#if FASTLA_VECTOR_BYTES > 16
  // Half a vector of each of two lines: the exchange of halves comes with the loads.
  constexpr int size = lanes / 2;
  const auto take = [=](int i, int first) FASTLA_LAMBDA {
    const int64_t byte = first * int64_t(sizeof(T));
    return load_halves<T>(at(i) + byte, at(i + size) + byte);
  };
#else
  constexpr int size = lanes;
  const auto take = [=](int i, int) FASTLA_LAMBDA { return load<T>(at(i)); };
#endif
#pragma GCC unroll 2
  for (int first = 0; first < lanes; first += size) {
    Vec<T> r[size];
#pragma GCC unroll 16
    for (int i = 0; i < size; ++i) r[i] = take(i, first);
    transpose<T, size>(r);
#pragma GCC unroll 16
    for (int i = 0; i < size; ++i) store<T>(dst + (first + i) * W, r[i]);
  }
}

// The same for a panel of at most half as many lines.
template <class T, int W> FASTLA_INLINE void pack_half(const char *p, int64_t line, T *dst) {
  constexpr int lanes = Simd<T>::lanes, size = lanes / 2;
  Vec<T> r[size];
#pragma GCC unroll 16
  for (int i = 0; i < size; ++i) r[i] = load<T>(p + (i < W ? i : W - 1) * line);
  transpose<T, size>(r);
#pragma GCC unroll 16
  for (int i = 0; i < lanes; ++i) store_half<T>(dst + i * W, r[i % size], i >= size);
}

// Steps contiguous in memory: squares of them go through registers. Where lines do not fill the vectors a store spills
// into the next steps, which are written afterwards (the last vector's lines first); the last steps are not stored that
// way, what lies behind the panel may be another thread's. Where they do, the second square begins with the first line's
// next cache line, and the last one ends with the panel: steps that two of them have are written twice.
template <class T, int W> void pack_transposed(const char *p, int64_t line, int64_t k, T *dst) {
  constexpr int lanes = Simd<T>::lanes, size = W <= lanes / 2 ? lanes / 2 : lanes;
  constexpr int groups = (W + size - 1) / size, spilled_steps = (groups * size + W - 1) / W - 1;
  constexpr int64_t bytes = sizeof(T);
  const bool far = line >= kFarLine && k * bytes <= kPackAhead;
  const auto square = [=](int64_t s) FASTLA_LAMBDA {
    const char *const from = p + s * bytes;
    for (int i = 0; far && i < W; ++i) __builtin_prefetch(from + i * line + kPackAhead, 0, 2);
    if constexpr (size < lanes) {
      pack_half<T, W>(from, line, dst + s * W);
    } else {
      pack_square<T, W, W - (groups - 1) * size>(from + (groups - 1) * size * line, line,
                                                 dst + s * W + (groups - 1) * size);
#pragma GCC unroll 4
      for (int g = groups - 2; g >= 0; --g)
        pack_square<T, W, size>(from + g * size * line, line, dst + s * W + g * size);
    }
  };
  int64_t s = 0;
  if (spilled_steps == 0 && k >= lanes) {
    square(0);
    s = (-int64_t(uintptr_t(p)) & (FASTLA_VECTOR_BYTES - 1)) / bytes;
    if (s == 0) s = lanes;
  }
  for (; s + lanes <= k - spilled_steps; s += lanes) square(s);
  if (spilled_steps == 0 && k >= lanes && s < k) square((s = k) - lanes);
  pack_elements<T>(p + s * bytes, line, sizeof(T), false, W, W, k - s, dst + s * W);
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
