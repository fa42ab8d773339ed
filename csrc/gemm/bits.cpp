// Products of bool: OR, or exclusive OR, of ANDs. A row of C is the OR of the rows of B where A's row is true, with B's
// elements as bits: no step is taken for what is false, and an OR that is all true is finished.
#include "gemm/bits.hpp"

#include <atomic>

#include "fastla/runtime.h"
#include "gemm/bools.hpp"
#include "gemm/plan_parts.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

// Words of a row of B that stay in registers while its rows go by, or of a short row; columns to one strip of B, and steps at a time, which
// together stay in L2.
constexpr int64_t kWords = 16, kShortWords = 4, kStripWords = 64, kSteps = 512;
constexpr int64_t kFirstSteps = 64;
// An OR is looked at, whether it is finished, after so many rows.
constexpr int64_t kLook = 32;
// So few rows of C take B's bytes as they are; so few columns are ANDed with A's rows instead.
constexpr int64_t kFewRows = 8, kFewColumns = 2;
constexpr double kBytesPerTask = 1 << 20;
constexpr int64_t kMaxThreads = 256;

struct Bools {
  const GemmDesc &d;
  const char *a, *b;
  char *c;
  bool exclusive;

  const char *a_row(int64_t i) const { return a + i * d.a.row_stride; }

  // A block of K of B as bits, from step k0 on: strip after strip, each with room for kSteps rows.
  int64_t words() const {
    const int64_t words = ceil_div(d.n, 64);
    return words <= kShortWords ? (words > 1 ? kShortWords : words) : round_up(words, kWords);
  }
  int64_t strip_words(int64_t strip) const {
    return smaller(kStripWords, words() - strip * kStripWords);
  }
  void pack(uint64_t *packed, int64_t k0, Range steps) const {
    const bool down = d.b.row_stride == 1 && d.b.col_stride != 1;
    for (int64_t strip = 0; strip * kStripWords < words(); ++strip) {
      const int64_t width = 8 * strip_words(strip), j0 = 64 * kStripWords * strip;
      auto *const to =
          reinterpret_cast<uint8_t *>(packed + kSteps * kStripWords * strip) - k0 * width;
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

  // What lies beyond the last column is finished.
  void begin(Range rows, uint64_t *sums) const {
    const int64_t all = words();
    for (int64_t i = rows.begin; i < rows.end; ++i)
      for (int64_t w = 0; w < all; ++w) {
        const int64_t left = d.n - 64 * w;
        sums[i * all + w] = exclusive || left >= 64 ? 0
                            : left <= 0             ? ~uint64_t(0)
                                                    : ~uint64_t(0) << left;
      }
  }
  bool is_finished(const uint64_t *sums) const {
    uint64_t all = exclusive ? 0 : ~uint64_t(0);
    for (int64_t w = 0; w < words(); ++w) all &= sums[w];
    return all == ~uint64_t(0);
  }
  // A block of K of some rows; whether all of them are finished.
  bool add(const uint64_t *packed, int64_t k0, int64_t depth, Range rows,
           uint64_t *all_sums) const {
    uint16_t steps[kSteps];
    const int64_t all = words();
    bool finished = !exclusive;
    for (int64_t i = rows.begin; i < rows.end; ++i) {
      uint64_t *const sums = all_sums + i * all;
      if (is_finished(sums)) continue;
      const int64_t count = find(i, k0, depth, steps);
      if (all == 1) {
        gather_some<1>(packed, 1, steps, count, sums);
      } else if (all == kShortWords) {
        gather_some<kShortWords>(packed, all, steps, count, sums);
      } else {
        for (int64_t w = 0; w < all; w += kWords) {
          const int64_t strip = w / kStripWords;
          const uint64_t *block = packed + kSteps * kStripWords * strip + w % kStripWords;
          gather_some<kWords>(block, strip_words(strip), steps, count, sums + w);
        }
      }
      finished = finished && is_finished(sums);
    }
    return finished;
  }
  void end(Range rows, const uint64_t *sums) const {
    for (int64_t i = rows.begin; i < rows.end; ++i) {
      const auto *bytes = reinterpret_cast<const uint8_t *>(sums + i * words());
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
  void few_columns(Range rows, const Matrix &columns) const {
    for (int64_t i = rows.begin; i < rows.end; ++i)
      for (int64_t j = 0; j < d.n; ++j) {
        uint64_t sum = 0;
        for (int64_t k = 0; k < d.k && (exclusive || !sum); k += 8) {
          const uint64_t x = load_bools(a_row(i) + k * d.a.col_stride, d.a.col_stride, d.k - k);
          const char *from = static_cast<const char *>(columns.data) + k * columns.row_stride +
                             j * columns.col_stride;
          sum ^= x & load_bools(from, columns.row_stride, d.k - k);
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
      const bool copied = d.b.row_stride != 1 && d.m > kFewRows;
      const Workspace copy{size_t(copied ? d.n * d.k : 0)};
      if (!copy.data()) return FASTLA_NO_MEMORY;
      Matrix columns{b, d.b.row_stride, d.b.col_stride, 0};
      if (copied) {
        for (int64_t j = 0; j < d.n; ++j)
          for (int64_t k = 0; k < d.k; ++k)
            copy.data()[j * d.k + k] = b[k * d.b.row_stride + j * d.b.col_stride];
        columns = {copy.data(), 1, d.k, 0};
      }
      const int64_t tasks = clamp(int64_t(size / kBytesPerTask), 1, d.m);
      parallel_for(tasks, threads(size),
                   [&](int64_t task, int) { few_columns(part_of(d.m, 1, tasks, task), columns); });
      return FASTLA_OK;
    }
    if (d.m <= kFewRows) {
      few_rows();
      return FASTLA_OK;
    }
    const int team = threads(size + double(d.m) * double(d.n));
    const int64_t block = kSteps * words() * 8;
    int64_t bytes = 0;
    if (__builtin_mul_overflow(d.m, words() * 8, &bytes) ||
        __builtin_add_overflow(bytes, block, &bytes))
      return FASTLA_NO_MEMORY;
    const Workspace scratch{size_t(bytes)};
    if (!scratch.data()) return FASTLA_NO_MEMORY;
    auto *const packed = reinterpret_cast<uint64_t *>(scratch.data());
    uint64_t *const sums = packed + kSteps * words();
    const int64_t tasks = team == 1 ? 1 : clamp(d.m / 16, 1, 8 * team);
    const auto rows = [&](auto &&body) {
      parallel_for(tasks, team, [&](int64_t task, int) { body(part_of(d.m, 1, tasks, task)); });
    };
    rows([&](Range some) { begin(some, sums); });
    // The first block is short: of matrices that are often true nothing is left to do after it.
    bool finished = false;
    for (int64_t k = 0, depth; k < d.k && !finished; k += depth) {
      depth = smaller(k || exclusive ? kSteps : kFirstSteps, d.k - k);
      const int64_t pieces = team == 1 ? 1 : clamp(depth / 64, 1, 4 * team);
      parallel_for(pieces, team, [&](int64_t task, int) {
        const Range some = part_of(depth, 8, pieces, task);
        pack(packed, k, {k + some.begin, k + some.end});
      });
      std::atomic<bool> open{false};
      rows([&](Range some) {
        if (!add(packed, k, depth, some, sums)) open.store(true, std::memory_order_relaxed);
      });
      finished = !open.load(std::memory_order_relaxed);
    }
    rows([&](Range some) { end(some, sums); });
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
