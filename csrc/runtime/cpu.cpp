#include "runtime/cpu.hpp"

#include <stdlib.h>
#include <string.h>

#include "fastla/runtime.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <unistd.h>
#endif

namespace fastla {
namespace {

#if defined(__x86_64__)

struct Leaf {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// Zeros where the CPU has no such leaf.
Leaf cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  Leaf r;
  if (!__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx)) return Leaf{};
  return r;
}

constexpr bool bit(uint32_t word, int index) { return (word >> index & 1) != 0; }

// The register state that the operating system saves when it switches tasks (XCR0). An instruction
// set whose registers are not saved does not exist for us, whatever CPUID says.
uint32_t saved_state() {
  constexpr int kOsxsave = 27;
  if (!bit(cpuid(1).ecx, kOsxsave)) return 0;
  uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

void find_features(Cpu &c) {
  constexpr uint32_t kAvxState = 0x06;     // xmm, upper halves of ymm
  constexpr uint32_t kAvx512State = 0xe6;  // those, masks, upper halves of zmm, zmm16-31
  const uint32_t state = saved_state();
  if ((state & kAvxState) != kAvxState) return;
  const Leaf basic = cpuid(1), extended = cpuid(7);
  c.fma = bit(basic.ecx, 12);
  c.f16c = bit(basic.ecx, 29);
  c.avx2 = bit(extended.ebx, 5);
  if ((state & kAvx512State) != kAvx512State) return;
  c.avx512 = bit(extended.ebx, 16) && bit(extended.ebx, 30) && bit(extended.ebx, 17) &&
             bit(extended.ebx, 31);
  c.avx512_vnni = c.avx512 && bit(extended.ecx, 11);
  c.avx512_bf16 = c.avx512 && bit(cpuid(7, 1).eax, 5);
}

// Intel describes its caches in leaf 4 and AMD, in the same format, in leaf 0x8000001D; the other
// one is empty. False when this one is.
bool find_caches(Cpu &c, uint32_t leaf) {
  enum { kNone = 0, kInstruction = 2 };
  bool found = false;
  for (uint32_t i = 0; i < 16; ++i) {
    const Leaf r = cpuid(leaf, i);
    const uint32_t type = r.eax & 31, level = r.eax >> 5 & 7;
    if (type == kNone) break;
    const int64_t line = (r.ebx & 0xfff) + 1, partitions = (r.ebx >> 12 & 0x3ff) + 1;
    const int64_t ways = (r.ebx >> 22) + 1, sets = int64_t{r.ecx} + 1;
    const int64_t bytes = line * partitions * ways * sets;
    // A hypervisor may hide the sizes but not the entries: 64 bytes is what an entry of zeros
    // gives.
    if (type == kInstruction || level < 1 || level > 3 || bytes < 4096) continue;
    (level == 1 ? c.l1 : level == 2 ? c.l2 : c.l3) = bytes;
    found = true;
  }
  return found;
}

void find_name(Cpu &c) {
  char brand[49] = "";
  for (uint32_t i = 0; i < 3; ++i) {
    const Leaf r = cpuid(0x80000002 + i);
    memcpy(brand + 16 * i, &r, 16);
  }
  const char *start = brand + strspn(brand, " ");
  size_t length = strlen(start);
  while (length > 0 && start[length - 1] == ' ') --length;
  if (length == 0) start = "x86_64", length = strlen(start);
  memcpy(c.name, start, length);
  c.name[length] = '\0';
}

void inspect(Cpu &c) {
  const Leaf maker = cpuid(0);
  c.amd = memcmp(&maker.ebx, "Auth", 4) == 0 && memcmp(&maker.edx, "enti", 4) == 0;
  find_features(c);
  if (!find_caches(c, 4)) find_caches(c, 0x8000001d);
  find_name(c);
}

#elif defined(__aarch64__)

void inspect(Cpu &c) {
  c.neon = true;  // part of every 64-bit ARM
  memcpy(c.name, "aarch64", sizeof "aarch64");
#if defined(_SC_LEVEL1_DCACHE_SIZE)
  const struct {
    int key;
    int64_t *bytes;
  } levels[] = {{_SC_LEVEL1_DCACHE_SIZE, &c.l1},
                {_SC_LEVEL2_CACHE_SIZE, &c.l2},
                {_SC_LEVEL3_CACHE_SIZE, &c.l3}};
  for (const auto &level : levels) {
    const long bytes = sysconf(level.key);
    if (bytes >= 4096) *level.bytes = bytes;  // 0 or -1: the kernel does not say
  }
#endif
}

#else

void inspect(Cpu &c) { memcpy(c.name, "unknown", sizeof "unknown"); }

#endif

void list_features(Cpu &c) {
  const struct {
    bool have;
    const char *name;
  } all[] = {{c.avx2, "avx2"},
             {c.fma, "fma"},
             {c.f16c, "f16c"},
             {c.avx512, "avx512f avx512bw avx512dq avx512vl"},
             {c.avx512_bf16, "avx512_bf16"},
             {c.avx512_vnni, "avx512_vnni"},
             {c.neon, "neon"}};
  char *end = c.features;
  for (const auto &feature : all) {
    if (!feature.have) continue;
    if (end != c.features) *end++ = ' ';
    const size_t length = strlen(feature.name);
    memcpy(end, feature.name, length);
    end += length;
  }
  *end = '\0';
}

Cpu make() noexcept {
  Cpu c;
  inspect(c);
  list_features(c);
  return c;
}

}  // namespace

const char *wanted_isa() noexcept {
  const char *name = getenv("FASTLA_ISA");
  return name && *name ? name : nullptr;
}

const Cpu &cpu() noexcept {
  static const Cpu the_cpu = make();
  return the_cpu;
}

}  // namespace fastla

const char *fastla_cpu_name(void) { return fastla::cpu().name; }

const char *fastla_cpu_features(void) { return fastla::cpu().features; }

int64_t fastla_cache_bytes(int32_t level) {
  const fastla::Cpu &c = fastla::cpu();
  return level == 1 ? c.l1 : level == 2 ? c.l2 : level == 3 ? c.l3 : 0;
}
