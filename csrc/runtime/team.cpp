// Helpers that join late or never.
//
// A caller opens a door, calls the helpers, works, closes the door and waits for those inside. A helper that gets no
// core while the door is open does not hold up the caller, who has done its tasks. One that loses its core inside
// does; so it goes out now and then, between two tasks, and gives its core away of its own accord: the scheduler then
// has no reason to take it in the middle of one.
#include "runtime/team.hpp"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <atomic>

#include "runtime/clock.hpp"
#include "runtime/spinlock.hpp"

namespace fastla {
namespace {

// An idle helper looks this often (40 ns each) for the next call of a chain of them before it sleeps, a caller for the
// end of the last task: to be woken takes longer than most tasks do (256^3: 7% of the product).
constexpr int kIdleSpins = 2000, kJoinSpins = 5000;
// A helper's time at work before it offers its core to others: well below a scheduler's slice of some milliseconds.
constexpr int64_t kStint = 500'000;  // ns

// The door: open or not, and how many helpers are inside. What they read of the job changes only while it is empty.
constexpr uint32_t kOpen = 1u << 31;
struct alignas(64) Door {
  std::atomic<uint32_t> state{0};

  bool enter() noexcept {
    uint32_t seen = state.load(std::memory_order_acquire);
    while (seen & kOpen)
      if (state.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel)) return true;
    return false;
  }
  void leave() noexcept {
    if (state.fetch_sub(1, std::memory_order_acq_rel) == 1) state.notify_one();  // closed, the last
  }
  void open() noexcept { state.store(kOpen, std::memory_order_release); }
  void close() noexcept { state.fetch_and(~kOpen, std::memory_order_acq_rel); }
  void wait_until_empty() noexcept {
    for (int spins = 0; spins < kJoinSpins; ++spins, cpu_pause())
      if (state.load(std::memory_order_acquire) == 0) return;
    while (const uint32_t inside = state.load(std::memory_order_acquire))
      state.wait(inside, std::memory_order_acquire);
  }
};

struct Job {
  WorkerFn fn;
  void *context;
  int threads;
};

struct alignas(64) Helper {
  std::atomic<uint32_t> calls{0};
};

Door door;
Job job;
Helper helpers[kMaxThreads];
int created = 0;
thread_local bool is_helper = false;
thread_local int64_t rested = 0;  // when the helper last gave its core away

void wait_for_call(Helper &helper, uint32_t *seen) noexcept {
  for (int spins = 0; spins < kIdleSpins; ++spins, cpu_pause())
    if (helper.calls.load(std::memory_order_acquire) != *seen) break;
  if (helper.calls.load(std::memory_order_acquire) == *seen) {
    helper.calls.wait(*seen, std::memory_order_acquire);
    rested = monotonic_time();
  }
  *seen = helper.calls.load(std::memory_order_acquire);
}

void *help(void *argument) noexcept {
  Helper &helper = *static_cast<Helper *>(argument);
  const int worker = int(&helper - helpers) + 1;
  is_helper = true;
  rested = monotonic_time();
  for (uint32_t seen = 0;;) {
    wait_for_call(helper, &seen);
    while (door.enter()) {
      if (worker < job.threads) job.fn(job.context, worker);
      door.leave();
      if (!team_tired()) break;
      sched_yield();
      rested = monotonic_time();
    }
  }
}

// Signals stay with the threads that the process knows of. A helper that cannot be had is done without.
void create_helpers(int wanted) noexcept {
  if (created >= wanted) return;
  sigset_t all, usual;
  sigfillset(&all);
  if (pthread_sigmask(SIG_SETMASK, &all, &usual) != 0) return;
  for (pthread_t thread; created < wanted; ++created) {
    Helper &helper = helpers[created];
    helper.calls.store(0, std::memory_order_relaxed);
    if (pthread_create(&thread, nullptr, &help, &helper) != 0) break;
    pthread_detach(thread);
  }
  pthread_sigmask(SIG_SETMASK, &usual, nullptr);
}

}  // namespace

void team_run(int threads, WorkerFn fn, void *context) noexcept {
  create_helpers(threads - 1);
  job = {fn, context, threads};
  door.open();
  for (int i = 0; i < created && i + 1 < threads; ++i) {
    helpers[i].calls.fetch_add(1, std::memory_order_release);
    helpers[i].calls.notify_one();
  }
  fn(context, 0);
  door.close();
  door.wait_until_empty();
}

bool team_tired() noexcept { return is_helper && monotonic_time() - rested > kStint; }

void team_before_fork() noexcept {}
void team_after_fork() noexcept {
  created = 0;
  door.state.store(0);
}

}  // namespace fastla
