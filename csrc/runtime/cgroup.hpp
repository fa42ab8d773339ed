// How many CPUs a container lets this process use. Read afresh at every call: limits change at run
// time.
#pragma once
#include <stdint.h>

namespace fastla {

// CPUs that the cgroup quota grants, rounded up, or 0 for no limit; v1, v2 and hybrid. root stands
// before every path that is read: "" on a live system, the folder of a fixture in tests.
int32_t cgroup_cpus(const char *root) noexcept;

// CPUs in the affinity mask of the calling thread; at least 1.
int32_t affinity_cpus() noexcept;

}  // namespace fastla
