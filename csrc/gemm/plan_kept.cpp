// Direct products whose workers copy all of B once and keep it: A, of more than one block of K, flows past.
#include "gemm/plan_parts.hpp"

namespace fastla {
namespace {

// So many rows make up for the copies; B has no more bytes in a row (else packing A costs little) and takes such a part
// of L2. With one block of K a packed A is up to 10% faster. docs/decisions/0005-in-place.md has the measurements.
constexpr int64_t kKeptRows = 512, kKeptRowBytes = 2048;
constexpr double kKeptPart = 0.75;
// Panels of A in a task: its sums of earlier blocks stay near.
constexpr int64_t kTaskPanels = 8;

}  // namespace

bool kept_pays(const Problem &p, const Machine &machine) noexcept {
  const KernelRow &row = *machine.row;
  const int64_t size = row.element_size;
  const double bytes = double(p.k) * double(round_up(p.n, row.nr) * size);
  return p.k > kBlockLength && p.m >= larger(kKeptRows, p.n) && p.n * size <= kKeptRowBytes &&
         !p.panels && !p.a.swapped && p.a.col_stride == size && p.a.row_stride % kPage != 0 &&
         bytes <= kKeptPart * double(machine.l2);
}

int64_t kept_tasks(int64_t panels, int64_t threads) noexcept {
  return panels / kTaskPanels / threads * threads;
}

}  // namespace fastla
