// Time for short intervals.
#pragma once
#include <stdint.h>
#include <time.h>

namespace fastla {

inline int64_t monotonic_time() noexcept {  // ns
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

}  // namespace fastla
