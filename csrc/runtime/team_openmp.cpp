// OpenMP's team. libgomp keeps one per calling thread and rebuilds it when the count changes (222 us against 110), so
// it keeps one size and extras leave at once. Plain libgomp hangs in a forked child; pausing it before fork cures that.
#include <omp.h>

#include <atomic>

#include "fastla/runtime.h"
#include "runtime/team.hpp"

namespace fastla {
namespace {
std::atomic<int> size{0};  // the largest asked for
}  // namespace

void team_run(int threads, WorkerFn fn, void *context) noexcept {
  if (threads > size.load(std::memory_order_relaxed))
    size.store(threads, std::memory_order_relaxed);
  const int team = size.load(std::memory_order_relaxed);
#pragma omp parallel num_threads(team)
  {
    const int worker = omp_get_thread_num();
    if (worker < threads) fn(context, worker);
  }
}

bool team_tired() noexcept { return false; }

void team_before_fork() noexcept {
  if (size.load()) omp_pause_resource_all(omp_pause_hard);
}
void team_after_fork() noexcept {}

}  // namespace fastla
