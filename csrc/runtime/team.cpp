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

// An idle helper spins for so long, for the next call of a chain of them, before it sleeps; a caller for the end of the
// last task: to be woken takes longer than most tasks do (256^3: 7% of the product).
constexpr int64_t kIdleSpin = 80'000, kJoinSpin = 200'000;  // ns
// After a thread could not be created nobody tries again for so long.
constexpr int64_t kNoThreads = 100'000'000;  // ns
// A helper's time at work before it offers its core to others: well below a scheduler's slice of some milliseconds.
constexpr int64_t kStint = 500'000;  // ns

// The door: open or not, whether the caller sleeps until it is empty, and how many helpers are inside. What they read
// of the job changes only while it is closed and empty.
constexpr uint32_t kOpen = 1u << 31, kAwaited = 1u << 30;
struct alignas(64) Door {
  std::atomic<uint32_t> state{0};

  bool enter() noexcept {
    uint32_t seen = state.load(std::memory_order_acquire);
    while (seen & kOpen)
      if (state.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel)) return true;
    return false;
  }
  void leave() noexcept {
    if (state.fetch_sub(1, std::memory_order_acq_rel) == kAwaited + 1) state.notify_one();
  }
  void open() noexcept { state.store(kOpen, std::memory_order_release); }
  void close() noexcept { state.fetch_and(~kOpen, std::memory_order_acq_rel); }
  void wait_until_empty() noexcept {
    if (spin_for(kJoinSpin, [&] { return state.load(std::memory_order_acquire) == 0; })) return;
    uint32_t seen = state.fetch_or(kAwaited, std::memory_order_acq_rel) | kAwaited;
    for (; seen != kAwaited; seen = state.load(std::memory_order_acquire))
      state.wait(seen, std::memory_order_acquire);
    state.store(0, std::memory_order_relaxed);
  }
};

struct Job {
  WorkerFn fn;
  void *context;
  int threads;
};

struct alignas(64) Helper {
  std::atomic<uint32_t> calls{0};
  std::atomic<bool> asleep{false};

  // Sequentially consistent, like the helper's side: one of the two sees what the other wrote.
  void call() noexcept {
    calls.fetch_add(1);
    if (asleep.load()) calls.notify_one();
  }
  // The number of calls once it is no longer `seen`; *slept: whether that took a sleep.
  uint32_t wait_for_call(uint32_t seen, bool *slept) noexcept {
    *slept = !spin_for(kIdleSpin, [&] { return calls.load(std::memory_order_acquire) != seen; });
    if (*slept) {
      asleep.store(true);
      calls.wait(seen);
      asleep.store(false, std::memory_order_relaxed);
    }
    return calls.load(std::memory_order_acquire);
  }
};

Door door;
Job job;
Helper helpers[kMaxThreads];
int created = 0;
thread_local bool is_helper = false;
thread_local int64_t rested = 0;  // when the helper last gave its core away

void *help(void *argument) noexcept {
  Helper &helper = *static_cast<Helper *>(argument);
  const int worker = int(&helper - helpers) + 1;
  is_helper = true;
  rested = monotonic_time();
  for (uint32_t seen = 0;;) {
    bool slept = false;
    seen = helper.wait_for_call(seen, &slept);
    if (slept) rested = monotonic_time();
    while (door.enter()) {
      if (worker < job.threads) job.fn(job.context, worker);
      door.leave();
      if (!team_tired()) break;
      sched_yield();
      rested = monotonic_time();
    }
  }
}

// Signals stay with the threads that the process knows of, but for those that a thread's own instructions raise.
void create_helpers(int wanted) noexcept {
  static int64_t not_before = 0;
  if (created >= wanted || monotonic_time() < not_before) return;
  sigset_t blocked, usual;
  sigfillset(&blocked);
  for (int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) sigdelset(&blocked, own);
  if (pthread_sigmask(SIG_SETMASK, &blocked, &usual) != 0) return;
  for (pthread_t thread; created < wanted; ++created) {
    Helper &helper = helpers[created];
    helper.calls.store(0, std::memory_order_relaxed);
    helper.asleep.store(false, std::memory_order_relaxed);
    if (pthread_create(&thread, nullptr, &help, &helper) != 0) {
      not_before = monotonic_time() + kNoThreads;
      break;
    }
    pthread_detach(thread);
  }
  pthread_sigmask(SIG_SETMASK, &usual, nullptr);
}

}  // namespace

void team_run(int threads, WorkerFn fn, void *context) noexcept {
  create_helpers(threads - 1);
  job = {fn, context, threads};
  door.open();
  for (int i = 0; i < created && i + 1 < threads; ++i) helpers[i].call();
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
