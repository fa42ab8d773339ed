// The CPU this process runs on: instruction sets that both it and the operating system support,
// cache sizes, name. Asked once, from CPUID and XGETBV alone, so that a sandbox without /proc or
// /sys works.
#pragma once
#include <stdint.h>

namespace fastla {

struct Cpu {
  bool avx2 = false, fma = false, f16c = false;
  bool avx512 = false;  // F, BW, DQ and VL together: what a 64-byte kernel row asks for

  bool avx512_bf16 = false, avx512_vnni = false;
  bool neon = false;
  int64_t l1 = 32 << 10, l2 = 512 << 10,
          l3 = 4 << 20;  // bytes of data cache, when nothing better is known
  char name[64] = "";
  bool amd = false;        // the maker
  char features[96] = "";  // the names of the true members above, separated by blanks
};

const Cpu &cpu() noexcept;

// The value of FASTLA_ISA, or nullptr when it is unset or empty.
const char *wanted_isa() noexcept;

}  // namespace fastla
