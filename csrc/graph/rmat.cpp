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

class Rmat {
 public:
  Rmat(const fastla_rmat_desc &d)
      : rename_(d), key_(mixed(d.seed + kGolden)), scale_(d.scale), words_((d.scale + 1) / 2) {
    const double two32 = 4294967296.0;
    a_ = uint64_t(d.a * two32);
    ab_ = uint64_t((d.a + d.b) * two32);
    abc_ = uint64_t((d.a + d.b + d.c) * two32);
  }

  void edges(int64_t first, int64_t count, int32_t *source, int32_t *target) const {
    for (int64_t i = 0; i < count; ++i) {
      uint64_t counter = key_ + kGolden * (uint64_t(first + i) * uint64_t(words_));
      uint32_t row = 0, col = 0;
      for (int level = 0; level < scale_; level += 2) {
        const uint64_t word = mixed(counter += kGolden);
        step(word & 0xffffffffu, &row, &col);
        if (level + 1 < scale_) step(word >> 32, &row, &col);
      }
      source[i] = int32_t(rename_(row));
      target[i] = int32_t(rename_(col));
    }
  }

 private:
  // 32 random bits choose a quarter.
  void step(uint64_t u, uint32_t *row, uint32_t *col) const {
    const uint32_t lower = u >= ab_;
    *row = 2 * *row + lower;
    *col = 2 * *col + (uint32_t(u >= a_) ^ lower ^ uint32_t(u >= abc_));
  }

  Scramble rename_;
  uint64_t key_, a_, ab_, abc_;
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
