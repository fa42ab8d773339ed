// Products of bool: OR, or exclusive OR, of ANDs. A row of C is the OR of the rows of B where A's row is true, with B's
// elements as bits: no step is taken for what is false, and an OR that is all true is finished.
#include "gemm/bits.hpp"

#include "fastla/runtime.h"
#include "gemm/plan_parts.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

constexpr uint64_t kOnes = 0x0101010101010101;
// Words of a row of B that stay in registers while its rows go by, or of a short row; columns to one strip of B, and steps at a time, which
// together stay in L2.
constexpr int64_t kWords = 16, kShortWords = 4, kStripWords = 64, kSteps = 512;
// An OR is looked at, whether it is finished, after so many rows.
constexpr int64_t kLook = 32;
// So few rows of C take B's bytes as they are; so few columns are ANDed with A's rows instead.
constexpr int64_t kFewRows = 8, kFewColumns = 2;
constexpr double kBytesPerTask = 1 << 20;
constexpr int64_t kMaxThreads = 256;

// Eight elements, true where they are not 0, as bytes of 0 and 1; as bits.
uint64_t bools(uint64_t x) {
  constexpr uint64_t low = 0x7f * kOnes;
  return (((x & low) + low) | x) >> 7 & kOnes;
}
uint8_t bits_of(uint64_t bytes) { return uint8_t(bytes * 0x0102040810204080 >> 56); }
uint64_t bytes_of(uint8_t bits) {
  return (((bits * kOnes) & 0x8040201008040201) + 0x7f * kOnes) >> 7 & kOnes;
}
// Element r of byte c trades places with element c of byte r.
uint64_t turned(uint64_t x) {
  uint64_t t = (x ^ (x >> 7)) & 0x00aa00aa00aa00aa;
  x ^= t ^ (t << 7);
  t = (x ^ (x >> 14)) & 0x0000cccc0000cccc;
  x ^= t ^ (t << 14);
  t = (x ^ (x >> 28)) & 0x00000000f0f0f0f0;
  return x ^ t ^ (t << 28);
}
// Up to eight elements that lie `stride` bytes apart, as bytes of 0 and 1; the others are 0.
uint64_t load_bools(const char *p, int64_t stride, int64_t count) {
  uint64_t x = 0;
  if (stride == 1 && count >= 8)
    __builtin_memcpy(&x, p, 8);
  else
    for (int64_t i = 0; i < count && i < 8; ++i) x |= uint64_t(uint8_t(p[i * stride])) << (8 * i);
  return bools(x);
}
void store_bools(char *p, int64_t stride, int64_t count, uint64_t bytes) {
  if (stride == 1 && count >= 8)
    __builtin_memcpy(p, &bytes, 8);
  else
    for (int64_t i = 0; i < count && i < 8; ++i) p[i * stride] = char(bytes >> (8 * i) & 1);
}

struct Bools {
  const GemmDesc &d;
  const char *a, *b;
  char *c;
  bool exclusive;

  const char *a_row(int64_t i) const { return a + i * d.a.row_stride; }

  // B as bits, strip after strip, each of d.k rows.
  int64_t words() const {
    const int64_t words = ceil_div(d.n, 64);
    return words <= kShortWords ? (words > 1 ? kShortWords : words) : round_up(words, kWords);
  }
  int64_t strip_words(int64_t strip) const {
    return smaller(kStripWords, words() - strip * kStripWords);
  }
  void pack(uint64_t *packed, Range steps) const {
    const bool down = d.b.row_stride == 1 && d.b.col_stride != 1;
    for (int64_t strip = 0; strip * kStripWords < words(); ++strip) {
      const int64_t width = 8 * strip_words(strip), j0 = 64 * kStripWords * strip;
      auto *const to = reinterpret_cast<uint8_t *>(packed + d.k * kStripWords * strip);
      for (int64_t k = steps.begin, count; k < steps.end; k += count) {
        count = down ? smaller(8, steps.end - k) : 1;
        const int64_t used = clamp(ceil_div(d.n - j0, 8), 0, width);
        for (int64_t i = 0; i < count && used < width; ++i)
          __builtin_memset(to + (k + i) * width + used, 0, size_t(width - used));
        for (int64_t byte = 0; byte < used; ++byte) {
          const int64_t j = j0 + 8 * byte;
          const char *from = b + k * d.b.row_stride + j * d.b.col_stride;
          if (!down) {
            to[k * width + byte] = bits_of(load_bools(from, d.b.col_stride, d.n - j));
            continue;
          }
          uint64_t columns = 0;
          for (int64_t i = 0; i < 8 && j + i < d.n; ++i)
            columns |= uint64_t(bits_of(load_bools(from + i * d.b.col_stride, 1, count)))
                       << (8 * i);
          columns = turned(columns);
          for (int64_t i = 0; i < count; ++i)
            to[(k + i) * width + byte] = uint8_t(columns >> (8 * i));
        }
      }
    }
  }

  // Where row i of A is true, of steps [k, k + count).
  int64_t find(int64_t i, int64_t k, int64_t count, uint16_t *steps) const {
    const char *from = a_row(i) + k * d.a.col_stride;
    int64_t found = 0;
    for (int64_t s = 0; s < count; s += 8, from += 8 * d.a.col_stride)
      for (uint64_t x = load_bools(from, d.a.col_stride, count - s); x; x &= x - 1)
        steps[found++] = uint16_t(s + __builtin_ctzll(x) / 8);
    return found;
  }

  // Of rows of B, `width` words each, some words, where `steps` say.
  template <bool xors, int some> static void gather(const uint64_t *rows, int64_t width,
                                                    const uint16_t *steps, int64_t count,
                                                    uint64_t *sums) {
    uint64_t acc[some];
    for (int w = 0; w < some; ++w) acc[w] = sums[w];
    for (int64_t first = 0; first < count; first += kLook) {
      const int64_t end = smaller(count, first + kLook);
      for (int64_t s = first; s < end; ++s) {
        const uint64_t *row = rows + steps[s] * width;
        for (int w = 0; w < some; ++w) {
          if constexpr (xors)
            acc[w] ^= row[w];
          else
            acc[w] |= row[w];
        }
      }
      uint64_t all = ~uint64_t(0);
      for (int w = 0; !xors && w < some; ++w) all &= acc[w];
      if (!xors && all == ~uint64_t(0)) break;
    }
    for (int w = 0; w < some; ++w) sums[w] = acc[w];
  }

  template <int some> void gather_some(const uint64_t *rows, int64_t width, const uint16_t *steps,
                                       int64_t count, uint64_t *sums) const {
    exclusive ? gather<true, some>(rows, width, steps, count, sums)
              : gather<false, some>(rows, width, steps, count, sums);
  }

  void rows_of_bits(const uint64_t *packed, Range rows, uint64_t *sums) const {
    uint16_t steps[kSteps];
    const int64_t all = words();
    for (int64_t i = rows.begin; i < rows.end; ++i) {
      for (int64_t w = 0; w < all; ++w) {  // what lies beyond the last column is finished
        const int64_t left = d.n - 64 * w;
        sums[w] = exclusive || left >= 64 ? 0 : left <= 0 ? ~uint64_t(0) : ~uint64_t(0) << left;
      }
      for (int64_t k = 0; k < d.k; k += kSteps) {
        const int64_t count = find(i, k, smaller(kSteps, d.k - k), steps);
        if (!count) continue;
        if (all == 1) {
          gather_some<1>(packed + k, 1, steps, count, sums);
        } else if (all == kShortWords) {
          gather_some<kShortWords>(packed + k * all, all, steps, count, sums);
        } else {
          for (int64_t w = 0; w < all; w += kWords) {
            const int64_t strip = w / kStripWords, width = strip_words(strip);
            const uint64_t *block = packed + d.k * kStripWords * strip + k * width;
            gather_some<kWords>(block + w % kStripWords, width, steps, count, sums + w);
          }
        }
      }
      const auto *bytes = reinterpret_cast<const uint8_t *>(sums);
      char *to = c + i * d.c_row_stride;
      for (int64_t j = 0; j < d.n; j += 8)
        store_bools(to + j * d.c_col_stride, d.c_col_stride, d.n - j, bytes_of(bytes[j / 8]));
    }
  }

  // Few rows of A: B's bytes as they are, eight columns at a time.
  void few_rows() const {
    for (int64_t i = 0; i < d.m; ++i)
      for (int64_t j = 0; j < d.n; j += 8) {
        uint64_t sum = 0;
        const int64_t count = smaller(8, d.n - j);
        const uint64_t whole = count == 8 ? kOnes : kOnes >> (64 - 8 * count);
        for (int64_t k = 0; k < d.k && (exclusive || sum != whole); ++k) {
          if (!a_row(i)[k * d.a.col_stride]) continue;
          const char *from = b + k * d.b.row_stride + j * d.b.col_stride;
          const uint64_t row = load_bools(from, d.b.col_stride, count);
          sum = exclusive ? sum ^ row : sum | row;
        }
        store_bools(c + i * d.c_row_stride + j * d.c_col_stride, d.c_col_stride, count, sum);
      }
  }
  // Few columns of B: eight steps at a time.
  void few_columns(Range rows) const {
    for (int64_t i = rows.begin; i < rows.end; ++i)
      for (int64_t j = 0; j < d.n; ++j) {
        uint64_t sum = 0;
        for (int64_t k = 0; k < d.k && (exclusive || !sum); k += 8) {
          const uint64_t x = load_bools(a_row(i) + k * d.a.col_stride, d.a.col_stride, d.k - k);
          const char *from = b + k * d.b.row_stride + j * d.b.col_stride;
          sum ^= x & load_bools(from, d.b.row_stride, d.k - k);
        }
        const bool any = exclusive ? __builtin_popcountll(sum) & 1 : sum != 0;
        c[i * d.c_row_stride + j * d.c_col_stride] = char(any);
      }
  }

  int threads(double bytes) const {
    if (bytes < kBytesPerTask) return 1;
    return int(smaller(d.num_threads ? d.num_threads : fastla_get_num_threads(), kMaxThreads));
  }

  fastla_status run() const {
    const double size = double(d.m) * double(d.k) + double(d.k) * double(d.n);
    if (d.n <= kFewColumns) {
      const int64_t tasks = clamp(int64_t(size / kBytesPerTask), 1, d.m);
      parallel_for(tasks, threads(size),
                   [&](int64_t task, int) { few_columns(part_of(d.m, 1, tasks, task)); });
      return FASTLA_OK;
    }
    if (d.m <= kFewRows) {
      few_rows();
      return FASTLA_OK;
    }
    const int team = threads(size + double(d.m) * double(d.n));
    int64_t bits = 0, sums = 0;
    if (__builtin_mul_overflow(d.k, words() * 8, &bits) ||
        __builtin_add_overflow(bits, 64, &bits) ||
        __builtin_mul_overflow(int64_t(team), words() * 8, &sums) ||
        __builtin_add_overflow(bits, sums, &sums))
      return FASTLA_NO_MEMORY;
    const Workspace scratch{size_t(sums)};
    if (!scratch.data()) return FASTLA_NO_MEMORY;
    auto *const packed = reinterpret_cast<uint64_t *>(scratch.data());
    const int64_t pieces = team == 1 ? 1 : clamp(d.k / 64, 1, 4 * team);
    parallel_for(pieces, team,
                 [&](int64_t task, int) { pack(packed, part_of(d.k, 8, pieces, task)); });
    const int64_t tasks = team == 1 ? 1 : clamp(d.m / 16, 1, 8 * team);
    parallel_for(tasks, team, [&](int64_t task, int worker) {
      rows_of_bits(packed, part_of(d.m, 1, tasks, task), packed + d.k * words() + worker * words());
    });
    return FASTLA_OK;
  }
};

}  // namespace

fastla_status run_bits(const GemmDesc &d) noexcept {
  int64_t count = 1;
  for (int i = 0; i < d.batch_ndim; ++i) count *= d.batch_shape[i];
  if (d.m == 0 || d.n == 0) return FASTLA_OK;
  for (int64_t item = 0; item < count; ++item) {
    Bools bools{d, static_cast<const char *>(d.a.data), static_cast<const char *>(d.b.data),
                static_cast<char *>(d.c), d.dtype == FASTLA_BOOL_XOR};
    int64_t rest = item;
    for (int i = d.batch_ndim - 1; i >= 0; --i) {
      const int64_t at = rest % d.batch_shape[i];
      rest /= d.batch_shape[i];
      bools.a += at * d.a_batch_strides[i];
      bools.b += at * d.b_batch_strides[i];
      bools.c += at * d.c_batch_strides[i];
    }
    const fastla_status status = bools.run();
    if (status != FASTLA_OK) return status;
  }
  return FASTLA_OK;
}

}  // namespace fastla
