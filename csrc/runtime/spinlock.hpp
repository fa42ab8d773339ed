// Waiting without the kernel: a pause, a while of them, and a lock that fork can reset (no futex state, no owner), held
// for a few instructions only.
#pragma once
#include <sched.h>

#include <atomic>

#include "runtime/clock.hpp"

namespace fastla {

inline void cpu_pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Whether done() comes true within about so many nanoseconds. A pause takes 3 to 40 of them.
template <class Done> bool spin_for(int64_t time, Done &&done) noexcept {
  if (done()) return true;
  for (const int64_t end = monotonic_time() + time; monotonic_time() < end;)
    for (int i = 0; i < 16; ++i) {
      cpu_pause();
      if (done()) return true;
    }
  return false;
}

class SpinLock {
 public:
  bool try_lock() noexcept { return !flag_.exchange(true, std::memory_order_acquire); }
  void lock() noexcept {
    while (!try_lock()) sched_yield();
  }
  void unlock() noexcept { flag_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> flag_{false};
};

}  // namespace fastla
