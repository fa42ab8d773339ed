// The packed path: five loops around the tile (Goto and van de Geijn, 2008).
//
//   strip of C -> chunk of rows -> panel of B (nc) -> block of K (kc): pack B's panel, then
//   blocks of rows (mc): pack A's block -> panels of nr columns -> tiles of mr rows.
//
// Strips have a panel of B each, and threads to begin with; who has finished helps with the others. Memory
// that one core has just written is dear to read for another: with a strip of its own a thread reads what it
// packed itself (docs/decisions/0002-packing.md).
#include <atomic>
#include <new>

#include "gemm/additions.hpp"
#include "gemm/paths.hpp"
#include "gemm/plan_parts.hpp"
#include "runtime/parallel.hpp"

namespace fastla {
namespace {

// A part of an operand that is a sum.
Source sum_up(const Summed &sum, int64_t i, int64_t j, int64_t rows, int64_t cols, int64_t size,
              char *to) noexcept {
  const Rect d = laid_out(to, rows, cols, size, sum.factor.x[0]);
  Rect x[4];
  for (int t = 0; t < 4; ++t) x[t] = part(sum.factor.x[t], i, j);
  uint32_t none = 0;  // this thread has its flags itself
  sum.additions->sum({rows, cols, 1, &none}, d, sum.factor.how, x);
  return {d.data, d.row_stride, d.col_stride, false};
}

// One block of K of one chunk of C. Its tasks: pieces of B to pack, then blocks of rows to compute.
struct Step {
  const Plan &plan;
  const Problem &p;
  const char *b_panels;
  char *totals, *a_blocks;
  int64_t i0, rows, j0, cols;  // of C
  int64_t k0, depth;           // of K
  bool first, last;

  int64_t size() const { return plan.row->element_size; }
  int64_t steps(int64_t k) const { return plan.row->panel_steps(k); }

  bool b_along_rows() const { return p.b.col_stride == plan.row->input_size; }
  int64_t b_length() const { return b_along_rows() ? depth : cols; }
  int64_t piece_length() const {  // steps or columns
    if (!b_along_rows()) return kPiecePanels * plan.row->nr;
    const int64_t few = kPieceBytes / (cols * plan.row->input_size) / kPieceSteps * kPieceSteps;
    return few > kPieceSteps ? few : kPieceSteps;
  }
  int64_t pack_tasks() const { return p.panels ? 0 : panel_count(b_length(), piece_length()); }
  void pack_b(int64_t task, int worker) const noexcept {
    const int64_t begin = task * piece_length(),
                  count = smaller(piece_length(), b_length() - begin);
    const bool along = b_along_rows();
    const int64_t s = along ? begin : 0, j = along ? 0 : begin;
    Source b = p.b;
    b.data += (k0 + s) * b.row_stride + (j0 + j) * b.col_stride;
    const int64_t at = j * steps(depth) + steps(s) * plan.row->nr;
    const int64_t b_rows = along ? count : depth, b_cols = along ? cols : count;
    if (p.b_sum)
      b = sum_up(*p.b_sum, k0 + s, j0 + j, b_rows, b_cols, plan.row->input_size, sum_of(worker));
    plan.row->pack_b(b, b_rows, b_cols, steps(depth), const_cast<char *>(b_panels) + at * size());
  }

  char *sum_of(int worker) const {
    return a_blocks + (worker + 1) * plan.worker_scratch - plan.sum_bytes;
  }
  int64_t blocks() const { return plan.row_blocks(rows); }
  void compute(int64_t index, int worker) const noexcept {
    const int64_t nr = plan.row->nr, panels = panel_count(rows, plan.mr);
    const int64_t panel = panel_start(panels, blocks(), index);
    const int64_t next_panel = panel_start(panels, blocks(), index + 1);
    const int64_t i = panel_start(rows, panels, panel);
    Block block = make_block(plan, p, steps(depth), first, last);
    block.packed = true;
    block.along_rows = plan.along_rows;
    block.panels = next_panel - panel;
    block.m = panel_start(rows, panels, next_panel) - i;
    block.n = cols;
    block.a = plan.keep_a ? keep_a(worker, index, i, block.m, block.panels)
                          : pack_a(worker, i, block.m, block.panels);
    block.a_col_stride = size();  // one row is as it would be in place
    block.b = b_panels;
    block.b_step = nr * size();
    block.b_panel = block.k * nr * size();
    block.b_share = plan.b_share;
    block.row0 = i0 + i;
    block.col0 = j0;
    block.c = p.c + block.row0 * p.c_row_stride + block.col0 * p.c_col_stride;
    block.total = plan.totals_in_c ? block.c : totals + i * plan.nc * size();
    block.total_stride = plan.totals_in_c ? p.c_row_stride : plan.nc * size();
    plan.row->block(block);
  }

  const char *pack_a(int worker, int64_t i, int64_t count, int64_t panels) const noexcept {
    char *block = a_blocks + worker * plan.worker_scratch;
    if (p.a_sum) {
      for (int64_t panel = 0; panel < panels; ++panel) {
        const int64_t r = panel_start(count, panels, panel);
        const int64_t rows_of_it = panel_start(count, panels, panel + 1) - r;
        const Source a = sum_up(*p.a_sum, i0 + i + r, k0, rows_of_it, depth, plan.row->input_size,
                                sum_of(worker));
        plan.row->pack_a(a, rows_of_it, 1, depth,
                         block + r * (plan.row->a_head + steps(depth)) * size());
      }
      return block;
    }
    pack_a(i, count, panels, block);
    return block;
  }
  void pack_a(int64_t i, int64_t count, int64_t panels, char *to) const noexcept {
    Source a = p.a;
    a.data += (i0 + i) * a.row_stride + k0 * a.col_stride;
    plan.row->pack_a(a, count, panels, depth, to);
  }
  const char *keep_a(int worker, int64_t index, int64_t i, int64_t count,
                     int64_t panels) const noexcept {
    char *const own = a_blocks + worker * plan.worker_scratch;
    char *const block = own + (k0 * rows + i * depth) * size();
    char &there = own[plan.a_flags + k0 / plan.kc * blocks() + index];
    if (!there) pack_a(i, count, panels, block);
    there = true;
    return block;
  }
};

// What the threads at work on a strip share.
struct Shared {
  Tickets tickets;
  Progress packed;       // pieces of B
  Progress computed[2];  // blocks of rows, in steps of even and of odd number
};
static_assert(sizeof(Shared) == kStripCounters * kCounterBytes);
static_assert(sizeof(Progress) == kCounterBytes);

// The steps of one strip. Tasks are handed out in order; before one begins it waits for the earlier ones that it
// needs, so that nobody waits for a whole step to end. A panel of B lasts for plan.b_copies steps.
class Strip {
 public:
  Strip(const Plan &plan, const Problem &p, char *scratch, int64_t index) noexcept
      : plan_(plan),
        p_(p),
        rows_{0, p.m},
        cols_{0, p.n},
        a_blocks_(scratch + plan.strips * plan.strip_scratch),
        shared_(*reinterpret_cast<Shared *>(scratch + index * plan.strip_scratch)),
        done_(reinterpret_cast<Progress *>(&shared_ + 1)),
        b_panels_(reinterpret_cast<char *>(&shared_) + plan.strip_header),
        totals_(b_panels_ + plan.b_copies * plan.panel_bytes) {
    if (plan.strips_of_rows)
      rows_ = part_of(p.m, plan.mr, plan.strips, index);
    else
      cols_ = part_of(p.n, plan.row->nr, plan.strips, index);
  }

  void begin() const noexcept {
    new (&shared_) Shared;
    for (int64_t i = 0; i < plan_.row_blocks(smaller(plan_.chunk, rows_.size())); ++i)
      new (&done_[i]) Progress;
  }

  void work(int worker) const noexcept {
    // Before the step: tasks, pieces of B packed, blocks computed in even and odd steps.
    int64_t number = 0, tasks = 0, pieces = 0, computed[2] = {};
    const auto wait_for_step = [&](int64_t earlier) {  // number - 1 or number - 2
      if (earlier >= 0) shared_.computed[earlier % 2].wait_for(computed[earlier % 2]);
    };
    if (should_pause()) return;
    int64_t mine = shared_.tickets.take();
    for (int64_t i0 = rows_.begin; i0 < rows_.end; i0 += plan_.chunk)
      for (int64_t j0 = cols_.begin; j0 < cols_.end; j0 += plan_.nc)
        for (int64_t n = 0; n < plan_.k_blocks(p_.k); ++n, ++number) {
          const Step step = make_step(number, i0, j0, n);
          const int64_t to_pack = step.pack_tasks(), all = to_pack + step.blocks();
          for (; mine < tasks + all; mine = shared_.tickets.take()) {
            const int64_t task = mine - tasks, block = task - to_pack;
            if (block < 0) {
              shared_.packed.wait_for(pieces);
              wait_for_step(number - plan_.b_copies);
              step.pack_b(task, worker);
              shared_.packed.add();
              continue;
            }
            shared_.packed.wait_for(pieces + to_pack);
            if (step.first)
              wait_for_step(number - 1);
            else
              done_[block].wait_for(number);
            step.compute(block, worker);
            done_[block].set(number + 1);
            shared_.computed[number % 2].add();
            if (should_pause()) return;
          }
          tasks += all;
          pieces += to_pack;
          computed[number % 2] += all - to_pack;
        }
  }

 private:
  Step make_step(int64_t number, int64_t i0, int64_t j0, int64_t n) const noexcept {
    const int64_t k0 = n * plan_.kc, depth = smaller(plan_.kc, p_.k - k0);
    const int64_t padded = panel_count(p_.n, plan_.row->nr) * plan_.row->nr;
    return {.plan = plan_,
            .p = p_,
            .b_panels = p_.panels ? p_.panels + (k0 * padded + j0 * depth) * plan_.row->element_size
                                  : b_panels_ + number % plan_.b_copies * plan_.panel_bytes,
            .totals = totals_,
            .a_blocks = a_blocks_,
            .i0 = i0,
            .rows = smaller(plan_.chunk, rows_.end - i0),
            .j0 = j0,
            .cols = smaller(plan_.nc, cols_.end - j0),
            .k0 = k0,
            .depth = depth,
            .first = n == 0,
            .last = n == plan_.k_blocks(p_.k) - 1};
  }

  const Plan &plan_;
  const Problem &p_;
  Range rows_, cols_;
  char *a_blocks_;
  Shared &shared_;
  Progress *done_;  // of each block of rows: the number of its last step, plus one
  char *b_panels_, *totals_;
};

}  // namespace

uint32_t run_packed(const Plan &plan, const Problem &p, char *scratch) noexcept {
  for (int64_t i = 0; i < plan.strips; ++i) Strip{plan, p, scratch, i}.begin();
  char *const own = scratch + plan.strips * plan.strip_scratch;
  for (int i = 0; plan.keep_a && i < plan.threads; ++i)
    __builtin_memset(own + i * plan.worker_scratch + plan.a_flags, 0,
                     size_t(plan.worker_scratch - plan.a_flags));
  return parallel_region(plan.threads, [&](int worker) {
    for (int64_t i = 0; i < plan.strips; ++i)
      Strip{plan, p, scratch, (worker + i) % plan.strips}.work(worker);
  });
}

}  // namespace fastla
