// The direct paths: operands are read where they are, by tasks that are rectangles of C. Only what cannot well be
// read in place is copied, by each task for itself: byte-swapped A, and B whose columns are not contiguous or whose
// rows lie too far apart (plan.cpp).
#include "gemm/paths.hpp"
#include "runtime/parallel.hpp"

namespace fastla {
namespace {

struct Rectangle {
  const Plan &plan;
  const Problem &p;
  char *a_copy, *b_copy, *totals, *state;
  int64_t i0, rows;

  // Columns [j, j + cols) over every block of K, a part of one at a time.
  void run(int64_t j, int64_t cols) const noexcept {
    const int64_t blocks = plan.k_blocks(p.k);
    for (int64_t n = 0; n < blocks; ++n) {
      const int64_t k0 = n * plan.kc, depth = smaller(plan.kc, p.k - k0);
      Block block = make_block(p, depth, n == 0, n == blocks - 1);
      block.along_rows = plan.along_rows;
      block.m = rows;
      block.n = cols;
      block.panels = panel_count(rows, plan.mr);
      block.row0 = i0;
      block.col0 = j;
      block.c = p.c + i0 * p.c_row_stride + j * p.c_col_stride;
      block.total = totals;
      block.state = state;
      block.total_stride = block.state_stride = plan.nc * plan.row->element_size;
      const int64_t steps = plan.steps ? plan.steps : depth;
      int64_t k = 0;
      do {
        block.k = smaller(steps, depth - k);
        block.resumed = k > 0;
        block.suspended = k + block.k < depth;
        find_a(k0 + k, &block);
        find_b(k0 + k, j, &block);
        plan.row->block(block);
      } while ((k += steps) < depth);
    }
  }

  void find_a(int64_t k, Block *block) const noexcept {
    Source a = p.a;
    a.data += i0 * a.row_stride + k * a.col_stride;
    block->a = a.data;
    block->a_row_stride = a.row_stride;
    block->a_col_stride = a.col_stride;
    if (!a.swapped) return;
    plan.row->pack_a(a, rows, rows, block->k, a_copy);  // panels of one row: a row-major copy
    block->a = a_copy;
    block->a_row_stride = block->k * plan.row->element_size;
    block->a_col_stride = plan.row->element_size;
  }

  void find_b(int64_t k, int64_t j, Block *block) const noexcept {
    const int64_t size = plan.row->element_size, nr = plan.row->nr;
    Source b = p.b;
    b.data += k * b.row_stride + j * b.col_stride;
    block->b = b.data;
    block->b_step = b.row_stride;
    block->b_panel = nr * size;
    if (plan.down_columns) {
      block->down_columns = true;
      block->b_step = b.col_stride;
      block->b_panel = nr * b.col_stride;
    }
    if (!plan.copy_b) return;
    plan.row->pack_b(b, block->k, block->n, b_copy);
    block->b = b_copy;
    block->b_step = nr * size;
    block->b_panel = block->k * nr * size;
  }
};

}  // namespace

uint32_t run_direct(const Plan &plan, const Problem &p, char *scratch) noexcept {
  return parallel_for(plan.tasks, plan.threads, [&](int64_t task, int worker) {
    char *own = scratch + worker * plan.worker_scratch;
    const int64_t nr = plan.row->nr, mr = plan.mr;
    const int64_t down = plan.col_tasks > 1 ? task / plan.col_tasks : task;
    const Range r = part_of(p.m, mr, plan.row_tasks, down);
    const Range c = part_of(p.n, nr, plan.col_tasks, task - down * plan.col_tasks);
    const Rectangle part{.plan = plan,
                         .p = p,
                         .a_copy = own,
                         .b_copy = own + plan.a_bytes,
                         .totals = own + plan.a_bytes + plan.b_bytes,
                         .state = own + plan.a_bytes + plan.b_bytes + plan.totals_bytes,
                         .i0 = r.begin,
                         .rows = r.size()};
    for (int64_t j = c.begin; j < c.end; j += plan.nc) part.run(j, smaller(plan.nc, c.end - j));
  });
}

}  // namespace fastla
