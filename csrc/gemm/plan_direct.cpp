// The plan of the direct paths. All numbers: docs/decisions/0005-in-place.md.
#include "gemm/plan_parts.hpp"

namespace fastla {
namespace {

// A is read in place if B has no more bytes in a row, or A no more rows, than these, or if A and C flow past B, of no
// more bytes in a row and at most half of L2, or if there is no more work and no more bytes in a row of B.
constexpr int64_t kNarrowBytes = 512, kFewRows = 96, kFlowingBytes = 2048, kDirectBytes = 2560;
constexpr double kDirectWork = 140e6;
// Or if C is symmetric (A is B, transposed) and there are so many blocks of K, of no more bytes in a row: the next one is
// asked for meanwhile (float64, 200000 steps, 100 columns: 1.25 times as fast as packed; with another A 0.85 times).
constexpr int64_t kDeepBlocks = 16, kDeepBytes = 1024;
// A panel of B is read across rows that are no farther apart than a page.
constexpr int64_t kFarApart = 4096;
// B along its rows: memory for totals; panels (for one row of A: bytes) asked for ahead of their use. Rows so far apart
// are in so few sets of L2 that fewer of them are taken at a time.
constexpr int64_t kTotalsNear = 256 << 10, kPanelsAhead = 2, kRowAhead = 1024, kPanelAhead = 2048;
constexpr int64_t kSameSets = 32 << 10, kStreamSteps = 256;
// Rows of A up to which B's contiguous columns are copied in parts, to L1.
constexpr int64_t kCopyRows = 28;
// Bytes of B's columns copied at a time, and of one row of so many of them; of a row of a panel.
constexpr int64_t kColumnBytes = 256, kPanelBytes = 128;
// Threads share the blocks of K of a C no larger than this; and memory for the chains of so many blocks.
constexpr int64_t kTinyBytes = 64 << 10, kSlotsBytes = 1 << 20;
// Rows of A and C that follow each other are asked for on the way where they are so many times L2, at most a line of
// each per step. Rows of A alone are asked for all at once where A and C are so many times L3; where they nearly fit
// that costs up to 8%.
constexpr double kFlowingShare = 2, kFarShare = 1.5;
// Contiguous columns farther apart than this are asked for kColumnAhead: hardware prefetchers lose track of them
// (float64 4096^2: 1.25 times as fast; nearer ones lose up to 10%). Rows that take them side by side ask for those in
// memory, and for the next line of those that are not all in this part of L2.
constexpr int64_t kFarColumns = 16 << 10, kNearColumns = 2;
// Rows of A a multiple of the page apart are in one set of L1, which has so many ways at least: tiles of no more rows.
constexpr int64_t kL1Ways = 8;
// One row reads colliding columns skewed instead of copying them if they are so long.
constexpr int64_t kSkewedBytes = 1024;
// One row of A that streams rows of B of so many bytes: wide vectors look farther ahead; in shorter rows, nearer to the
// CPU, narrow ones lose less where lines are crossed.
constexpr int64_t kLongRow = 8192;
// Columns taken a line at a time beyond L3 are no more than these, and L2 is asked for them so far ahead.
constexpr int64_t kFarLines = 8, kLinesAhead = 2048;
// Operands and C that no plan is made for take so much memory at most: a part of any L2.
constexpr int64_t kNearBytes = 256 << 10;
// Panels that the direct paths take together: one row of them has enough chains to hide fma's latency.
constexpr int64_t kDirectPanels = 4;
// Tasks of a direct path per thread, so that one slow or busy thread holds up little at the join.
constexpr int64_t kTasksPerThread = 6;

// Whether one block of A, more than the cache, and C flow past B. The tiles that are whole do the asking.
bool flows(const Problem &p, const KernelRow &row, int64_t mr, int64_t l2) {
  if (p.m <= kFewRows || p.k > kBlockLength) return false;
  const int64_t size = row.element_size, tiles = p.n / row.nr;
  const bool rows_follow = !p.a.swapped && p.a.col_stride == size && p.a.row_stride == p.k * size &&
                           p.c_col_stride == size && p.c_row_stride == p.n * size;
  return rows_follow && mr * size <= kLine * tiles && mr * p.n * size <= kLine * tiles * p.k &&
         double(p.m) * double(p.k + p.n) * double(size) > kFlowingShare * double(l2);
}

bool in_place(const Source &b, int64_t size) { return !b.swapped && b.col_stride == size; }

// Whether B's rows are too far apart to be read a panel at a time: every step is then in another page, or, a multiple
// of a power of two apart, in one of few sets of L2: so that they would take more than its `part`th part if they
// filled all sets.
bool scattered(const Problem &p, const Machine &machine, int64_t part) {
  const int64_t depth = smaller(p.k, kBlockLength), stride = p.b.row_stride;
  const int64_t apart = smaller(stride & -stride, machine.l2 / 16);
  return stride > kFarApart || stride < -kFarApart || depth * apart > machine.l2 / part;
}

// What plain products ask of A and C (and in_place of B).
bool could_be_plain(const Problem &p, int64_t size) {
  return !p.a.swapped && (p.finish || p.c_col_stride == size);
}

// Whether there is anything to compute, of one block of K, and A and C are near; and B, in place, is, wherever its rows
// lie.
bool all_near(const Problem &p, int64_t size) {
  return p.m <= kNearBytes && p.n <= kFarApart / size && p.k <= kBlockLength &&
         p.m * smaller(p.n, p.k) > 0 && p.m * larger(p.n, p.k) * size <= kNearBytes;
}
bool follows_near(const Problem &p) {
  const int64_t apart = p.b.row_stride < 0 ? -p.b.row_stride : p.b.row_stride;
  return apart <= kFarApart && p.k * apart <= kNearBytes;
}

// Whether such columns lie in the same sets of L1, so that they had better be copied (transposed) a few at a time.
int64_t apart_in_page(int64_t stride) { return smaller(stride & -stride, kPage); }
int64_t ways_filled(const Problem &p, int64_t size) {
  return kPanelBytes / size * apart_in_page(p.b.col_stride) / kPage;
}
double b_bytes(const Problem &p, int64_t size) { return double(p.k) * double(p.n) * double(size); }
bool in_memory(const Problem &p, const Machine &machine) {
  return b_bytes(p, machine.row->element_size) >= double(machine.l3 / 2);
}
bool columns_collide(const Problem &p, int64_t size) { return ways_filled(p, size) > kL1Ways; }
// One row can be skewed instead, and had better be where the next lines do not fit in. The lines of a vector's columns
// and the next ones must; from memory copying is as fast.
bool skew_pays(const Problem &p, const KernelRow &row, bool in_memory) {
  const int64_t depth = smaller(p.k, kBlockLength);
  const int64_t lines = row.vector_bytes / row.element_size * apart_in_page(p.b.col_stride) / kPage;
  return p.m == 1 && p.a.col_stride == row.element_size &&
         2 * ways_filled(p, row.element_size) > kL1Ways &&
         depth * row.element_size >= kSkewedBytes && 2 * lines <= kL1Ways &&
         p.n >= kSkewedVectors * row.nr && !in_memory;
}

// Or wide vectors take a line of each at a time (lines.hpp): where skewing does not pay, and beyond L3 for float64 only
// (float32, whose 16 x 16 take longer, is as fast or up to 12% faster copied there).
bool lines_pay(const Problem &p, const KernelRow &row, const Machine &machine) {
  const int64_t size = row.element_size, lanes = row.vector_bytes / size;
  return p.m == 1 && row.vector_bytes == kLine && p.n >= lanes && columns_collide(p, size) &&
         !skew_pays(p, *row.narrow, in_memory(p, machine)) &&
         (lanes <= kFarLines || b_bytes(p, size) < double(machine.l3));
}

// Block::row_steps.
int row_steps(const Problem &p, const Machine &machine) {
  const int64_t size = machine.row->element_size;
  if (p.m != 1 || p.panels || !in_place(p.b, size) ||
      b_bytes(p, size) <= double(machine.threads * machine.l2 / 2))
    return 0;
  return !in_memory(p, machine) && p.b.row_stride % kPage == 0 ? kRowSteps / 2 : kRowSteps;
}

// Whether threads share the blocks of K: a tiny C has no parts for all of them, and K has many more.
bool shares_k(const Problem &p, const Plan &plan, int64_t deal) {
  if (plan.threads == 1) return false;
  const int64_t row_panels = panel_count(p.m, plan.mr), col_panels = panel_count(p.n, deal);
  const int64_t parts = row_panels > col_panels ? row_panels : col_panels;
  return parts < plan.threads && plan.k_blocks(p.k) >= 3 * parts &&
         p.m * col_panels * deal * plan.row->element_size <= kTinyBytes;
}

}  // namespace

bool few_down_columns(const Problem &p, const KernelRow &row) noexcept {
  const int64_t size = row.element_size;
  return p.m <= smaller(kColumnRows, row.mr) && p.b.row_stride == size && !p.b.swapped &&
         !in_place(p.b, size);
}

bool needs_no_plan(const Problem &p, const KernelRow &row) noexcept {
  const int64_t size = row.element_size;
  const bool many = p.m > 1;
  if (!all_near(p, size) || (p.m > kFewRows && p.n * size > kDirectBytes)) return false;
  // What makes the planner exchange the operands, lower the tiles, copy, or take B in parts.
  if (many && (p.n == 1 || p.a.row_stride % kPage == 0 || p.c_row_stride % kPage == 0))
    return false;
  if (p.c_col_stride != size || p.a.swapped) return false;
  if (p.panels) return !many && p.k * p.n * size <= kNearBytes;
  if (in_place(p.b, size)) return follows_near(p);
  if (!few_down_columns(p, row) || columns_collide(p, size)) return false;
  if (many && p.k > kShallow) return false;
  const bool skewable = 2 * ways_filled(p, size) > kL1Ways;
  return p.m > row.side_rows ||
         (p.a.col_stride == size && !skewable && p.k * p.n * size <= kNearBytes);
}

bool is_deep(const Problem &p, const KernelRow &row) noexcept {
  const int64_t size = row.element_size;
  return p.symmetric && p.k >= kDeepBlocks * kBlockLength && p.n * size <= kDeepBytes &&
         in_place(p.b, size) && p.a.row_stride == size;
}

bool direct_pays(const Problem &p, const Machine &machine) noexcept {
  const int64_t size = machine.row->element_size;
  if (p.n * size <= kNarrowBytes || p.m <= kFewRows || is_deep(p, *machine.row)) return true;
  if (kept_pays(p, machine)) return true;
  const KernelRow &row = direct_row(p, machine);
  if (p.n * size <= kFlowingBytes && p.k * p.n * size <= machine.l2 / 2 && in_place(p.b, size) &&
      flows(p, row, row.mr, machine.l2))
    return true;
  return work(p) <= kDirectWork && p.n * size <= kDirectBytes;
}

const KernelRow &direct_row(const Problem &p, const Machine &machine) noexcept {
  if (p.panels) return *machine.row;
  const KernelRow &row = machine.row->direct ? *machine.row->direct : *machine.row;
  if (!row.narrow) return row;
  // Of plain products three of its vectors too, for half as many whole ones.
  const int64_t few = row.narrow->nr, size = row.element_size;
  const bool three = p.n > 2 * few && p.n <= 3 * few && p.m > 1 && all_near(p, size) &&
                     in_place(p.b, size) && follows_near(p) && could_be_plain(p, size);
  const bool down = few_down_columns(p, row);
  if (down && lines_pay(p, row, machine)) return row;
  const bool narrow = p.n <= few || three || (p.n * size < kLongRow && row_steps(p, machine)) ||
                      (down && (p.m <= row.narrow->side_rows || columns_collide(p, size)));
  return narrow ? *row.narrow : row;
}

// Tasks are ranges of rows, or of columns where there are few rows or copying B for each task would cost more. B's
// columns are taken some at a time, so that they stay in half of L2 for all rows of a task.
void block_direct(const Problem &p, const Machine &machine, Plan *plan) noexcept {
  const KernelRow &row = *plan->row;
  const int64_t size = row.element_size, depth = smaller(p.k, plan->kc), threads = plan->threads;
  const int64_t line = (depth > 0 ? depth : 1) * size;
  if (p.a.row_stride % kPage == 0) plan->mr = smaller(plan->mr, kL1Ways);
  const bool far = in_memory(p, machine), down = few_down_columns(p, row);
  const bool lines = down && p.m == 1 && row.vector_bytes == kLine;
  const bool collide = down && !lines && columns_collide(p, size),
             together = p.m <= row.side_rows && down && !collide;
  const bool share_k = shares_k(p, *plan, together ? kColumnVectors * row.nr : row.nr);
  plan->skewed = down && !lines && !share_k && skew_pays(p, row, far);
  plan->down_columns = plan->skewed || (down && !collide);
  plan->deal = row.nr;
  if (together || plan->skewed)
    plan->deal *= plan->skewed ? kSkewedVectors : far ? kMemoryVectors : kColumnVectors;
  const int64_t row_panels = panel_count(p.m, plan->mr), col_panels = panel_count(p.n, plan->deal);
  const int64_t most = col_panels <= kDirectPanels
                           ? kDirectPanels
                           : clamp(machine.l2 / 2 / (line * plan->deal), kDirectPanels, col_panels);
  const bool here = in_place(p.b, size), few = p.m <= kFewRows;
  const double moved = double(p.m) * double(p.k + p.n) * double(size);
  plan->plain = p.m > 1 && plan->c_near && moved <= kFlowingShare * double(machine.l2) &&
                p.k <= plan->kc && !p.panels && here && could_be_plain(p, size);
  // With many rows a copy pays (512^3 on two threads 1.07 times as fast; 40 rows lose 15%), but hardly for plain ones.
  const bool crowded = !few && scattered(p, machine, plan->plain && threads == 1 ? 1 : 16);
  plan->keep_b = !plan->down_columns && !share_k && kept_pays(p, machine);
  plan->copy_b = !p.panels && !plan->down_columns && (!here || crowded || plan->keep_b);
  plan->nc = (plan->keep_b ? col_panels : most) * plan->deal;
  plan->row_steps = row_steps(p, machine);
  const bool many = p.m > 1 && (scattered(p, machine, 2) || b_bytes(p, size) > double(machine.l2));
  const bool along_b = plan->row_steps || (few && here && many);
  if (p.panels) {
    plan->b_ahead = far ? kPanelAhead : 0;
    plan->nc = clamp(kTotalsNear / (p.m * size * row.nr), kDirectPanels, col_panels) * row.nr;
  } else if (along_b) {
    // Along B's rows, far, so that L2 can be asked for them in time; the totals of so many columns stay there.
    const int64_t row_bytes = p.m * size * row.nr;
    if (p.m > 1) {
      plan->b_ahead = kPanelsAhead * row.nr * size;
      if (p.b.row_stride % kSameSets == 0) plan->steps = kStreamSteps;
    } else {
      plan->b_ahead = far ? kRowAhead : 0;
    }
    plan->nc = clamp(kTotalsNear / row_bytes, kDirectPanels, col_panels) * row.nr;
  } else if (plan->down_columns) {
    const int64_t apart = p.b.col_stride > 0 ? p.b.col_stride : -p.b.col_stride;
    const bool not_near = b_bytes(p, size) > double(machine.l2 / kNearColumns);
    plan->b_ahead = lines                                    ? far * kLinesAhead
                    : (together ? far : apart > kFarColumns) ? kColumnAhead
                    : together && not_near                   ? kLine
                                                             : 0;
    if (p.k > plan->kc) plan->nc = plan->deal;  // as far down a panel's columns as they go
  } else if (here && !plan->copy_b && p.k > plan->kc && b_bytes(p, size) > double(machine.l2)) {
    plan->b_ahead = plan->kc * p.b.row_stride;  // the next block of K, while this one is computed
  } else if (p.m <= kCopyRows && !here && p.b.row_stride == size && !p.b.swapped) {
    // Down B's columns: some at a time, copied (transposed) to L1 in parts.
    plan->steps = kColumnBytes / size;
    plan->nc = p.m <= kColumnRows ? round_up(kColumnBytes / size, row.nr) : row.nr;
  }
  if (share_k) plan->nc = col_panels * plan->deal;
  int64_t row_tasks = 1, col_tasks = 1;
  if (threads > 1 && !share_k) {
    const int64_t wanted = kTasksPerThread * threads;
    // A task that copies B should have rows enough to make up for it.
    const int64_t low = plan->copy_b ? 2 * kPanelsPerBlock : kPanelsPerBlock;
    if (along_b)  // wide, to read far along each of B's rows
      col_tasks = smaller(threads, col_panels);
    else if (!plan->steps && row_panels >= threads && (!plan->copy_b || p.m > p.n))
      row_tasks = clamp(row_panels / low / threads * threads, threads, wanted);
    else
      col_tasks = clamp(col_panels / kDirectPanels / threads * threads,
                        smaller(threads, col_panels), wanted);
  }
  const bool totals = p.k > plan->kc;
  if (totals && !share_k && !plan->keep_b) {
    const int64_t fit = machine.l2 / 4 / (plan->nc * size) / plan->mr;
    row_tasks = clamp(ceil_div(row_panels, fit > 0 ? fit : 1), row_tasks, row_panels);
  }
  if (plan->keep_b) row_tasks = clamp(kept_tasks(row_panels, threads), row_tasks, row_panels);
  plan->row_tasks = row_tasks;
  plan->col_tasks = col_tasks;
  plan->tasks = row_tasks * col_tasks;
  plan->mc = part_of(p.m, plan->mr, row_tasks, 0).size();
  if (col_tasks > 1) plan->nc = smaller(plan->nc, ceil_div(col_panels, col_tasks) * plan->deal);
  plan->flowing = col_tasks == 1 && plan->nc >= p.n && flows(p, row, plan->mr, machine.l2);
  if (plan->copy_b || plan->b_ahead || plan->steps) plan->plain = false;
  plan->along_rows = plan->flowing || line * plan->mc > machine.l2 / 4 || depth <= kShallow;
  plan->a_far = plan->along_rows && !totals && !plan->flowing && !p.a.swapped &&
                p.a.col_stride == size && moved > kFarShare * double(machine.l3);
  plan->copy_a = p.a.swapped || (together && p.a.col_stride != size);
  if (plan->copy_a) plan->a_bytes = round_up(line * plan->mc, 64);
  const int64_t b_line = plan->keep_b ? p.k * size : line;
  if (plan->copy_b) plan->b_bytes = round_up(b_line * plan->nc + 1, 64);
  const int64_t sums = round_up(plan->mc * plan->nc * size, 64) + (plan->row_steps ? kPage : 0);
  plan->totals_bytes = totals ? sums : 0;
  plan->worker_scratch = plan->a_bytes + plan->b_bytes + plan->totals_bytes;
  if (plan->steps || plan->row_steps) plan->worker_scratch += sums;
  plan->scratch = plan->worker_scratch * threads;
  if (!share_k) return;
  plan->slot_bytes = sums;
  const int64_t blocks = plan->k_blocks(p.k);
  plan->slots = blocks < threads ? blocks : clamp(kSlotsBytes / sums, threads, blocks);
  plan->tasks = smaller(plan->slots, kTasksPerThread * threads);
  plan->scratch += plan->slots * sums;
}

}  // namespace fastla
