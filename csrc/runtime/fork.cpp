#include "runtime/fork.hpp"

#include <pthread.h>

namespace fastla {

void watch_forks() noexcept {
  static const int registered = pthread_atfork([] { parallel_before_fork(); }, nullptr,
                                               [] {
                                                 workspace_after_fork();
                                                 parallel_after_fork();
                                               });
  (void)registered;
}

}  // namespace fastla
