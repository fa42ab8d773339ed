// The roof of this process on this machine: what no product can exceed.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fastla/gemm.h"
#include "fastla/runtime.h"
#include "kernels/row.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"

using namespace fastla;

namespace {

double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

constexpr int kMostRounds = 15;

// The median rate of at most so many rounds, and of three if they are late.
template <class Round>
double median_rate(int rounds, double seconds, double amount, Round &&round) {
  double rates[kMostRounds];
  int n = 0;
  const double start = now();
  while (n < rounds && (n < 3 || now() - start < seconds)) {
    const double t = now();
    round();
    const double rate = amount / (now() - t);
    int i = n++;
    for (; i > 0 && rates[i - 1] > rate; --i) rates[i] = rates[i - 1];
    rates[i] = rate;
  }
  return rates[n / 2];
}

}  // namespace

extern "C" {

fastla_status fastla_roof_fma(int32_t dtype, int32_t threads, double seconds, int32_t rounds,
                              double *flops) {
  if (dtype < 0 || dtype >= FASTLA_DTYPES || threads < 1 || !(seconds > 0) || rounds < 1 ||
      rounds > kMostRounds || !flops)
    return FASTLA_INVALID;
  const FpScope scope;
  const KernelRow &row = chosen_row(dtype);
  double once = 1;  // the fastest of some: an interruption would make the rounds too short
  for (int i = 0; i < 5; ++i) {
    const double t = now();
    row.fma_loop(1000);
    const double each = (now() - t) / 1000;
    if (each < once) once = each;
  }
  const int64_t tasks = 16 * threads;
  const double slice = seconds / rounds / 16;
  const int64_t iterations =
      int64_t((slice > 5e-5 ? slice : 5e-5) / (once > 1e-9 ? once : 1e-9)) + 1;
  *flops = median_rate(
      rounds, seconds, row.fma_loop_flops * double(iterations) * double(tasks),
      [&] { parallel_for(tasks, threads, [&](int64_t, int) { row.fma_loop(iterations); }); });
  return FASTLA_OK;
}

fastla_status fastla_roof_read(int32_t threads, double seconds, double *bytes_per_second) {
  if (threads < 1 || !(seconds > 0) || !bytes_per_second) return FASTLA_INVALID;
  // Four times the last-level cache, so that every line comes from memory.
  const int64_t l3 = fastla_cache_bytes(3);
  const int64_t bytes = (4 * l3 > int64_t{128} << 20 ? 4 * l3 : int64_t{128} << 20) / 4096 * 4096;
  char *data = static_cast<char *>(aligned_alloc(4096, size_t(bytes)));
  if (!data) return FASTLA_NO_MEMORY;
  const FpScope scope;
  memset(data, 1, size_t(bytes));
  constexpr int64_t piece = int64_t{1} << 20;
  typedef uint64_t Line __attribute__((vector_size(16)));
  *bytes_per_second = median_rate(kMostRounds, seconds, double(bytes / piece * piece), [&] {
    parallel_for(bytes / piece, threads, [&](int64_t task, int) {
      const Line *line = reinterpret_cast<const Line *>(data + task * piece);
      Line sum[4] = {};
      for (int64_t i = 0; i < piece / 16; i += 4)
        for (int j = 0; j < 4; ++j) sum[j] += line[i + j];
      const Line all = sum[0] + sum[1] + sum[2] + sum[3];
      __asm__ volatile("" ::"x"(all) : "memory");
    });
  });
  free(data);
  return FASTLA_OK;
}

}  // extern "C"
