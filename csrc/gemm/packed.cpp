// The packed path: five loops around the tile (Goto and van de Geijn, 2008).
//
//   chunk of rows -> panel of B (nc) -> block of K (kc): pack A's chunk and B's panel together, then
//   tasks of mc x task_cols -> panels of nr columns -> tiles of mr rows.
//
// Packing is a phase of its own, shared by all threads, so that tasks can be as fine as the load balance
// wants without packing anything twice.
#include "gemm/paths.hpp"
#include "runtime/parallel.hpp"

namespace fastla {
namespace {

// Panels packed by one task: some tens of kilobytes.
constexpr int64_t kPanelsPerTask = 8;

struct Step {
  const Plan &plan;
  const Problem &p;
  char *a_panels, *b_panels, *totals;
  int64_t i0, rows;   // chunk of A
  int64_t j0, cols;   // panel of B
  int64_t k0, depth;  // block of K

  int64_t size() const { return plan.row->element_size; }

  uint32_t pack() const noexcept {
    const int64_t a_rows = kPanelsPerTask * plan.row->mr, b_cols = kPanelsPerTask * plan.row->nr;
    const int64_t a_tasks = (rows + a_rows - 1) / a_rows;
    const int64_t b_tasks = p.panels ? 0 : (cols + b_cols - 1) / b_cols;
    return parallel_for(a_tasks + b_tasks, plan.threads, [&](int64_t task, int) {
      if (task < a_tasks) {
        const int64_t i = task * a_rows;
        Source a = p.a;
        a.data += (i0 + i) * a.row_stride + k0 * a.col_stride;
        plan.row->pack_a(a, smaller(a_rows, rows - i), depth, a_panels + i * depth * size());
      } else {
        const int64_t j = (task - a_tasks) * b_cols;
        Source b = p.b;
        b.data += k0 * b.row_stride + (j0 + j) * b.col_stride;
        plan.row->pack_b(b, depth, smaller(b_cols, cols - j), b_panels + j * depth * size());
      }
    });
  }

  uint32_t multiply(bool first, bool last) const noexcept {
    const int64_t nr = plan.row->nr;
    const int64_t groups = (cols + plan.task_cols - 1) / plan.task_cols;
    const char *b = b_panels;
    if (p.panels) b = p.panels + (k0 * ((p.n + nr - 1) / nr * nr) + j0 * depth) * size();
    return parallel_for(plan.tasks(rows, cols), plan.threads, [&](int64_t task, int) {
      const int64_t i = task / groups * plan.mc, j = task % groups * plan.task_cols;
      Block block = make_block(p, depth, first, last);
      block.m = smaller(plan.mc, rows - i);
      block.n = smaller(plan.task_cols, cols - j);
      block.a = a_panels + i * depth * size();
      block.a_packed = true;
      block.b = b + j * depth * size();
      block.b_step = nr * size();
      block.b_panel = depth * nr * size();
      block.row0 = i0 + i;
      block.col0 = j0 + j;
      block.c = p.c + block.row0 * p.c_row_stride + block.col0 * p.c_col_stride;
      block.total = plan.totals_in_c ? block.c : totals + (i * plan.nc + j) * size();
      block.total_stride = plan.totals_in_c ? p.c_row_stride : plan.nc * size();
      plan.row->block(block);
    });
  }
};

int64_t aligned(int64_t bytes) { return (bytes + 4095) / 4096 * 4096; }

}  // namespace

uint32_t run_packed(const Plan &plan, const Problem &p, char *scratch) noexcept {
  const int64_t size = plan.row->element_size, depth = smaller(plan.kc, p.k);
  const int64_t blocks = plan.k_blocks(p.k);
  char *b_panels = scratch + aligned(depth * plan.chunk * size);
  char *totals = b_panels + (p.panels ? 0 : aligned(depth * plan.nc * size));
  uint32_t flags = 0;
  for (int64_t i0 = 0; i0 < p.m; i0 += plan.chunk)
    for (int64_t j0 = 0; j0 < p.n; j0 += plan.nc)
      for (int64_t block = 0; block < blocks; ++block) {
        const int64_t k0 = block * plan.kc;
        const Step step{plan,
                        p,
                        scratch,
                        b_panels,
                        totals,
                        i0,
                        smaller(plan.chunk, p.m - i0),
                        j0,
                        smaller(plan.nc, p.n - j0),
                        k0,
                        smaller(plan.kc, p.k - k0)};
        flags |= step.pack();
        flags |= step.multiply(block == 0, block == blocks - 1);
      }
  return flags;
}

}  // namespace fastla
