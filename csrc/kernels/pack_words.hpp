// Packing words of integers (words.hpp) and pairs of bfloat16, and float16 and bfloat16 as float32: panels as in pack.hpp,
// whose steps are words. What is missing of the last word of a row or column is 0.
#pragma once
#include "kernels/pack.hpp"
#include "kernels/words.hpp"

namespace {

template <class In> struct Halves;  // halves.hpp, bfloats.hpp
template <class T> struct LaneOfT {
  using U = typename Simd<T>::Int;
};
template <> struct LaneOfT<float> {
  using U = uint32_t;
};
template <class T> using LaneOf = typename LaneOfT<T>::U;
template <class T> constexpr int kGroup = 1;  // elements of a word
template <> constexpr int kGroup<Pair> = 2;
template <> constexpr int kGroup<QuadS> = 4;
template <> constexpr int kGroup<QuadU> = 4;
// The first step of a word is in its highest bits, not its lowest.
template <class T> constexpr bool kDownwards = false;
#ifdef FASTLA_PAIRS
template <> constexpr int kGroup<float> = 2;
template <> constexpr bool kDownwards<float> = true;
#endif

template <class Unsigned>
using Transposed = void (*)(const char *lines, int64_t line, int64_t words, Unsigned *panel);
constexpr int kMostLines = 48;

typedef uint8_t Bytes __attribute__((vector_size(16)));
typedef uint8_t LooseBytes __attribute__((vector_size(16), aligned(1), may_alias));
FASTLA_INLINE Bytes load_bytes(const char *p) { return *reinterpret_cast<const LooseBytes *>(p); }
FASTLA_INLINE void store_bytes(void *p, Bytes v) { *static_cast<LooseBytes *>(p) = v; }
// The first or second halves of a and b, taking turns by D bytes.
template <int D, bool second> FASTLA_INLINE Bytes zip(Bytes a, Bytes b) {
  Bytes from;
  for (int i = 0; i < 16; ++i)
    from[i] = uint8_t((second ? 8 : 0) + i / (2 * D) * D + i % D + (i / D % 2 ? 16 : 0));
  return __builtin_shuffle(a, b, from);
}

// Elements of type In as words of T, with the bits of `flip` turned over.
template <class In, class T, uint32_t flip> struct WordsOf {
  static constexpr int group = kGroup<T>, size = sizeof(In), bits = 8 * sizeof(T) / group;
  static constexpr bool half = kFloat<T> && group == 1;  // of float16 or bfloat16
  // Consecutive elements in memory are words.
  static constexpr bool whole_words = size * group == sizeof(T), downwards = kDownwards<T>;
  static constexpr bool as_they_are = whole_words && flip == 0 && !downwards;
  using Unsigned = LaneOf<T>;
  typedef In Loose __attribute__((aligned(1), may_alias));

  static FASTLA_INLINE Unsigned place(In x, int at) {
    if constexpr (half) return Halves<In>::bits(x);
    const int up = (downwards ? group - 1 - at : at) * bits;
    return (Unsigned(x) & (~Unsigned(0) >> (8 * sizeof(T) - bits))) << up;
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
    if constexpr (half) return Halves<In>::widen(p, words, out);
    for (int64_t s = 0; s < words; ++s) {
      Unsigned w = 0;
#pragma GCC unroll 4
      for (int i = 0; i < group; ++i)
        w |= place(*reinterpret_cast<const Loose *>(p + (s * group + i) * size), i);
      out[s] = w ^ Unsigned(flip);
    }
  }
  // One word of each of some lines, which are contiguous: `group` rows are interleaved.
  static FASTLA_INLINE void across(const char *p, int64_t step, int lines, Unsigned *out) {
    if constexpr (half) return Halves<In>::widen(p, lines, out);
    const char *const r0 = p, *const r1 = p + 1 % group * step, *const r2 = p + 2 % group * step,
                      *const r3 = p + 3 % group * step;
    int j = 0;
    if constexpr (whole_words && group > 1)
      for (constexpr int together = 16 / size; j + together <= lines; j += together) {
        const auto row = [=](const char *r)
                             FASTLA_LAMBDA { return load_bytes(r + j * int64_t(size)); };
        const Bytes turned = Bytes{} + uint8_t(flip);
        const auto put = [=](int i, Bytes v)
                             FASTLA_LAMBDA { store_bytes(out + j + 4 * i, v ^ turned); };
        if constexpr (group == 2) {
          const Bytes low = row(downwards ? r1 : r0), high = row(downwards ? r0 : r1);
          put(0, zip<2, false>(low, high));
          put(1, zip<2, true>(low, high));
        } else {
          const Bytes low01 = zip<1, false>(row(r0), row(r1)),
                      high01 = zip<1, true>(row(r0), row(r1));
          const Bytes low23 = zip<1, false>(row(r2), row(r3)),
                      high23 = zip<1, true>(row(r2), row(r3));
          put(0, zip<2, false>(low01, low23));
          put(1, zip<2, true>(low01, low23));
          put(2, zip<2, false>(high01, high23));
          put(3, zip<2, true>(high01, high23));
        }
      }
    const auto at = [&](const char *r) { return reinterpret_cast<const Loose *>(r)[j]; };
    for (; j < lines; ++j) {
      Unsigned w = place(at(r0), 0);
      if constexpr (group > 1) w |= place(at(r1), 1);
      if constexpr (group > 2) w |= place(at(r2), 2) | place(at(r3), 3);
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

// A panel's chains begin with `start` times the sums of its rows. (Four sums, which do not wait for each other.)
template <class T, int start> void begin_panel(int rows, int64_t words, char *panel) {
  const Part<T> part(rows);
  const Vec<T> none{}, ones = none + 0x01010101u;
  const int64_t bytes = rows * int64_t(sizeof(T));
  Vec<T> sums[4] = {};
  const auto add = [&](int i, int64_t s) FASTLA_LAMBDA {
    sums[i] = Chain<T>::add(part.load(panel + (s + 1) * bytes, none), ones, sums[i]);
  };
  int64_t s = 0;
  for (; start && s + 4 <= words; s += 4)
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) add(i, s + i);
  for (; start && s < words; ++s) add(0, s);
  part.store(panel, (sums[0] + sums[1] + sums[2] + sums[3]) * uint32_t(start));
}

template <class In, class T, int MR, int start>
void pack_words_a(const Source &a, int64_t rows, int64_t panels, int64_t k, char *dst) {
  using Unsigned = LaneOf<T>;
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

// Contiguous columns: whole rows of all panels, a word at a time.
template <class In, class T, uint32_t flip, int NV>
void pack_words_b(const Source &b, int64_t k, int64_t cols, int64_t depth, char *dst) {
  using Unsigned = LaneOf<T>;
  using Words = WordsOf<In, T, flip>;
  constexpr int nr = NV * Simd<T>::lanes, group = Words::group;
  static_assert(nr <= kMostLines);
  Unsigned *const to = reinterpret_cast<Unsigned *>(dst);
  const bool along = b.col_stride == sizeof(In) && !b.swapped;
  const int64_t whole = along ? cols / nr * nr : 0, words = along ? k / group : 0;
  for (int64_t s = 0; s < words; ++s) {
    const char *const from = b.data + s * group * b.row_stride;
    for (int64_t j = 0; j < whole; j += nr) {
      if (s + 1 < words)
        for (int i = 0; i < group; ++i)
          __builtin_prefetch(from + (group + i) * b.row_stride + j * int64_t(sizeof(In)), 0, 2);
      Words::across(from + j * int64_t(sizeof(In)), b.row_stride, nr, to + j * depth + s * nr);
    }
  }
  for (int64_t j = 0; j < cols; j += nr) {
    const int lines = cols - j < nr ? int(cols - j) : nr;
    const int64_t done = j < whole ? words : 0;
    Words::pack(b.data + j * b.col_stride + done * group * b.row_stride, b.col_stride, b.row_stride,
                b.swapped, lines, nr, k - done * group, to + j * depth + done * nr,
                &pack_transposed<Unsigned, nr>);
  }
}

}  // namespace
