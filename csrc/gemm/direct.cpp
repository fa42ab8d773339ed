// The direct paths: operands are read where they are, by tasks that are rectangles of C or, of a tiny C, blocks of K.
// Only what cannot well be read in place is copied, by each task for itself: A that is byte-swapped, or few rows of it,
// not contiguous, against contiguous columns of B; and B whose columns are not contiguous or whose rows lie too far apart
// (plan_direct.cpp). One row against a B that the user packed is the exception: B lies in panels.
#include "gemm/paths.hpp"
#include "gemm/plan_parts.hpp"
#include "runtime/parallel.hpp"

namespace fastla {
namespace {

// A load whose address ends (12 bits) like that of a store not yet done evidently waits for it on Zen 4. Chains that wait
// half a KiB behind B are behind all rows of it that are a power of two, 1 KiB or more, apart: 5 to 8% of one row's time.
constexpr int64_t kBehindB = 512;
int64_t away(const char *b, const char *chains) {
  return int64_t(uintptr_t(b) + kBehindB - uintptr_t(chains)) & (kPage - 1) & -kLine;
}

struct Rectangle {
  const Plan &plan;
  const Problem &p;
  char *a_copy, *b_copy, *totals, *state;
  int64_t i0, rows, j0, cols;
  bool b_kept = false;  // B is in b_copy already

  void run() const noexcept {
    for (int64_t n = 0; n < plan.k_blocks(p.k); ++n) {
      Block block = describe(n, state);
      run_parts(n * plan.kc, depth_of(n), false, &block);
    }
  }
  Block one_block() const noexcept {
    Block block = describe(0, nullptr);
    block.k = p.k;
    find_a(0, &block);
    find_b(0, &block);
    return block;
  }
  // Block n of K alone, whose chains then wait in `slot`; and what follows, in the order of the blocks.
  void run_chains(int64_t n, char *slot) const noexcept {
    Block block = describe(n, slot);
    run_parts(n * plan.kc, depth_of(n), true, &block);
  }
  void add_chains(int64_t n, char *slot) const noexcept {
    Block block = describe(n, slot);
    block.resumed = true;
    find_a(0, &block);
    find_b(0, &block);
    plan.row->block(block);
  }

 private:
  int64_t depth_of(int64_t n) const { return smaller(plan.kc, p.k - n * plan.kc); }

  Block describe(int64_t n, char *chains) const noexcept {
    Block block = make_block(plan, p, 0, n == 0, n == plan.k_blocks(p.k) - 1);
    block.along_rows = plan.along_rows;
    block.a_far = plan.a_far;
    block.flowing = plan.flowing;
    block.plain = plan.plain;
    block.row_steps = plan.row_steps;
    block.m = rows;
    block.n = cols;
    block.panels = panel_count(rows, plan.mr);
    block.row0 = i0;
    block.col0 = j0;
    block.c = p.c + i0 * p.c_row_stride + j0 * p.c_col_stride;
    block.total = totals;
    block.state = chains + (plan.row_steps ? away(p.b.data + j0 * p.b.col_stride, chains) : 0);
    block.total_stride = block.state_stride = plan.nc * plan.row->element_size;
    return block;
  }

  // A part of the block at a time.
  void run_parts(int64_t k0, int64_t depth, bool suspended, Block *block) const noexcept {
    const int64_t steps = plan.steps ? plan.steps : depth;
    int64_t k = 0;
    do {
      block->k = smaller(steps, depth - k);
      block->resumed = k > 0;
      block->suspended = suspended || k + block->k < depth;
      find_a(k0 + k, block);
      find_b(k0 + k, block);
      plan.row->block(*block);
    } while ((k += steps) < depth);
  }

  void find_a(int64_t k, Block *block) const noexcept {
    // Not through a copy of p.a: read across two of its stores, it would stall for 10 ns.
    block->a = p.a.data + i0 * p.a.row_stride + k * p.a.col_stride;
    block->a_row_stride = p.a.row_stride;
    block->a_col_stride = p.a.col_stride;
    if (!plan.copy_a) return;
    Source a = p.a;
    a.data = block->a;
    plan.row->pack_a(a, rows, rows, block->k, a_copy);  // panels of one row: a row-major copy
    block->a = a_copy;
    block->a_row_stride = block->k * plan.row->element_size;
    block->a_col_stride = plan.row->element_size;
  }

  void find_b(int64_t k, Block *block) const noexcept {
    const int64_t size = plan.row->element_size, nr = plan.row->nr;
    block->b_ahead = plan.b_ahead;
    if (p.panels) {
      const int64_t k0 = k / plan.kc * plan.kc, depth = depth_of(k0 / plan.kc);
      block->packed = true;
      block->b = p.panels + (k0 * panel_count(p.n, nr) * nr + j0 * depth + (k - k0) * nr) * size;
      block->b_step = nr * size;
      block->b_panel = depth * nr * size;
      return;
    }
    block->b = p.b.data + k * p.b.row_stride + j0 * p.b.col_stride;
    block->b_step = p.b.row_stride;
    block->b_col_stride = p.b.col_stride;
    block->b_panel = nr * size;
    if (plan.down_columns) {
      block->down_columns = true;
      block->skewed = plan.skewed;
      block->b_step = p.b.col_stride;
      block->b_panel = nr * p.b.col_stride;
    }
    if (!plan.copy_b) return;
    Source b = p.b;
    b.data = block->b;
    char *const copy = b_copy + (plan.keep_b ? k * plan.nc * size : 0);
    if (!b_kept) plan.row->pack_b(b, block->k, block->n, block->k, copy);
    block->b = copy;
    block->b_step = nr * size;
    block->b_panel = block->k * nr * size;
  }
};

Rectangle rectangle(const Plan &plan, const Problem &p, char *own, Range rows) noexcept {
  return {.plan = plan,
          .p = p,
          .a_copy = own,
          .b_copy = own + plan.a_bytes,
          .totals = own + plan.a_bytes + plan.b_bytes,
          .state = own + plan.a_bytes + plan.b_bytes + plan.totals_bytes,
          .i0 = rows.begin,
          .rows = rows.size(),
          .j0 = 0,
          .cols = 0};
}

// C has no parts for all threads: they share the blocks of K, a round of plan.slots at a time, whose chains are then
// added in order.
uint32_t run_shared_k(const Plan &plan, const Problem &p, char *scratch) noexcept {
  char *const slots = scratch + plan.threads * plan.worker_scratch;
  const int64_t blocks = plan.k_blocks(p.k);
  uint32_t flags = 0;
  const auto all = [&](int worker) {
    Rectangle r = rectangle(plan, p, scratch + worker * plan.worker_scratch, {0, p.m});
    r.cols = p.n;
    return r;
  };
  for (int64_t n0 = 0; n0 < blocks; n0 += plan.slots) {
    const int64_t round = smaller(plan.slots, blocks - n0), tasks = smaller(plan.tasks, round);
    flags |= parallel_for(tasks, plan.threads, [&](int64_t task, int worker) {
      const Range some = part_of(round, 1, tasks, task);
      for (int64_t n = some.begin; n < some.end; ++n)
        all(worker).run_chains(n0 + n, slots + n * plan.slot_bytes);
    });
    for (int64_t n = 0; n < round; ++n) all(0).add_chains(n0 + n, slots + n * plan.slot_bytes);
  }
  return flags;
}

}  // namespace

Block block_at_once(const Problem &p, const KernelRow &row, bool down_columns) noexcept {
  Block block{};
  block.m = p.m;
  block.n = p.n;
  block.k = p.k;
  block.along_rows = block.first = block.last = block.c_near = true;
  block.a = p.a.data;
  block.a_row_stride = p.a.row_stride;
  block.a_col_stride = p.a.col_stride;
  block.packed = p.panels;
  block.down_columns = down_columns;
  block.b = p.panels ? p.panels : p.b.data;
  block.b_step = p.panels       ? row.nr * row.element_size
                 : down_columns ? p.b.col_stride
                                : p.b.row_stride;
  block.b_col_stride = p.b.col_stride;
  block.b_panel = p.panels ? p.k * block.b_step : row.nr * p.b.col_stride;
  block.c = p.c;
  block.c_row_stride = p.c_row_stride;
  block.c_col_stride = p.c_col_stride;
  block.c_size = row.output_size;
  block.finish = p.finish;
  block.conj_a = p.conj_a;
  block.conj_b = p.conj_b;
  return block;
}

void run_at_once(const Problem &p, const KernelRow &row) noexcept {
  const bool floats = row.family == Family::floats;
  const bool down = floats && !p.panels && p.b.col_stride != row.element_size;
  Block block = block_at_once(p, row, down);
  block.plain = floats && !p.panels && !down;
  block.panels = block.plain ? 1 : panel_count(p.m, row.mr);
  row.block(block);
}

bool is_one_block(const Plan &plan, const Problem &p) noexcept {
  return plan.path != FASTLA_PATH_PACKED && plan.tasks == 1 && plan.scratch == 0 &&
         plan.nc >= p.n && p.m > 0 && plan.k_blocks(p.k) == 1;
}

Block one_block_of(const Plan &plan, const Problem &p) noexcept {
  Rectangle all = rectangle(plan, p, nullptr, {0, p.m});
  all.cols = p.n;
  return all.one_block();
}

uint32_t run_direct(const Plan &plan, const Problem &p, char *scratch) noexcept {
  if (plan.slots) return run_shared_k(plan, p, scratch);
  // Behind a worker's copy of all of B: whether it is there.
  const auto kept = [&](int worker) -> char & {
    return scratch[worker * plan.worker_scratch + plan.a_bytes + plan.b_bytes - 1];
  };
  for (int i = 0; plan.keep_b && i < plan.threads; ++i) kept(i) = false;
  return parallel_for(plan.tasks, plan.threads, [&](int64_t task, int worker) {
    const int64_t down = plan.col_tasks > 1 ? task / plan.col_tasks : task;
    const Range rows = part_of(p.m, plan.mr, plan.row_tasks, down);
    const Range cols = part_of(p.n, plan.deal, plan.col_tasks, task - down * plan.col_tasks);
    Rectangle part = rectangle(plan, p, scratch + worker * plan.worker_scratch, rows);
    for (part.j0 = cols.begin; part.j0 < cols.end; part.j0 += plan.nc) {
      part.cols = smaller(plan.nc, cols.end - part.j0);
      part.b_kept = plan.keep_b && kept(worker);
      part.run();
      if (plan.keep_b) kept(worker) = true;
    }
  });
}

}  // namespace fastla
