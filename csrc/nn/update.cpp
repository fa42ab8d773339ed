// Steps of optimizers: pieces of a parameter for the threads.
#include <string.h>

#include "fastla/nn.h"
#include "fastla/runtime.h"
#include "kernels/ops.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"

namespace fastla {
namespace {

// Elements of a task: of some microseconds.
constexpr int64_t kTaskElements = 1 << 15;

bool valid(const UpdateDesc &d) {
  if (d.struct_size < sizeof(UpdateDesc) || d.rule < 0 || d.rule >= FASTLA_UPDATE_RULES)
    return false;
  if ((d.dtype != FASTLA_F32 && d.dtype != FASTLA_F64) || d.count < 0 || d.num_threads < 0)
    return false;
  return d.count == 0 || (d.parameter && d.gradient && d.count <= INT64_MAX / 8 &&
                          (d.rule != FASTLA_ADAM || (d.state[0] && d.state[1])));
}

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" {

void fastla_update_desc_init(fastla_update_desc *desc) {
  memset(desc, 0, sizeof(*desc));
  desc->struct_size = sizeof(*desc);
  desc->shrink = 1;
}

fastla_status fastla_update(const fastla_update_desc *desc) {
  const UpdateDesc &d = *desc;
  if (!valid(d)) return FASTLA_INVALID;
  if (d.count == 0) return FASTLA_OK;
  const auto update = chosen_ops().of[d.dtype == FASTLA_F64].update[d.rule];
  const int64_t tasks = (d.count + kTaskElements - 1) / kTaskElements;
  FpScope scope;
  parallel_for(tasks,
               tasks == 1      ? 1
               : d.num_threads ? d.num_threads
                               : fastla_get_num_threads(),
               [&](int64_t index, int) {
                 const int64_t first = index * kTaskElements, left = d.count - first;
                 update(d, first, left < kTaskElements ? left : kTaskElements);
               });
  return FASTLA_OK;
}

}  // extern "C"
