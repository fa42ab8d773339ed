// bfloat16, the upper half of a float32: widened, exactly, while it is packed; summed as float32 is, but for subnormal
// numbers, which are taken for 0 and made 0, as the instruction for pairs of products does; rounded once.
#pragma once
#include "kernels/vec.hpp"

namespace {

using Half16 = char16_t;  // a type of its own beside uint16_t, float16's

template <class In> struct Halves;
template <> struct Halves<char16_t> {
  typedef char16_t Loose __attribute__((aligned(1), may_alias));
  static FASTLA_INLINE uint32_t bits(char16_t h) { return uint32_t(h) << 16; }
  // Contiguous ones, nothing beyond them being read or written.
  static FASTLA_INLINE void widen(const char *p, int64_t n, uint32_t *out) {
    for (int64_t i = 0; i < n; ++i) out[i] = bits(reinterpret_cast<const Loose *>(p)[i]);
  }
};

FASTLA_INLINE uint16_t half_of(float x) {
  uint32_t u;
  __builtin_memcpy(&u, &x, 4);
  const uint32_t even = (u + 0x7fff + (u >> 16 & 1)) >> 16, quiet = u >> 16 | 0x40;
  return uint16_t((u & 0x7fffffff) > 0x7f800000 ? quiet : even);
}
FASTLA_INLINE void put_halves(const float *from, char *to, int64_t stride, int64_t n) {
  typedef uint16_t Loose __attribute__((aligned(1), may_alias));
  if (stride == 2)
    for (int64_t i = 0; i < n; ++i) reinterpret_cast<Loose *>(to)[i] = half_of(from[i]);
  else
    for (int64_t i = 0; i < n; ++i) *reinterpret_cast<Loose *>(to + i * stride) = half_of(from[i]);
}

// While it lives subnormal numbers are 0; exceptions raised meanwhile leave no flags (the instruction for pairs has none).
class Environment {
 public:
  Environment(const Environment &) = delete;
  Environment &operator=(const Environment &) = delete;
#if defined(__x86_64__)
  FASTLA_INLINE Environment() : saved_(__builtin_ia32_stmxcsr()) {
    constexpr unsigned flush = 0x8000, zeros = 0x40;
    __builtin_ia32_ldmxcsr(saved_ | flush | zeros);
    __asm__ volatile("" ::: "memory");
  }
  FASTLA_INLINE ~Environment() {
    __asm__ volatile("" ::: "memory");
    __builtin_ia32_ldmxcsr(saved_);
  }

 private:
  unsigned saved_;
#else
  FASTLA_INLINE Environment() {
    constexpr uint64_t flush = uint64_t{1} << 24;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control_));
    __asm__ volatile("mrs %0, fpsr" : "=r"(status_));
    __asm__ volatile("msr fpcr, %0" ::"r"(control_ | flush) : "memory");
  }
  FASTLA_INLINE ~Environment() {
    __asm__ volatile("msr fpcr, %0" ::"r"(control_) : "memory");
    __asm__ volatile("msr fpsr, %0" ::"r"(status_));
  }

 private:
  uint64_t control_, status_;
#endif
};

}  // namespace
