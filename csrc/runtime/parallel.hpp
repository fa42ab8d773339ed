// Threads: one loop whose tasks are handed out dynamically. The engine behind it is nobody else's business.
#pragma once
#include <stdint.h>

namespace fastla {

// task: 0..count-1; worker: 0..threads-1, for scratch that belongs to a worker.
using TaskFn = void (*)(void *context, int64_t task, int worker);

// Runs every task once on up to `threads` threads, the caller among them; returns when all are done.
// Each worker has the environment of FpScope; the result is the flags that they raised. Inside another
// parallel call, or while another thread has the team, the caller runs all tasks itself.
uint32_t parallel_for(int64_t count, int threads, TaskFn fn, void *context) noexcept;

// The same for a callable: body(task, worker).
template <class Body> uint32_t parallel_for(int64_t count, int threads, Body &&body) noexcept {
  return parallel_for(
      count, threads,
      [](void *context, int64_t task, int worker) {
        (*static_cast<Body *>(context))(task, worker);
      },
      const_cast<void *>(static_cast<const void *>(&body)));
}

}  // namespace fastla
