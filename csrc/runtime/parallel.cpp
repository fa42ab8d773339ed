// Who gets the team, and how many threads a call gets.
#include "runtime/parallel.hpp"

#include <sched.h>
#include <stdlib.h>

#include <atomic>

#include "fastla/runtime.h"
#include "runtime/cgroup.hpp"
#include "runtime/clock.hpp"
#include "runtime/fork.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/spinlock.hpp"
#include "runtime/team.hpp"

namespace fastla {
namespace {

std::atomic<int> process_threads{0};
thread_local int context_threads = 0;
std::atomic<bool> started{false};
SpinLock team_lock;
thread_local int depth = 0;  // regions that the thread is in

// A leading positive integer, as OpenMP reads "4" and "4,2".
int env_count(const char *name) {
  const char *text = getenv(name);
  if (!text) return 0;
  char *end = nullptr;
  const long n = strtol(text, &end, 10);
  if (end == text || n < 1) return 0;
  return n < kMaxThreads ? int(n) : kMaxThreads;
}

int environment_threads() {
  static const int asked = [] {
    const int own = env_count("FASTLA_NUM_THREADS");
    return own ? own : env_count("OMP_NUM_THREADS");
  }();
  if (asked) return asked;
  static const int quota = fastla_cgroup_cpus("");
  const int affinity = fastla_affinity_cpus();  // may change while the process runs
  const int n = quota > 0 && quota < affinity ? quota : affinity;
  return n > 0 ? n : 1;
}

// Products no farther apart than this make a chain: about as long as an idle helper stays awake.
constexpr int64_t kChainGap = 100'000;  // ns
// Spins for so long before it lets others run.
constexpr int64_t kSpin = 40'000;  // ns

void run_worker(WorkerFn fn, void *context, int worker) noexcept {
  ++depth;
  fn(context, worker);
  --depth;
}

struct Region {
  WorkerFn fn;
  void *context;
  std::atomic<uint32_t> flags;
};

}  // namespace

uint32_t parallel_region(int threads, WorkerFn fn, void *context) noexcept {
  if (threads <= 1 || depth > 0 || !team_lock.try_lock()) {
    run_worker(fn, context, 0);
    return 0;
  }
  watch_forks();
  started.store(true, std::memory_order_relaxed);
  Region region{fn, context, {}};
  const auto join = [](void *it, int worker) {
    auto &r = *static_cast<Region *>(it);
    if (worker == 0) return run_worker(r.fn, r.context, worker);
    FpScope scope;
    run_worker(r.fn, r.context, worker);
    r.flags.fetch_or(scope.close(), std::memory_order_relaxed);
  };
  team_run(threads < kMaxThreads ? threads : kMaxThreads, join, &region);
  team_lock.unlock();
  return region.flags.load(std::memory_order_relaxed);
}

bool parallel_warm() noexcept {
  static std::atomic<int64_t> last{-kChainGap};
  const int64_t time = monotonic_time();
  return time - last.exchange(time, std::memory_order_relaxed) < kChainGap;
}

// In a region within a region nobody would come back.
bool should_pause() noexcept { return depth == 1 && team_tired(); }

void Progress::wait(int64_t count) const noexcept {
  const auto done = [&] { return done_.load(std::memory_order_acquire) >= count; };
  if (spin_for(kSpin, done)) return;
  while (!done()) sched_yield();
}

void parallel_before_fork() noexcept {
  if (started.load() && depth == 0) team_before_fork();
}

void parallel_after_fork() noexcept {
  team_after_fork();
  team_lock.unlock();
  started.store(false);
}

}  // namespace fastla

using namespace fastla;

extern "C" {

int32_t fastla_get_num_threads(void) {
  if (context_threads > 0) return context_threads;
  const int n = process_threads.load(std::memory_order_relaxed);
  return n > 0 ? n : environment_threads();
}

void fastla_set_num_threads(int32_t n) {
  process_threads.store(n > 0 ? (n < kMaxThreads ? n : kMaxThreads) : 0);
}

int32_t fastla_thread_context(int32_t n) {
  const int previous = context_threads;
  context_threads = n > 0 ? (n < kMaxThreads ? n : kMaxThreads) : 0;
  return previous;
}

int32_t fastla_team_started(void) { return started.load(); }

}  // extern "C"
