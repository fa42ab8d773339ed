// The direct paths: operands are read where they are. "small" runs on the caller; "vector" (one row)
// shares the columns out among threads. Only what cannot be read in place is packed: byte-swapped A, B
// whose columns are not contiguous, and the last columns, which do not fill a panel.
#include "gemm/paths.hpp"
#include "runtime/parallel.hpp"

namespace fastla {
namespace {

struct Group {
  const Plan &plan;
  const Problem &p;
  char *a_copy, *b_copy, *totals;

  // Columns [j, j + cols) over every block of K.
  void run(int64_t j, int64_t cols) const noexcept {
    const int64_t size = plan.row->element_size, nr = plan.row->nr;
    const bool in_place = !p.b.swapped && p.b.col_stride == size;
    const int64_t direct = in_place ? cols / nr * nr : 0;
    const int64_t blocks = plan.k_blocks(p.k);
    for (int64_t n = 0; n < blocks; ++n) {
      const int64_t k0 = n * plan.kc, depth = smaller(plan.kc, p.k - k0);
      Block block = make_block(p, depth, n == 0, n == blocks - 1);
      block.m = p.m;
      block.panels = panel_count(p.m, plan.row->mr);
      block.a = p.a.data + k0 * p.a.col_stride;
      block.a_row_stride = p.a.row_stride;
      block.a_col_stride = p.a.col_stride;
      if (p.a.swapped) {
        Source a = p.a;
        a.data = block.a;
        plan.row->pack_a(a, p.m, p.m, depth, a_copy);  // panels of one row: a row-major copy
        block.a = a_copy;
        block.a_row_stride = depth * size;
        block.a_col_stride = size;
      }
      block.total_stride = plan.nc * size;
      const char *b = p.b.data + k0 * p.b.row_stride + j * p.b.col_stride;
      if (direct) multiply(block, j, 0, direct, b, p.b.row_stride, nr * size);
      if (direct == cols) continue;
      Source rest = p.b;
      rest.data = b + direct * p.b.col_stride;
      plan.row->pack_b(rest, depth, cols - direct, b_copy);
      multiply(block, j, direct, cols - direct, b_copy, nr * size, depth * nr * size);
    }
  }

  void multiply(Block block, int64_t j, int64_t offset, int64_t cols, const char *b, int64_t step,
                int64_t panel) const noexcept {
    block.n = cols;
    block.b = b;
    block.b_step = step;
    block.b_panel = panel;
    block.col0 = j + offset;
    block.c = p.c + block.col0 * p.c_col_stride;
    block.total = totals + offset * plan.row->element_size;
    plan.row->block(block);
  }
};

}  // namespace

uint32_t run_direct(const Plan &plan, const Problem &p, char *scratch) noexcept {
  const DirectScratch need = direct_scratch(p, *plan.row, smaller(plan.kc, p.k), plan.nc);
  const int64_t tasks = (p.n + plan.task_cols - 1) / plan.task_cols;
  return parallel_for(tasks, plan.threads, [&](int64_t task, int worker) {
    char *own = scratch + worker * plan.worker_scratch;
    const Group group{plan, p, own, own + need.a, own + need.a + need.b};
    const int64_t end = smaller(p.n, (task + 1) * plan.task_cols);
    for (int64_t j = task * plan.task_cols; j < end; j += plan.nc)
      group.run(j, smaller(plan.nc, end - j));
  });
}

}  // namespace fastla
