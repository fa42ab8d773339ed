// Threads: workers that take tasks dynamically. The engine behind it is nobody else's business.
#pragma once
#include <stdint.h>

#include <atomic>

namespace fastla {

// worker: 0..threads-1, for scratch that belongs to a worker.
using WorkerFn = void (*)(void *context, int worker);

// Runs fn on up to `threads` threads at once, the caller among them as worker 0; returns when all have returned.
// Helpers may come late, not at all, or more than once, so the workers share out tasks among themselves, and whoever
// is there does all of them. The caller is in an FpScope, which keeps its flags; each helper gets one of its own, and the
// result is the flags that they raised. Inside another parallel call, or while another thread has the team, the caller is
// the only worker.
uint32_t parallel_region(int threads, WorkerFn fn, void *context) noexcept;

// The same for a callable: body(worker).
template <class Body> uint32_t parallel_region(int threads, Body &&body) noexcept {
  return parallel_region(
      threads, [](void *context, int worker) { (*static_cast<Body *>(context))(worker); },
      const_cast<void *>(static_cast<const void *>(&body)));
}

// Whether somebody asked the same a moment ago: in a chain of brief products helpers stay awake, and waking them for
// the second one pays.
bool parallel_warm() noexcept;

// Whether the calling worker should return from fn before it takes another task: it will be called again.
bool should_pause() noexcept;

// Numbers handed out one by one, each once.
class alignas(64) Tickets {
 public:
  int64_t take() noexcept { return next_.fetch_add(1, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> next_{0};
};

// Runs every task once: body(task, worker), task 0..count-1.
template <class Body> uint32_t parallel_for(int64_t count, int threads, Body &&body) noexcept {
  if (threads == 1 || count == 1)
    return parallel_region(1, [&](int worker) {
      for (int64_t task = 0; task < count; ++task) body(task, worker);
    });
  Tickets tickets;
  return parallel_region(threads < count ? threads : int(count), [&](int worker) {
    for (int64_t task; !should_pause() && (task = tickets.take()) < count;) body(task, worker);
  });
}

// A count of what is done, for those that need it.
class alignas(64) Progress {
 public:
  void add() noexcept { done_.fetch_add(1, std::memory_order_release); }
  void set(int64_t count) noexcept { done_.store(count, std::memory_order_release); }
  void wait_for(int64_t count) const noexcept {
    if (done_.load(std::memory_order_acquire) < count) wait(count);
  }

 private:
  void wait(int64_t count) const noexcept;
  std::atomic<int64_t> done_{0};
};

}  // namespace fastla
