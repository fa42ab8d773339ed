// The direct paths: operands are read where they are, by tasks that are rectangles of C. Only what cannot be
// read in place is packed, by each task for itself: byte-swapped A, and B whose columns are not contiguous.
#include "gemm/paths.hpp"
#include "runtime/parallel.hpp"

namespace fastla {
namespace {

struct Rectangle {
  const Plan &plan;
  const Problem &p;
  char *a_copy, *b_copy, *totals;
  int64_t i0, rows;

  // Columns [j, j + cols) over every block of K.
  void run(int64_t j, int64_t cols) const noexcept {
    const KernelRow &row = *plan.row;
    const int64_t size = row.element_size, blocks = plan.k_blocks(p.k);
    for (int64_t n = 0; n < blocks; ++n) {
      const int64_t k0 = n * plan.kc, depth = smaller(plan.kc, p.k - k0);
      Block block = make_block(p, depth, n == 0, n == blocks - 1);
      block.along_rows = plan.along_rows;
      block.m = rows;
      block.n = cols;
      block.panels = panel_count(rows, row.mr);
      block.row0 = i0;
      block.col0 = j;
      block.c = p.c + i0 * p.c_row_stride + j * p.c_col_stride;
      block.total = totals;
      block.total_stride = plan.nc * size;
      Source a = p.a, b = p.b;
      a.data += i0 * a.row_stride + k0 * a.col_stride;
      b.data += k0 * b.row_stride + j * b.col_stride;
      block.a = a.data;
      block.a_row_stride = a.row_stride;
      block.a_col_stride = a.col_stride;
      if (a.swapped) {
        row.pack_a(a, rows, rows, depth, a_copy);  // panels of one row: a row-major copy
        block.a = a_copy;
        block.a_row_stride = depth * size;
        block.a_col_stride = size;
      }
      block.b = b.data;
      block.b_step = b.row_stride;
      block.b_panel = row.nr * size;
      if (plan.copy_b) {
        row.pack_b(b, depth, cols, b_copy);
        block.b = b_copy;
        block.b_step = row.nr * size;
        block.b_panel = depth * row.nr * size;
      }
      row.block(block);
    }
  }
};

}  // namespace

uint32_t run_direct(const Plan &plan, const Problem &p, char *scratch) noexcept {
  return parallel_for(plan.tasks, plan.threads, [&](int64_t task, int worker) {
    char *own = scratch + worker * plan.worker_scratch;
    const int64_t nr = plan.row->nr, mr = plan.row->mr;
    const Range r = part_of(p.m, mr, plan.row_tasks, task / plan.col_tasks);
    const Range c = part_of(p.n, nr, plan.col_tasks, task % plan.col_tasks);
    const Rectangle part{.plan = plan,
                         .p = p,
                         .a_copy = own,
                         .b_copy = own + plan.a_bytes,
                         .totals = own + plan.a_bytes + plan.b_bytes,
                         .i0 = r.begin,
                         .rows = r.size()};
    for (int64_t j = c.begin; j < c.end; j += plan.nc) part.run(j, smaller(plan.nc, c.end - j));
  });
}

}  // namespace fastla
