// R-MAT graphs by counter: an edge's quarters come from its own number, so threads change nothing.
#include <string.h>

#include "fastla/graph.h"
#include "fastla/runtime.h"
#include "runtime/parallel.hpp"

namespace fastla {
namespace {

constexpr int64_t kTaskEdges = 1 << 14;

// SplitMix64's finaliser (Steele, Lea and Flood, 2014).
uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}
constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;

// Multiplying by an odd number, adding and xor with a right shift can each be undone modulo 2^scale.
class Scramble {
 public:
  Scramble(const fastla_rmat_desc &d)
      : mask_(uint32_t((uint64_t{1} << d.scale) - 1)), shift_(d.scale < 2 ? 1 : (d.scale + 1) / 2) {
    for (int i = 0; i < kRounds; ++i) {
      const uint64_t key = mixed(~d.seed + kGolden * uint64_t(i + 1));
      factor_[i] = d.scrambled ? uint32_t(key) | 1 : 1;
      term_[i] = d.scrambled ? uint32_t(key >> 32) : 0;
    }
    rounds_ = d.scrambled ? kRounds : 0;
  }
  uint32_t operator()(uint32_t x) const {
    for (int i = 0; i < rounds_; ++i) {
      x = (x * factor_[i] + term_[i]) & mask_;
      x ^= x >> shift_;
    }
    return x;
  }

 private:
  static constexpr int kRounds = 3;
  uint32_t mask_, factor_[kRounds], term_[kRounds];
  int shift_, rounds_;
};

// A level takes 8 random bits, which decide it but where a probability lies between them: then 24 more do.
class Rmat {
 public:
  Rmat(const fastla_rmat_desc &d)
      : rename_(d), key_(mixed(d.seed + kGolden)), scale_(d.scale), words_((d.scale + 7) / 8) {
    const double two32 = 4294967296.0;
    ends_[0] = uint64_t(d.a * two32);
    ends_[1] = uint64_t((d.a + d.b) * two32);
    ends_[2] = uint64_t((d.a + d.b + d.c) * two32);
    for (uint64_t bits = 0; bits < 256; ++bits) {
      const uint64_t first = quarter(bits << 24), last = quarter((bits << 24) + 0xffffff);
      decided_[bits] = first == last ? first : kUndecided;
    }
  }

  void edges(int64_t first, int64_t count, int32_t *source, int32_t *target) const {
    for (int64_t i = 0; i < count; ++i) {
      uint64_t counter = key_ + kGolden * (uint64_t(first + i) * uint64_t(words_));
      uint64_t both = 0;
      for (int level = 0; level < scale_; level += 8) {
        counter += kGolden;
        uint64_t word = mixed(counter);
        const int end = level + 8 < scale_ ? level + 8 : scale_;
        for (int l = level; l < end; ++l, word >>= 8) {
          uint64_t bits = decided_[word & 255];
          if (bits == kUndecided)
            bits = quarter((word & 255) << 24 | (mixed(~counter + uint64_t(l)) & 0xffffff));
          both = 2 * both + bits;
        }
      }
      source[i] = int32_t(rename_(uint32_t(both >> 32)));
      target[i] = int32_t(rename_(uint32_t(both)));
    }
  }

 private:
  static constexpr uint64_t kUndecided = ~uint64_t{0};
  // By 32 random bits: the source's bit above the target's.
  uint64_t quarter(uint64_t u) const {
    const uint64_t lower = u >= ends_[1];
    return lower << 32 | (uint64_t(u >= ends_[0]) ^ lower ^ uint64_t(u >= ends_[2]));
  }

  Scramble rename_;
  uint64_t key_, ends_[3], decided_[256];
  int scale_, words_;
};

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" {

void fastla_rmat_desc_init(fastla_rmat_desc *desc) {
  memset(desc, 0, sizeof(*desc));
  desc->struct_size = sizeof(*desc);
}

fastla_status fastla_rmat(const fastla_rmat_desc *desc, int64_t first, int64_t count,
                          int32_t *source, int32_t *target) {
  const fastla_rmat_desc &d = *desc;
  const bool sums = d.a >= 0 && d.b >= 0 && d.c >= 0 && d.a + d.b + d.c <= 1 + 1e-12;
  if (d.struct_size < sizeof(d) || d.scale < 0 || d.scale > 31 || !sums || first < 0 || count < 0 ||
      (count && (!source || !target)))
    return FASTLA_INVALID;
  const Rmat rmat{d};
  const int threads = d.num_threads ? d.num_threads : fastla_get_num_threads();
  parallel_for((count + kTaskEdges - 1) / kTaskEdges, threads, [&](int64_t task, int) {
    const int64_t begin = task * kTaskEdges, left = count - begin;
    rmat.edges(first + begin, left < kTaskEdges ? left : kTaskEdges, source + begin,
               target + begin);
  });
  return FASTLA_OK;
}

}  // extern "C"
