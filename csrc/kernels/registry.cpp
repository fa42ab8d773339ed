// Which kernel rows there are, which this CPU can run, and which one is in force.
#include <string.h>

#include "fastla/gemm.h"
#include "fastla/runtime.h"
#include "kernels/ops.hpp"
#include "kernels/tables.hpp"
#include "runtime/cpu.hpp"
#include "runtime/fpenv.hpp"

namespace fastla {
namespace {

struct Isa {
  const char *name;
  const KernelRow *floats;  // by dtype
  const IntegerRows *integers, *vnni;
  const ComplexRows *complex;
  const KernelRow *half;
  const BfloatRows *bfloats, *pairs;
  const OpTable *ops;
  bool (*usable)(const Cpu &);
  bool (*preferred)(const Cpu &);  // where it is usable: to the ones below
  bool (*pairs_preferred)(const Cpu &);
};

bool always(const Cpu &) { return true; }
[[maybe_unused]] bool is_zen4(const Cpu &c) {
  return c.amd && c.l1 <= 32 << 10;
}  // Zen 5 has 48 KiB
[[maybe_unused]] bool has_pairs(const Cpu &c) { return c.avx512_bf16; }
// Intel's CPUs take four times as long for a pair as for a fused multiply-add.
[[maybe_unused]] bool has_fast_pairs(const Cpu &c) { return c.avx512_bf16 && c.amd; }

// Best first, but zen4 on that CPU only.
const Isa kIsas[] = {
#if defined(__x86_64__)
    {"zen4", zen4_rows, &avx512_integers, &avx512_vnni_integers, &zen4_complex, &zen4_half,
     &zen4_bfloats, &zen4_pairs, &avx512_ops, [](const Cpu &c) { return c.avx512; }, is_zen4,
     has_pairs},
    {"avx512", avx512_rows, &avx512_integers, &avx512_vnni_integers, &avx512_complex, &avx512_half,
     &avx512_bfloats, &avx512_pairs, &avx512_ops, [](const Cpu &c) { return c.avx512; }, always,
     has_fast_pairs},
    {"avx2", avx2_rows, &avx2_integers, nullptr, &avx2_complex, &avx2_half, &avx2_bfloats, nullptr,
     &avx2_ops, [](const Cpu &c) { return c.avx2 && c.fma && c.f16c; }, always, nullptr},
#elif defined(__aarch64__)
    {"neon", neon_rows, &neon_integers, nullptr, &neon_complex, &neon_half, &neon_bfloats, nullptr,
     &neon_ops, [](const Cpu &c) { return c.neon; }, always, nullptr},
#endif
    {"generic", generic_rows, &generic_integers, nullptr, &generic_complex, &generic_half,
     &generic_bfloats, nullptr, &generic_ops, always, always, nullptr},
};
constexpr int kIsaCount = sizeof(kIsas) / sizeof(kIsas[0]);

// They do on all CPUs so far; a sandbox or an emulator might do otherwise.
bool pairs_hold() {
#if defined(__x86_64__)
  static const bool hold = [] {
    const FpScope scope;
    return avx512_pairs_hold();
  }();
  return hold;
#else
  return false;
#endif
}

const KernelRow &row_of(const Isa &isa, int dtype) {
  if (dtype < FASTLA_FLOATS) return isa.floats[dtype];
  if (dtype >= FASTLA_BF16) {
    const bool pairs = isa.pairs && isa.pairs_preferred(cpu()) && pairs_hold();
    return (pairs ? isa.pairs : isa.bfloats)->of[dtype - FASTLA_BF16];
  }
  if (dtype == FASTLA_F16) return *isa.half;
  if (dtype >= FASTLA_C64) return isa.complex->of[dtype - FASTLA_C64];
  const bool vnni = isa.vnni && cpu().avx512_vnni;
  return (vnni ? isa.vnni : isa.integers)->of[dtype - FASTLA_FLOATS];
}

int find(const char *name) {
  for (int i = 0; i < kIsaCount; ++i)
    if (strcmp(kIsas[i].name, name) == 0) return i;
  return -1;
}

int best() {
  int i = 0;
  while (!kIsas[i].usable(cpu()) || !kIsas[i].preferred(cpu())) ++i;  // the last one always is
  return i;
}

struct Start {
  int isa;
  const char *error;  // FASTLA_ISA's value when it cannot be had
};

const Start &start() {
  static const Start value = [] {
    const char *name = wanted_isa();
    if (!name) return Start{best(), nullptr};
    const int i = find(name);
    if (i < 0 || !kIsas[i].usable(cpu())) return Start{best(), name};
    return Start{i, nullptr};
  }();
  return value;
}

int forced = -1;  // __atomic: kernels/ uses no STL

int current() {
  const int i = __atomic_load_n(&forced, __ATOMIC_RELAXED);
  return i >= 0 ? i : start().isa;
}

}  // namespace

const char *chosen_isa() noexcept { return kIsas[current()].name; }
const KernelRow &chosen_row(int dtype) noexcept { return row_of(kIsas[current()], dtype); }
const OpTable &chosen_ops() noexcept { return *kIsas[current()].ops; }

}  // namespace fastla

using namespace fastla;

extern "C" {

int32_t fastla_row_count(void) { return kIsaCount * FASTLA_DTYPES; }

fastla_status fastla_get_row(int32_t index, fastla_row_info *info) {
  if (index < 0 || index >= fastla_row_count() || !info) return FASTLA_INVALID;
  const int i = index / FASTLA_DTYPES;
  const KernelRow &row = row_of(kIsas[i], index % FASTLA_DTYPES);
  *info = {kIsas[i].name,          row.dtype,     row.mr, row.nr, row.vector_bytes,
           kIsas[i].usable(cpu()), i == current()};
  return FASTLA_OK;
}

fastla_status fastla_use_isa(const char *isa) {
  if (!isa) {
    __atomic_store_n(&forced, best(), __ATOMIC_RELAXED);
    return FASTLA_OK;
  }
  const int i = find(isa);
  if (i < 0) return FASTLA_INVALID;
  if (!kIsas[i].usable(cpu())) return FASTLA_UNSUPPORTED;
  __atomic_store_n(&forced, i, __ATOMIC_RELAXED);
  return FASTLA_OK;
}

const char *fastla_isa_env_error(void) { return start().error; }

}  // extern "C"
