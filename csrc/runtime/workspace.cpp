// A handful of free blocks behind a lock; anything above the cap goes back to the system at once.
#include "runtime/workspace.hpp"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <atomic>

#include "fastla/runtime.h"
#include "runtime/fork.hpp"
#include "runtime/spinlock.hpp"

namespace fastla {
namespace {

struct Free {
  char *data;
  size_t bytes;
};
constexpr int kSlots = 8;
constexpr size_t kCap = size_t{96} << 20;  // one large product's panels on a 32 MiB L3, with room
constexpr size_t kHuge = size_t{2} << 20;  // transparent huge pages save a TLB miss per packed line

SpinLock lock;
Free slots[kSlots];
std::atomic<int64_t> held{0};

// Sizes are rounded up so that calls of nearly equal shape find each other's blocks.
size_t rounded(size_t bytes) {
  const size_t unit = bytes >= kHuge ? kHuge : 4096;
  return (bytes + unit - 1) / unit * unit;
}

void give_back(char *data, size_t bytes) {
  free(data);
  held.fetch_sub(int64_t(bytes));
}

char *take_cached(size_t bytes, size_t *got) {
  lock.lock();
  int found = -1;
  for (int i = 0; i < kSlots; ++i)
    if (slots[i].data && slots[i].bytes >= bytes &&
        (found < 0 || slots[i].bytes < slots[found].bytes))
      found = i;
  char *data = nullptr;
  if (found >= 0) {
    data = slots[found].data;
    *got = slots[found].bytes;
    slots[found] = {};
  }
  lock.unlock();
  return data;
}

}  // namespace

Workspace::Workspace(size_t bytes) noexcept : data_(nullptr), bytes_(rounded(bytes ? bytes : 1)) {
  if (bytes > SIZE_MAX - kHuge) return;
  data_ = take_cached(bytes_, &bytes_);
  if (data_) return;
  const size_t align = bytes_ >= kHuge ? kHuge : 4096;
  data_ = static_cast<char *>(aligned_alloc(align, bytes_));
  if (!data_) return;
#ifdef MADV_HUGEPAGE
  if (bytes_ >= kHuge) madvise(data_, bytes_, MADV_HUGEPAGE);
#endif
  held.fetch_add(int64_t(bytes_));
}

Workspace::~Workspace() {
  if (!data_) return;
  watch_forks();
  // What was used last is kept: smaller blocks make room for it, since it serves for what they do.
  Free dropped[kSlots + 1];
  int drops = 0;
  lock.lock();
  size_t cached = bytes_;
  int free_slot = -1;
  for (const Free &slot : slots) cached += slot.bytes;
  for (int i = 0; i < kSlots; ++i) {
    if (slots[i].data && cached > kCap && bytes_ <= kCap && slots[i].bytes <= bytes_) {
      cached -= slots[i].bytes;
      dropped[drops++] = slots[i];
      slots[i] = {};
    }
    if (!slots[i].data) free_slot = i;
  }
  if (free_slot >= 0 && cached <= kCap)
    slots[free_slot] = {data_, bytes_};
  else
    dropped[drops++] = {data_, bytes_};
  lock.unlock();
  for (int i = 0; i < drops; ++i) give_back(dropped[i].data, dropped[i].bytes);
}

void workspace_after_fork() noexcept { lock.unlock(); }

}  // namespace fastla

extern "C" {

void fastla_release_workspace(void) {
  using namespace fastla;
  for (int i = 0; i < kSlots; ++i) {
    lock.lock();
    const Free block = slots[i];
    slots[i] = {};
    lock.unlock();
    if (block.data) give_back(block.data, block.bytes);
  }
}

int64_t fastla_workspace_bytes(void) { return fastla::held.load(); }

}  // extern "C"
