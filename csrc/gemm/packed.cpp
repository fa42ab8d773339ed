// The packed path: five loops around the tile (Goto and van de Geijn, 2008).
//
//   chunk of rows -> panel of B (nc) -> block of K (kc): pack B's panel together, then
//   tasks of mc x task_cols: pack A's block -> panels of nr columns -> tiles of mr rows.
//
// B's panel is packed once, in a phase of its own, and shared. A block of A belongs to the worker that packed
// it and goes from there to the tiles through its own L2; it is packed again only where workers share its
// rows (docs/decisions/0002-packing.md).
#include "gemm/paths.hpp"
#include "runtime/parallel.hpp"

namespace fastla {
namespace {

// Panels of B packed by one task: some tens of kilobytes.
constexpr int64_t kPanelsPerTask = 8;

struct Step {
  const Plan &plan;
  const Problem &p;
  const char *b_panels;
  char *totals, *a_blocks;
  int64_t i0, rows;   // chunk of rows
  int64_t j0, cols;   // panel of B
  int64_t k0, depth;  // block of K
  bool first, last;

  int64_t size() const { return plan.row->element_size; }

  uint32_t pack_b() const noexcept {
    const int64_t piece = kPanelsPerTask * plan.row->nr;
    return parallel_for((cols + piece - 1) / piece, plan.threads, [&](int64_t task, int) {
      const int64_t j = task * piece;
      Source b = p.b;
      b.data += k0 * b.row_stride + (j0 + j) * b.col_stride;
      plan.row->pack_b(b, depth, smaller(piece, cols - j),
                       const_cast<char *>(b_panels) + j * depth * size());
    });
  }

  // The worker's copy of rows [i, i + count) in so many panels.
  const char *pack_a(int worker, int64_t i, int64_t count, int64_t panels) const noexcept {
    char *block = a_blocks + worker * plan.worker_scratch;
    int64_t *held = reinterpret_cast<int64_t *>(block);
    char *data = block + kBlockHeader;
    if (*held == i) return data;
    Source a = p.a;
    a.data += (i0 + i) * a.row_stride + k0 * a.col_stride;
    plan.row->pack_a(a, count, panels, depth, data);
    *held = i;
    return data;
  }

  // Rows of block `index` of so many, columns [j, j + n).
  void multiply(int worker, int64_t index, int64_t blocks, int64_t j, int64_t n) const noexcept {
    const int64_t nr = plan.row->nr, panels = panel_count(rows, plan.row->mr);
    const int64_t panel = panel_start(panels, blocks, index);
    const int64_t next_panel = panel_start(panels, blocks, index + 1);
    const int64_t i = panel_start(rows, panels, panel);
    Block block = make_block(p, depth, first, last);
    block.packed = true;
    block.panels = next_panel - panel;
    block.m = panel_start(rows, panels, next_panel) - i;
    block.n = n;
    block.a = pack_a(worker, i, block.m, block.panels);
    block.b = b_panels + j * depth * size();
    block.b_step = nr * size();
    block.b_panel = depth * nr * size();
    block.row0 = i0 + i;
    block.col0 = j0 + j;
    block.c = p.c + block.row0 * p.c_row_stride + block.col0 * p.c_col_stride;
    block.total = plan.totals_in_c ? block.c : totals + (i * plan.nc + j) * size();
    block.total_stride = plan.totals_in_c ? p.c_row_stride : plan.nc * size();
    plan.row->block(block);
  }

  // Tasks in the order of rows: a worker's next one mostly has the rows of its last. The cut blocks come last,
  // the first pieces of all of them before the second ones.
  uint32_t multiply_all() const noexcept {
    const int64_t blocks = plan.row_blocks(rows), groups = plan.col_groups(cols);
    const int64_t cut = plan.cut_blocks(rows, cols), whole = (blocks - cut) * groups;
    const int64_t pieces = kCutPieces * plan.row->nr;
    const int64_t piece = (cols + pieces - 1) / pieces * plan.row->nr;
    for (int worker = 0; worker < plan.threads; ++worker)
      *reinterpret_cast<int64_t *>(a_blocks + worker * plan.worker_scratch) = -1;
    return parallel_for(plan.tasks(rows, cols), plan.threads, [&](int64_t task, int worker) {
      const int64_t tail = task - whole, width = tail < 0 ? plan.task_cols : piece;
      const int64_t block = tail < 0 ? task / groups : blocks - cut + tail % cut;
      const int64_t j = (tail < 0 ? task % groups : tail / cut) * width;
      if (j < cols) multiply(worker, block, blocks, j, smaller(width, cols - j));
    });
  }
};

const char *prepacked(const Problem &p, const KernelRow &row, int64_t k0, int64_t j0,
                      int64_t depth) {
  return p.panels + (k0 * ((p.n + row.nr - 1) / row.nr * row.nr) + j0 * depth) * row.element_size;
}

}  // namespace

uint32_t run_packed(const Plan &plan, const Problem &p, char *scratch) noexcept {
  char *b_panels = scratch + plan.threads * plan.worker_scratch;
  char *totals = b_panels + plan.panel_bytes;
  const int64_t blocks = plan.k_blocks(p.k);
  uint32_t flags = 0;
  for (int64_t i0 = 0; i0 < p.m; i0 += plan.chunk)
    for (int64_t j0 = 0; j0 < p.n; j0 += plan.nc)
      for (int64_t block = 0; block < blocks; ++block) {
        const int64_t k0 = block * plan.kc, depth = smaller(plan.kc, p.k - k0);
        const Step step{.plan = plan,
                        .p = p,
                        .b_panels = p.panels ? prepacked(p, *plan.row, k0, j0, depth) : b_panels,
                        .totals = totals,
                        .a_blocks = scratch,
                        .i0 = i0,
                        .rows = smaller(plan.chunk, p.m - i0),
                        .j0 = j0,
                        .cols = smaller(plan.nc, p.n - j0),
                        .k0 = k0,
                        .depth = depth,
                        .first = block == 0,
                        .last = block == blocks - 1};
        if (!p.panels) flags |= step.pack_b();
        flags |= step.multiply_all();
      }
  return flags;
}

}  // namespace fastla
