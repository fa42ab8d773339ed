// At what clock does this core run multiply-adds, alone and with a tile's loads beside them?
//
//   g++ -O1 -mavx512f tools/clock_probe.cpp -o clock_probe && ./clock_probe
//
// docs/decisions/0004-clock.md explains the answer. Needs AVX-512. Loops of 24 float32 multiply-adds (12 cycles
// at two a cycle); "tile" adds what a tile of 12 x 2 vectors loads, all from L1. There is no hardware counter in
// a virtual machine: a chain of 13 dependent additions beside the multiply-adds shows the clock, and so does
// the register loop in the first 0.1 ms after another loop, since the clock follows a change of work only
// after a millisecond.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <vector>

namespace {

alignas(64) float data[256];

#define F(i) "vfmadd231ps %%zmm28, %%zmm29, %%zmm" #i "\n"
#define BROADCAST "vbroadcastss 128(%1), %%zmm30\n"
#define ADD "add %%r9, %%r9\n"
#define LOADS "vmovups (%1), %%zmm31\n vmovups 64(%1), %%zmm31\n"
#define PAIRS(x)                                                                            \
  F(0)                                                                                      \
  F(1)                                                                                      \
  x F(2) F(3) x F(4) F(5) x F(6) F(7) x F(8) F(9) x F(10) F(11) x F(12) F(13) x F(14) F(15) \
      x F(16) F(17) x F(18) F(19) x F(20) F(21) x F(22) F(23) x
#define LOOP(name, body)                                                                       \
  __attribute__((noinline)) void name(long n) {                                                \
    __asm__ volatile("1:\n" body "dec %0\n jnz 1b\n"                                           \
                     : "+r"(n)                                                                 \
                     : "r"(data)                                                               \
                     : "memory", "r9", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", \
                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",    \
                       "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", \
                       "xmm23", "xmm30", "xmm31");                                             \
  }
LOOP(registers, PAIRS(""))
LOOP(chain, PAIRS(ADD) ADD)
LOOP(tile, LOADS PAIRS(BROADCAST))

double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

double iterations_per_second(void (*loop)(long), long iterations) {
  const double start = now();
  loop(iterations);
  return double(iterations) / (now() - start);
}

struct Case {
  const char *name;
  void (*loop)(long);
  int cycles;  // of an iteration, if nothing is lost
  std::vector<double> rates, rates_after;
};

double median(std::vector<double> &values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main() {
  Case cases[] = {{"registers", registers, 12, {}, {}},
                  {"registers and a chain of 13", chain, 13, {}, {}},
                  {"tile", tile, 12, {}, {}}};
  constexpr long long_run = 6000000, short_run = 30000;  // 20 and 0.1 ms
  for (int round = 0; round < 21; ++round)
    for (Case &c : cases) {
      c.loop(long_run / 2);
      c.rates.push_back(iterations_per_second(c.loop, long_run));
      c.rates_after.push_back(iterations_per_second(registers, short_run));
    }
  for (Case &c : cases) {
    const double rate = median(c.rates);
    std::printf(
        "%-28s %6.1f GFLOP/s: %.2f GHz at %d cycles an iteration; clock left behind %.2f GHz\n",
        c.name, rate * 24 * 32 / 1e9, rate * c.cycles / 1e9, c.cycles,
        median(c.rates_after) * 12 / 1e9);
  }
}
