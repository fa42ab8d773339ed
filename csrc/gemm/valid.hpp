// Whether a description makes sense.
#pragma once
#include "fastla/gemm.h"

namespace fastla {

bool valid(const GemmDesc &desc) noexcept;

}  // namespace fastla
