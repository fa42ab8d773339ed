// Thresholds and blockings; each constant with the measurement or the arithmetic behind it.
#include "gemm/plan.hpp"

namespace fastla {
namespace {

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }
int64_t clamp(int64_t x, int64_t low, int64_t high) { return x < low ? low : x > high ? high : x; }

// A is read in place if B has no more bytes in a row, or A no more rows, than these, or if there is no more work and
// no more bytes in a row of B (docs/decisions/0005-in-place.md, like all of the direct paths' numbers).
constexpr int64_t kNarrowBytes = 512, kFewRows = 96, kDirectBytes = 2560;
constexpr double kDirectWork = 140e6;
// A panel of B is read across rows that are no farther apart than a page.
constexpr int64_t kFarApart = 4096;
// Totals kept in scratch at a time.
constexpr int64_t kTotalsBytes = int64_t{16} << 20;
// Rows of A for which B is streamed; steps of K at a time; memory for the state of their chains, and for a copy.
constexpr int64_t kStreamRows = 28, kStreamSteps = 16, kStateBytes = 128 << 10, kStreamAhead = 1024;
// Bytes of B's columns copied at a time, and of one row of so many of them; columns a multiple of so many apart collide.
constexpr int64_t kColumnBytes = 256, kColliding = 2048;
// Threads share the blocks of K of a C no larger than this; and memory for the chains of so many blocks.
constexpr int64_t kTinyBytes = 64 << 10, kSlotsBytes = 1 << 20;
// With fewer terms than these C is what moves: tiles go along its rows.
constexpr int64_t kShallow = 64;
// With no more terms than these a tile of C is written so soon that its lines must all fit in L1 at once. Rows of C a
// multiple of the page apart are in the same sets (12 ways, lines of two tiles each): tiles of half the rows are then
// up to 1.16 times as fast (2000x1024x16), but lose 5% at 32 terms and 10% where rows are not so placed.
constexpr int64_t kVeryShallow = 16, kPage = 4096;
// Panels that the direct paths take together: one row of them has enough chains to hide fma's latency.
constexpr int64_t kDirectPanels = 4;
// Tasks of a direct path per thread, so that one slow or busy thread holds up little at the join.
constexpr int64_t kTasksPerThread = 6;

double work(const Problem &p) { return double(p.m) * double(p.n) * double(p.k); }
double amount(const Problem &p, int64_t size) { return work(p) * double(size); }

bool in_place(const Source &b, int64_t size) { return !b.swapped && b.col_stride == size; }

bool overlaps(const Operand &x, const Problem &p, int64_t size) {
  if (!x.data) return false;
  const auto extent = [&](const char *data, int64_t rs, int64_t cs, const char **low,
                          const char **high) {
    const int64_t r = (p.m - 1) * rs, c = (p.n - 1) * cs;
    *low = data + (r < 0 ? r : 0) + (c < 0 ? c : 0);
    *high = data + (r > 0 ? r : 0) + (c > 0 ? c : 0) + size;
  };
  const char *x0, *x1, *c0, *c1;
  extent(x.data, x.row_stride, x.col_stride, &x0, &x1);
  extent(p.c, p.c_row_stride, p.c_col_stride, &c0, &c1);
  return x0 < c1 && c0 < x1;
}

// Early totals would overwrite what the epilogue still has to read from C's memory.
bool totals_fit_c(const Problem &p, int64_t size) {
  if (p.c_col_stride != size) return false;
  const Finish *f = p.finish;
  if (!f) return true;
  return !overlaps(f->c, p, size) && !overlaps(f->gate, p, size) &&
         !overlaps(f->residual, p, size) && !overlaps(f->scale[0], p, size) &&
         !overlaps(f->scale[1], p, size) && !overlaps(f->bias[0], p, size) &&
         !overlaps(f->bias[1], p, size);
}

// Whether B's rows are too far apart to be read a panel at a time: every step is then in another page, or, a multiple
// of a power of two apart, in one of few sets of L2: so that they would take more than its `part`th part if they
// filled all sets.
bool scattered(const Problem &p, const Machine &machine, int64_t part) {
  const int64_t depth = smaller(p.k, kBlockLength), stride = p.b.row_stride;
  const int64_t apart = smaller(stride & -stride, machine.l2 / 16);
  return stride > kFarApart || stride < -kFarApart || depth * apart > machine.l2 / part;
}

// Whether A is better read in place than packed; B may still be.
bool direct_pays(const Problem &p, const Machine &machine) {
  const int64_t size = machine.row->element_size;
  if (p.n * size <= kNarrowBytes || p.m <= kFewRows) return true;
  return work(p) <= kDirectWork && p.n * size <= kDirectBytes;
}

// Whether B's columns are contiguous and few rows of A make use of them; and then whether they lie in the same sets of
// L1, so that they had better be copied (transposed) a few at a time.
bool few_down_columns(const Problem &p, const KernelRow &row) {
  const int64_t size = row.element_size;
  return p.m <= smaller(kColumnRows, row.mr) && p.b.row_stride == size && !p.b.swapped &&
         !in_place(p.b, size);
}
bool columns_collide(const Problem &p) { return p.b.col_stride % kColliding == 0; }

const KernelRow &choose_row(const Problem &p, const KernelRow &row) {
  if (!row.narrow || p.panels) return row;
  const bool narrow = p.n <= row.narrow->nr || (few_down_columns(p, row) && columns_collide(p));
  return narrow ? *row.narrow : row;
}

int choose_path(const Problem &p, const Machine &machine) {
  if (p.panels) return FASTLA_PATH_PACKED;
  const bool one_row = p.m == 1;
  switch (machine.forced_path) {
    case FASTLA_PATH_PACKED:
    case FASTLA_PATH_DIRECT:
      return machine.forced_path;
    case FASTLA_PATH_VECTOR:
      if (one_row) return FASTLA_PATH_VECTOR;
      break;
    default:
      break;
  }
  if (one_row) return FASTLA_PATH_VECTOR;
  return direct_pays(p, machine) ? FASTLA_PATH_DIRECT : FASTLA_PATH_PACKED;
}

// Strips of the longer side, so that what is packed once for each is the shorter operand: as many as threads if
// it is much shorter, else about the square root of their number.
void cut_strips(const Problem &p, const KernelRow &row, Plan *plan) {
  plan->strips_of_rows = p.m > p.n;
  const int64_t longer = plan->strips_of_rows ? p.m : p.n,
                shorter = plan->strips_of_rows ? p.n : p.m;
  const int64_t panels = panel_count(longer, plan->strips_of_rows ? plan->mr : row.nr);
  int64_t root = 1;
  while (root * root < plan->threads) ++root;
  plan->strips = smaller(clamp(longer / shorter, root, plan->threads), panels);
}

// A block of A (mc x kc) takes a quarter of L2: a half would be written back to L3 while it is packed (2 to
// 3% of 2048^3 on a 2 MiB L2). Panels of B (kc x nc) take a quarter of L3.
void block_packed(const Problem &p, const Machine &machine, Plan *plan) {
  const KernelRow &row = *plan->row;
  const int64_t size = row.element_size, kc = plan->kc;
  const int64_t depth = p.k < kc ? (p.k > 0 ? p.k : 1) : kc;
  const bool scratch_totals = !plan->totals_in_c && p.k > kc;
  cut_strips(p, row, plan);
  plan->along_rows = depth <= kShallow;
  const int64_t rows = plan->strips_of_rows ? part_of(p.m, plan->mr, plan->strips, 0).size() : p.m;
  const int64_t cols = plan->strips_of_rows ? p.n : part_of(p.n, row.nr, plan->strips, 0).size();
  const int64_t most_cols = clamp(machine.l3 / 4 / (plan->strips * kc * size) / row.nr * row.nr,
                                  8 * row.nr, 4096 / row.nr * row.nr);
  plan->nc = round_up(ceil_div(cols, ceil_div(cols, most_cols)), row.nr);
  plan->chunk = rows;
  if (scratch_totals)
    plan->chunk = clamp(kTotalsBytes / (plan->nc * size) / plan->mr * plan->mr, plan->mr, rows);
  const int64_t panels = panel_count(plan->chunk, plan->mr);
  plan->mc = clamp(machine.l2 / 4 / (depth * size) / plan->mr, 1, panels) * plan->mr;
  const int64_t blocks = plan->row_blocks(plan->chunk);
  plan->mc = ceil_div(panels, blocks) * plan->mr;
  plan->tasks = plan->strips * blocks;
  plan->worker_scratch = round_up(depth * plan->mc * size, 4096);
  const bool one_step = p.k <= kc && cols <= plan->nc && rows <= plan->chunk;
  plan->b_copies = plan->threads_per_strip() == 1 || one_step ? 1 : 2;
  if (!p.panels) plan->panel_bytes = round_up(depth * plan->nc * size, 4096);
  plan->strip_header = round_up((kStripCounters + blocks) * kCounterBytes, 4096);
  const int64_t totals = scratch_totals ? round_up(plan->chunk * plan->nc * size, 4096) : 0;
  plan->strip_scratch = plan->strip_header + plan->b_copies * plan->panel_bytes + totals;
  plan->scratch = plan->strips * plan->strip_scratch + plan->threads * plan->worker_scratch;
}

// Whether threads share the blocks of K: a tiny C has no parts for all of them, and K has many more.
bool shares_k(const Problem &p, const Plan &plan, int64_t row_panels, int64_t col_panels) {
  const int64_t parts = row_panels > col_panels ? row_panels : col_panels;
  return parts < plan.threads && plan.k_blocks(p.k) >= 3 * parts &&
         p.m * col_panels * plan.row->nr * plan.row->element_size <= kTinyBytes;
}

// Tasks are ranges of rows, or of columns where there are few rows or copying B for each task would cost more. B's
// columns are taken some at a time, so that they stay in half of L2 for all rows of a task.
void block_direct(const Problem &p, const Machine &machine, Plan *plan) {
  const KernelRow &row = *plan->row;
  const int64_t size = row.element_size, depth = smaller(p.k, plan->kc), threads = plan->threads;
  const int64_t line = (depth > 0 ? depth : 1) * size;
  const int64_t row_panels = panel_count(p.m, plan->mr), col_panels = panel_count(p.n, row.nr);
  const int64_t most = col_panels <= kDirectPanels
                           ? kDirectPanels
                           : clamp(machine.l2 / 2 / (line * row.nr), kDirectPanels, col_panels);
  const bool apart = scattered(p, machine, 2), here = in_place(p.b, size), few = p.m <= kStreamRows;
  // With many rows a copy pays sooner (256^3 and 512^3 on two threads 1.07 times as fast; 40 rows lose 15%).
  const bool crowded = p.m > kFewRows && scattered(p, machine, 16);
  plan->down_columns = few_down_columns(p, row) && !columns_collide(p);
  plan->copy_b = !plan->down_columns && (!here || crowded || (apart && !few));
  plan->nc = most * row.nr;
  const int64_t b_bytes = p.k * p.n * size;
  const bool near = b_bytes <= machine.l3 / 2;
  const bool along_b = few && here && (apart || (p.m == 1 && b_bytes > machine.l2));
  if (along_b) {
    // Along B's rows: some steps for all columns, whose chains wait in L2.
    plan->steps = kStreamSteps;
    if (p.m == 1) plan->steps = p.b.row_stride % kPage == 0 && near ? kRowSteps / 2 : kRowSteps;
    if (p.m == 1 && !near) plan->b_ahead = kStreamAhead;
    plan->nc = clamp(kStateBytes / (p.m * size * row.nr), kDirectPanels, col_panels) * row.nr;
  } else if (plan->down_columns) {
    if (p.k > plan->kc) plan->nc = row.nr;  // as far down a panel's columns as they go
  } else if (few && p.b.row_stride == size && !p.b.swapped) {
    // Down B's columns: some at a time, copied (transposed) to L1 in parts.
    plan->steps = kColumnBytes / size;
    plan->nc = p.m <= kColumnRows ? kColumnBytes / size : row.nr;
  }
  const bool share_k = shares_k(p, *plan, row_panels, col_panels);
  if (share_k) plan->nc = col_panels * row.nr;
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
  if (totals && !share_k) {
    const int64_t fit = machine.l2 / 4 / (plan->nc * size) / plan->mr;
    row_tasks = clamp(ceil_div(row_panels, fit > 0 ? fit : 1), row_tasks, row_panels);
  }
  plan->row_tasks = row_tasks;
  plan->col_tasks = col_tasks;
  plan->tasks = row_tasks * col_tasks;
  plan->mc = part_of(p.m, plan->mr, row_tasks, 0).size();
  if (col_tasks > 1) plan->nc = smaller(plan->nc, ceil_div(col_panels, col_tasks) * row.nr);
  plan->along_rows = line * plan->mc > machine.l2 / 4 || depth <= kShallow;
  if (p.a.swapped) plan->a_bytes = round_up(line * plan->mc, 64);
  if (plan->copy_b) plan->b_bytes = round_up(line * plan->nc, 64);
  const int64_t sums = round_up(plan->mc * plan->nc * size, 64);
  plan->totals_bytes = totals ? sums : 0;
  plan->worker_scratch = plan->a_bytes + plan->b_bytes + plan->totals_bytes;
  if (plan->steps) plan->worker_scratch += sums;
  plan->scratch = plan->worker_scratch * threads;
  if (!share_k) return;
  plan->slot_bytes = sums;
  const int64_t blocks = plan->k_blocks(p.k);
  plan->slots = blocks < threads ? blocks : clamp(kSlotsBytes / sums, threads, blocks);
  plan->tasks = smaller(plan->slots, kTasksPerThread * threads);
  plan->scratch += plan->slots * sums;
}

}  // namespace

// Compute at the roof plus what packing moves: a model for explain(), no more.
double predicted_roof_share(const Problem &p, const Plan &plan) noexcept {
  const KernelRow &row = *plan.row;
  if (p.m == 0 || p.n == 0 || p.k == 0) return 0;
  const double lanes_flops = 2.0 * row.vector_bytes / row.element_size * 2.0;  // two fma ports
  const double padded = double(p.m) * double(round_up(p.n, row.nr)) * double(p.k) * 2;
  const double compute = padded / lanes_flops;
  const double bytes = (double(p.m) * double(p.k) + double(p.k) * double(p.n)) * row.element_size;
  const double stores = double(p.m) * double(p.n) * row.element_size * double(plan.k_blocks(p.k));
  const double passes = plan.path == FASTLA_PATH_PACKED ? 3 : 1;
  const double moved =
      (bytes * passes + 2 * stores) / 8.0 * 0.25;  // 8 bytes a cycle, mostly hidden
  const double call = 300.0;
  return 2.0 * double(p.m) * double(p.n) * double(p.k) / lanes_flops / (compute + moved + call);
}

bool should_transpose(const Problem &p, const KernelRow &row) noexcept {
  if (p.panels) return false;
  const int64_t size = row.element_size;
  if (p.n == 1) return p.m != 1;
  return p.m != 1 && p.c_col_stride != size && p.c_row_stride == size;
}

fastla_status make_plan(const Problem &p, const Machine &machine, Plan *plan) noexcept {
  const KernelRow &row = choose_row(p, *machine.row);
  const int64_t size = row.element_size;
  int64_t bytes = 0;
  if (__builtin_mul_overflow(p.m, p.n, &bytes) || __builtin_mul_overflow(bytes, size, &bytes) ||
      __builtin_mul_overflow(p.m, p.k, &bytes) || __builtin_mul_overflow(bytes, size, &bytes) ||
      __builtin_mul_overflow(p.k, p.n, &bytes) || __builtin_mul_overflow(bytes, size, &bytes))
    return FASTLA_INVALID;
  *plan = {};
  plan->row = &row;
  plan->kc = kBlockLength;
  plan->mr = p.k <= kVeryShallow && p.c_row_stride % kPage == 0 ? row.mr / 2 : row.mr;
  if (p.m == 0 || p.n == 0) {  // nothing to compute, and nothing to divide by
    plan->path = FASTLA_PATH_DIRECT;
    plan->threads = 1;
    plan->mc = plan->nc = 1;
    return FASTLA_OK;
  }
  plan->path = choose_path(p, machine);
  plan->totals_in_c = totals_fit_c(p, size);
  // Each thread gets at least half of what two share at the break-even.
  plan->threads = int(smaller(machine.threads, int64_t(amount(p, size) / (kThreadWork / 2))));
  if (plan->threads < 1) plan->threads = 1;
  if (plan->path == FASTLA_PATH_PACKED) {
    block_packed(p, machine, plan);
  } else {
    block_direct(p, machine, plan);
  }
  return FASTLA_OK;
}

}  // namespace fastla
