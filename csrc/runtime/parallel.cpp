// Who gets the team, and how many threads a call gets.
#include "runtime/parallel.hpp"

#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include <atomic>

#include "fastla/runtime.h"
#include "runtime/cgroup.hpp"
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
thread_local bool inside = false;

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

// Spins about this often, some tens of microseconds, before it lets others run.
constexpr int kSpins = 1000;

int64_t now() noexcept {  // ns
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

// A helper whose core another process wants can lose it in the middle of a task, for milliseconds, and the caller has
// to wait. Who waited so long, and for so much of its call, works alone for a while; the while doubles with each
// such call, and halves when an eighth of it has passed without one.
class Patience {
 public:
  bool alone(int64_t time) noexcept { return time < until_; }
  void look(int64_t begin, int64_t waited) noexcept {
    const int64_t end = now();
    if (waited > kLongWait && waited > (end - begin) / 4) {
      while_ = while_ < kShortest ? kShortest : while_ < kLongest ? 2 * while_ : kLongest;
      until_ = end + while_;
    } else if (end - until_ > while_ / 8) {
      while_ /= 2;
      until_ = end;
    }
  }

 private:
  static constexpr int64_t kLongWait = 200'000, kShortest = 20'000'000, kLongest = 640'000'000;
  int64_t until_ = 0, while_ = 0;
};
Patience patience;  // of whoever holds team_lock
thread_local int64_t waited = 0;

struct Region {
  WorkerFn fn;
  void *context;
  std::atomic<uint32_t> flags;
  int64_t finished;  // by the caller

  void run(int worker) noexcept {
    const FpScope scope;
    const bool outer = inside;
    inside = true;
    fn(context, worker);
    inside = outer;
    flags.fetch_or(scope.flags(), std::memory_order_relaxed);
    if (worker == 0) finished = now();
  }
};

}  // namespace

uint32_t parallel_region(int threads, WorkerFn fn, void *context) noexcept {
  const bool has_team = threads > 1 && !inside && team_lock.try_lock();
  const int64_t begin = has_team ? now() : 0;
  if (!has_team || patience.alone(begin)) {
    if (has_team) team_lock.unlock();
    const FpScope scope;
    fn(context, 0);
    return scope.flags();
  }
  watch_forks();
  started.store(true, std::memory_order_relaxed);
  waited = 0;
  Region region{fn, context, {}, 0};
  team_run(
      threads < kMaxThreads ? threads : kMaxThreads,
      [](void *it, int worker) { static_cast<Region *>(it)->run(worker); }, &region);
  patience.look(begin, waited + now() - region.finished);
  team_lock.unlock();
  return region.flags.load(std::memory_order_relaxed);
}

bool should_pause() noexcept { return team_tired(); }

void Progress::wait(int64_t count) const noexcept {
  for (int spins = 0; spins < kSpins; ++spins, cpu_pause())
    if (done_.load(std::memory_order_acquire) >= count) return;
  const int64_t begin = now();
  while (done_.load(std::memory_order_acquire) < count) sched_yield();
  waited += now() - begin;
}

void parallel_before_fork() noexcept {
  if (started.load() && !inside) team_before_fork();
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
