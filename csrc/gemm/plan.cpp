// Thresholds and blockings; each constant with the measurement or the arithmetic behind it.
#include <utility>

#include "gemm/additions.hpp"
#include "gemm/plan_parts.hpp"

namespace fastla {
namespace {

// Totals kept in scratch at a time.
constexpr int64_t kTotalsBytes = int64_t{16} << 20;
// With no more terms than these a tile of C is written so soon that its lines must all fit in L1 at once. Rows of C a
// multiple of the page apart are in the same sets (12 ways, lines of two tiles each): tiles of half the rows are then
// up to 1.16 times as fast (2000x1024x16), but lose 5% at 32 terms and 10% where rows are not so placed.
constexpr int64_t kVeryShallow = 16;
// C is taken to be near up to this part of L2. Asking for its lines costs a tile of 64 steps 4 to 8%.
constexpr int64_t kNearPart = 2;

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
bool totals_fit_c(const Problem &p, const KernelRow &row) {
  const int64_t size = row.element_size;
  if (p.c_col_stride != size || row.output_size != size) return false;
  const Finish *f = p.finish;
  if (!f) return true;
  return !overlaps(f->c, p, size) && !overlaps(f->gate, p, size) &&
         !overlaps(f->residual, p, size) && !overlaps(f->scale[0], p, size) &&
         !overlaps(f->scale[1], p, size) && !overlaps(f->bias[0], p, size) &&
         !overlaps(f->bias[1], p, size);
}

// Symmetric products are packed from so many rows on: plain ones, in place, would be computed in full.
constexpr int64_t kPackedSymmetric = 160;

int choose_path(const Problem &p, const Machine &machine) {
  const bool one_row = p.m == 1;
  if ((p.panels && !one_row) || p.a_sum || p.b_sum) return FASTLA_PATH_PACKED;
  const bool floats = machine.row->family == Family::floats;
  if (!floats && !could_be_in_place(p, *machine.row)) return FASTLA_PATH_PACKED;
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
  if (!floats && !in_place_pays(p, *machine.row)) return FASTLA_PATH_PACKED;
  if (p.symmetric && p.m >= kPackedSymmetric && !is_deep(p, *machine.row))
    return FASTLA_PATH_PACKED;
  if (one_row) return FASTLA_PATH_VECTOR;
  if (!floats) return FASTLA_PATH_DIRECT;
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

// With fewer terms tiles do not ask for their shares of the next panel of B: finding out what to ask for takes about
// 20 cycles.
constexpr int64_t kSharedDepth = 256;

// Of sums, a panel of A or a piece of B is made at a time, by rows or by columns.
int64_t most_of_a_sum(const Plan &plan) {
  const int64_t size = plan.row->input_size;
  const auto either_way = [&](int64_t n) {
    return larger(n * padded_row(plan.kc * size), plan.kc * padded_row(n * size));
  };
  const int64_t rows =
      larger(kPieceSteps * padded_row(plan.nc * size), kPieceBytes + plan.kc * 128);
  return larger(either_way(larger(plan.mr, kPiecePanels * plan.row->nr)), rows);
}

// Where every thread has a strip, an A of at most such a part of L2 is kept in panels, all of it, by each worker. B's
// panel takes such a part then: written again and again, it stays in L2 (docs/decisions/0002-packing.md).
constexpr int64_t kKeptPart = 2, kNearPanels = 8;

// A block of A (mc x kc) takes a quarter of L2: a half would be written back to L3 while it is packed (2 to
// 3% of 2048^3 on a 2 MiB L2). Panels of B (kc x nc), which are asked for long before their use, take half of L3, the
// next one's copy counted in: A is packed again for each of them.
void block_packed(const Problem &p, const Machine &machine, Plan *plan) {
  const KernelRow &row = *plan->row;
  const int64_t size = row.element_size, kc = plan->kc;
  const int64_t depth = row.panel_steps(p.k < kc ? (p.k > 0 ? p.k : 1) : kc);
  const bool scratch_totals = !plan->totals_in_c && p.k > kc;
  cut_strips(p, row, plan);
  plan->along_rows = depth <= kShallow;
  const int64_t rows = plan->strips_of_rows ? part_of(p.m, plan->mr, plan->strips, 0).size() : p.m;
  const int64_t cols = plan->strips_of_rows ? p.n : part_of(p.n, row.nr, plan->strips, 0).size();
  const int64_t copies = plan->threads_per_strip() == 1 ? 1 : 2;
  const int64_t most_cols = clamp(
      machine.l3 / 2 / (plan->strips * copies * row.panel_steps(kc) * size), 8 * row.nr, 4096);
  const int64_t near_cols =
      clamp(machine.l2 / kNearPanels / (depth * size), kPiecePanels / 2 * row.nr, most_cols);
  plan->keep_a = row.family == Family::floats && !plan->strips_of_rows && copies == 1 &&
                 !scratch_totals && !p.panels && !p.a_sum && !p.b_sum && cols > near_cols &&
                 p.m * p.k * size <= machine.l2 / kKeptPart;
  plan->nc = round_up(ceil_div(cols, ceil_div(cols, plan->keep_a ? near_cols : most_cols)), row.nr);
  plan->chunk = rows;
  if (scratch_totals)
    plan->chunk = clamp(kTotalsBytes / (plan->nc * size) / plan->mr * plan->mr, plan->mr, rows);
  const int64_t panels = panel_count(plan->chunk, plan->mr);
  plan->mc = clamp(machine.l2 / 4 / (depth * size) / plan->mr, 1, panels) * plan->mr;
  const int64_t blocks = plan->row_blocks(plan->chunk);
  plan->mc = ceil_div(panels, blocks) * plan->mr;
  if (depth >= kSharedDepth)
    plan->b_share = smaller(ceil_div(kAskBytes * row.nr * plan->mr, plan->mc), kLine);
  plan->tasks = plan->strips * blocks;
  if (p.a_sum || p.b_sum) plan->sum_bytes = round_up(most_of_a_sum(*plan), 4096);
  plan->worker_scratch = round_up((row.a_head + depth) * plan->mc * size, 4096) + plan->sum_bytes;
  if (plan->keep_a) {
    plan->a_flags = p.m * p.k * size;
    plan->worker_scratch = round_up(plan->a_flags + blocks * plan->k_blocks(p.k), 4096);
  }
  const bool one_step = p.k <= kc && cols <= plan->nc && rows <= plan->chunk;
  plan->b_copies = one_step ? 1 : copies;
  if (!p.panels) plan->panel_bytes = round_up(depth * plan->nc * size, 4096);
  plan->strip_header = round_up((kStripCounters + blocks) * kCounterBytes, 4096);
  const int64_t totals = scratch_totals ? round_up(plan->chunk * plan->nc * size, 4096) : 0;
  plan->strip_scratch = plan->strip_header + plan->b_copies * plan->panel_bytes + totals;
  plan->scratch = plan->strips * plan->strip_scratch + plan->threads * plan->worker_scratch;
}

// Below so many rows the tiles on the diagonal are most of them.
constexpr int64_t kSymmetricRows = 64;
// Whether tiles below the diagonal are left out. Those of plain products and of one row are not asked.
bool halves_work(const Problem &p, const Plan &plan) {
  const bool tiles = plan.path == FASTLA_PATH_PACKED || plan.row->family == Family::floats;
  return p.symmetric && tiles && !plan.plain && !plan.copy_a && p.m >= kSymmetricRows;
}

}  // namespace

// Compute at the roof plus what packing moves: a model for explain(), no more.
double predicted_roof_share(const Problem &p, const Plan &plan) noexcept {
  const KernelRow &row = *plan.row;
  if (p.m == 0 || p.n == 0 || p.k == 0) return 0;
  // Two fma ports; a complex multiply-add is four, of half as many bytes.
  const double lanes_flops = 2.0 * row.vector_bytes / row.element_size * row.group *
                             (row.family == Family::complex ? 1 : 2);
  const double padded = double(p.m) * double(round_up(p.n, row.nr)) * double(p.k) * 2;
  const double compute = padded / lanes_flops;
  const double bytes = (double(p.m) * double(p.k) + double(p.k) * double(p.n)) * row.input_size;
  const double stores = double(p.m) * double(p.n) * row.output_size * double(plan.k_blocks(p.k));
  const double passes = plan.path == FASTLA_PATH_PACKED ? 3 : 1;
  const double moved =
      (bytes * passes + 2 * stores) / 8.0 * 0.25;  // 8 bytes a cycle, mostly hidden
  const double call = 300.0;
  return 2.0 * double(p.m) * double(p.n) * double(p.k) / lanes_flops / (compute + moved + call);
}

void transpose(Problem *p) noexcept {
  std::swap(p->m, p->n);
  std::swap(p->a, p->b);
  std::swap(p->a.row_stride, p->a.col_stride);
  std::swap(p->b.row_stride, p->b.col_stride);
  std::swap(p->a_sum, p->b_sum);
  std::swap(p->conj_a, p->conj_b);
  std::swap(p->c_row_stride, p->c_col_stride);
}

bool should_transpose(const Problem &p, const KernelRow &row) noexcept {
  if (p.panels || row.family == Family::integers) return false;
  const int64_t size = row.output_size;
  if (p.n == 1) return p.m != 1;
  return p.m != 1 && p.c_col_stride != size && p.c_row_stride == size;
}

fastla_status make_plan(const Problem &p, const Machine &machine, Plan *plan) noexcept {
  const int64_t size = machine.row->element_size;
  int64_t bytes = 0;
  if (__builtin_mul_overflow(p.m, p.n, &bytes) || __builtin_mul_overflow(bytes, size, &bytes) ||
      __builtin_mul_overflow(p.m, p.k, &bytes) || __builtin_mul_overflow(bytes, size, &bytes) ||
      __builtin_mul_overflow(p.k, p.n, &bytes) || __builtin_mul_overflow(bytes, size, &bytes))
    return FASTLA_INVALID;
  *plan = {};
  plan->path = p.m == 0 || p.n == 0 ? FASTLA_PATH_DIRECT : choose_path(p, machine);
  const bool packed = plan->path == FASTLA_PATH_PACKED;
  const bool simple = machine.row->family != Family::floats && !packed;
  const KernelRow &row = packed || simple ? *machine.row : direct_row(p, machine);
  plan->row = &row;
  plan->kc = row.family == Family::integers ? kBlockLength * row.group : kBlockLength;
  if (simple && row.family != Family::complex) plan->kc = larger(p.k, 1);
  plan->mr = p.k <= kVeryShallow && p.c_row_stride % kPage == 0 ? row.mr / 2 : row.mr;
  if (p.m == 0 || p.n == 0) {  // nothing to compute, and nothing to divide by
    plan->threads = 1;
    plan->mc = plan->nc = 1;
    return FASTLA_OK;
  }
  plan->totals_in_c = totals_fit_c(p, row);
  plan->c_near = p.m * p.n * size <= machine.l2 / kNearPart;
  // Each thread gets at least half of what two share at the break-even.
  const double pay = work(p) * double(size) / (kThreadWork / 2);
  plan->threads = pay < 2 ? 1 : pay < machine.threads ? int(pay) : machine.threads;
  if (packed)
    block_packed(p, machine, plan);
  else if (simple)
    block_in_place(p, plan);
  else
    block_direct(p, machine, plan);
  plan->upper = halves_work(p, *plan);
  return FASTLA_OK;
}

}  // namespace fastla
