// Packing words of integers (words.hpp): panels as in pack.hpp, whose steps are words. What is missing of the last word
// of a row or column is 0.
#pragma once
#include "kernels/pack.hpp"
#include "kernels/words.hpp"

namespace {

template <class T> constexpr int kGroup = 1;  // elements of a word
template <> constexpr int kGroup<Pair> = 2;
template <> constexpr int kGroup<QuadS> = 4;
template <> constexpr int kGroup<QuadU> = 4;

template <class Unsigned>
using Transposed = void (*)(const char *lines, int64_t line, int64_t words, Unsigned *panel);
constexpr int kMostLines = 48;

// Elements of type In as words of T, with the bits of `flip` turned over.
template <class In, class T, uint32_t flip> struct WordsOf {
  static constexpr int group = kGroup<T>, size = sizeof(In), bits = 8 * sizeof(T) / group;
  // Consecutive elements in memory are words.
  static constexpr bool as_they_are = size * group == sizeof(T) && flip == 0;
  using Unsigned = typename Simd<T>::Int;
  typedef In Loose __attribute__((aligned(1), may_alias));

  static FASTLA_INLINE Unsigned place(In x, int at) {
    return (Unsigned(x) & (~Unsigned(0) >> (8 * sizeof(T) - bits))) << (at * bits);
  }
  static FASTLA_INLINE In get(const char *p, bool swapped) {
    In x = *reinterpret_cast<const Loose *>(p);
    if (swapped) {
      if constexpr (size == 2) x = In(__builtin_bswap16(uint16_t(x)));
      if constexpr (size == 4) x = In(__builtin_bswap32(uint32_t(x)));
      if constexpr (size == 8) x = In(__builtin_bswap64(uint64_t(x)));
    }
    return x;
  }
  static Unsigned word(const char *p, int64_t step, int count, bool swapped) {
    Unsigned w = 0;
    for (int i = 0; i < count; ++i) w |= place(get(p + i * step, swapped), i);
    return w ^ Unsigned(flip);
  }
  // Words of one line, whose steps are contiguous.
  static __attribute__((noinline)) void along(const char *p, int64_t words, Unsigned *out) {
    for (int64_t s = 0; s < words; ++s) {
      Unsigned w = 0;
#pragma GCC unroll 4
      for (int i = 0; i < group; ++i)
        w |= place(*reinterpret_cast<const Loose *>(p + (s * group + i) * size), i);
      out[s] = w ^ Unsigned(flip);
    }
  }
  // One word of each of some lines, which are contiguous.
  static __attribute__((noinline)) void across(const char *p, int64_t step, int lines,
                                               Unsigned *out) {
    const auto row = [=](int i) { return reinterpret_cast<const Loose *>(p + i * step); };
    const Loose *const r0 = row(0), *const r1 = row(1 % group), *const r2 = row(2 % group),
                       *const r3 = row(3 % group);
    for (int j = 0; j < lines; ++j) {
      Unsigned w = place(r0[j], 0);
      if constexpr (group > 1) w |= place(r1[j], 1);
      if constexpr (group > 2) w |= place(r2[j], 2) | place(r3[j], 3);
      out[j] = w ^ Unsigned(flip);
    }
  }

  // Lines of a panel, k elements of each: `lines` real ones, `width` to be stored; the excess repeats the last.
  static __attribute__((noinline)) void pack(const char *p, int64_t line, int64_t step,
                                             bool swapped, int lines, int width, int64_t k,
                                             Unsigned *dst, Transposed<Unsigned> transposed) {
    const int64_t whole = k / group;
    const bool full = lines == width && !swapped;
    int64_t done = 0;
    if (full && step == size && as_they_are) {
      transposed(p, line, whole, dst);
      done = whole;
    } else if (full && step == size) {
      constexpr int64_t most = 32;
      Unsigned stage[kMostLines * most];
      for (int64_t words = 0; done < whole; done += words) {
        words = whole - done < most ? whole - done : most;
        for (int l = 0; l < lines; ++l)
          along(p + l * line + done * group * size, words, stage + l * most);
        transposed(reinterpret_cast<const char *>(stage), most * sizeof(T), words,
                   dst + done * width);
      }
    } else if (full && line == size) {
      for (; done < whole; ++done) across(p + done * group * step, step, lines, dst + done * width);
    }
    for (; done * group < k; ++done)
      for (int i = 0; i < width; ++i) {
        const char *from = p + (i < lines ? i : lines - 1) * line + done * group * step;
        const int count = k - done * group < group ? int(k - done * group) : group;
        dst[done * width + i] = word(from, step, count, swapped);
      }
  }
};

// of[r]: transposes panels of r lines.
template <class Unsigned, int MR> struct Transposers {
  Transposed<Unsigned> of[MR + 1];
  template <int R> constexpr void fill() {
    of[R] = &pack_transposed<Unsigned, R>;
    if constexpr (R > 1) fill<R - 1>();
  }
  constexpr Transposers() : of{} { fill<MR>(); }
};

// A panel's chains begin with `start` times the sums of its rows.
template <class T, int start> void begin_panel(int rows, int64_t words, char *panel) {
  const Part<T> part(rows);
  const Vec<T> none{}, ones = none + 0x01010101u;
  Vec<T> sums{};
  if (start)
    for (int64_t s = 1; s <= words; ++s)
      sums = Chain<T>::add(part.load(panel + s * rows * int64_t(sizeof(T)), none), ones, sums);
  part.store(panel, sums * uint32_t(start));
}

template <class In, class T, int MR, int start>
void pack_words_a(const Source &a, int64_t rows, int64_t panels, int64_t k, char *dst) {
  using Unsigned = typename Simd<T>::Int;
  static_assert(MR <= Simd<T>::lanes || !kRowStarts<T>);
  static constexpr Transposers<Unsigned, MR> transposers;
  constexpr int64_t head = kRowStarts<T>;
  const fastla::Panels heights(rows, panels);
  const int64_t words = (k + kGroup<T> - 1) / kGroup<T>;
  const char *from = a.data;
  for (int64_t panel = 0; panel < panels; ++panel) {
    const int height = int(heights.height + (panel < heights.taller));
    const int64_t bytes = height * int64_t(sizeof(T));
    WordsOf<In, T, 0>::pack(from, a.row_stride, a.col_stride, a.swapped, height, height, k,
                            reinterpret_cast<Unsigned *>(dst + head * bytes),
                            transposers.of[height]);
    if constexpr (head) begin_panel<T, start>(height, words, dst);
    from += height * a.row_stride;
    dst += (head + words) * bytes;
  }
}

template <class In, class T, uint32_t flip, int NV>
void pack_words_b(const Source &b, int64_t k, int64_t cols, int64_t depth, char *dst) {
  using Unsigned = typename Simd<T>::Int;
  constexpr int nr = NV * Simd<T>::lanes;
  static_assert(nr <= kMostLines);
  for (int64_t j = 0; j < cols; j += nr) {
    const int lines = cols - j < nr ? int(cols - j) : nr;
    WordsOf<In, T, flip>::pack(b.data + j * b.col_stride, b.col_stride, b.row_stride, b.swapped,
                               lines, nr, k, reinterpret_cast<Unsigned *>(dst) + j * depth,
                               &pack_transposed<Unsigned, nr>);
  }
}

}  // namespace
