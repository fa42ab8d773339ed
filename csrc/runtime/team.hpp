// The threads behind parallel.hpp. One engine is compiled in: team.cpp, helpers of our own, or, with FASTLA_OPENMP_TEAM,
// team_openmp.cpp. docs/decisions/0003-threads.md compares them.
#pragma once
#include "runtime/parallel.hpp"

namespace fastla {

constexpr int kMaxThreads = 1024;

// Runs fn(context, 0) on the caller and, as workers 1 to threads - 1, on as many helpers as come before it has
// returned; returns when all of them have. One caller at a time.
void team_run(int threads, WorkerFn fn, void *context) noexcept;
// Whether the calling helper has had its core for so long that it should return from fn, between two tasks, to let
// others have it; it comes back while there is work. Never so for the caller.
bool team_tired() noexcept;

void team_before_fork() noexcept;
void team_after_fork() noexcept;  // in the child

}  // namespace fastla
