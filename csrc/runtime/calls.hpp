// Calls counted where they are made: no cache line that threads share, no locked instruction.
#pragma once
#include "fastla/calls.h"

namespace fastla {

// One more of a fastla_call.
void count_call(int32_t kind) noexcept;

}  // namespace fastla
