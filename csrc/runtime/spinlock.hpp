// Waiting without the kernel: a pause, and a lock that fork can reset (no futex state, no owner), held for a
// few instructions only.
#pragma once
#include <sched.h>

#include <atomic>

namespace fastla {

inline void cpu_pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
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
