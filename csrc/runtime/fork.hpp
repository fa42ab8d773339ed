// fork: the child has one thread, and locks as they happened to be.
#pragma once

namespace fastla {

// Registers the atfork handlers, once; nothing is registered at import.
void watch_forks() noexcept;

// What the handlers call, each defined in its own file.
void workspace_after_fork() noexcept;
void parallel_before_fork() noexcept;
void parallel_after_fork() noexcept;

}  // namespace fastla
