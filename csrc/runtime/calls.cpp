#include "runtime/calls.hpp"

#include <atomic>

namespace fastla {
namespace {

// Of one thread at a time, whose it is until it ends; the next goes on counting where it stopped.
struct alignas(64) Counts {
  std::atomic<int64_t> of[FASTLA_CALLS];
  std::atomic<bool> taken;
};
// The first is for all threads that find no other.
constexpr int kCounts = 64;
Counts counts[kCounts];

thread_local Counts *own = nullptr;
struct Owner {
  bool owns = false;
  ~Owner() {
    if (own != counts) own->taken.store(false, std::memory_order_release);
    own = counts;  // for what the thread still calls
  }
};
thread_local Owner owner;

Counts *take() noexcept {
  owner.owns = true;  // what is not used is not destroyed
  for (int i = 1; i < kCounts; ++i)
    if (!counts[i].taken.load(std::memory_order_relaxed) &&
        !counts[i].taken.exchange(true, std::memory_order_acquire))
      return &counts[i];
  return counts;
}

}  // namespace

void count_call(int32_t kind) noexcept {
  if (!own) own = take();
  std::atomic<int64_t> &count = own->of[kind];
  if (own == counts)
    count.fetch_add(1, std::memory_order_relaxed);
  else
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace fastla

extern "C" int64_t fastla_call_count(int32_t kind) {
  if (kind < 0 || kind >= FASTLA_CALLS) return -1;
  int64_t sum = 0;
  for (const fastla::Counts &each : fastla::counts)
    sum += each.of[kind].load(std::memory_order_relaxed);
  return sum;
}
