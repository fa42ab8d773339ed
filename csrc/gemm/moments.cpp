// Rows less a shift, summed, and multiplied by themselves: each is read once and packed once, for both sides of its products.
//
// A chunk of rows is a task; its blocks of K are packed as panels of B, of which the rows of a tile's A are columns. Only
// tiles on the diagonal and above it are computed.
#include "fastla/moments.h"

#include <string.h>

#include "fastla/runtime.h"
#include "gemm/plan_parts.hpp"
#include "kernels/ops.hpp"
#include "kernels/row.hpp"
#include "runtime/cpu.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

// Rows whose products are summed in their dtype. Part of the result's definition.
constexpr int64_t kChunk = 4096;
// A block's panels may take so many bytes, and a half of that is L2's usual size.
constexpr int64_t kPanelBytes = int64_t{2} << 20;
constexpr int64_t kLineBytes = 64;

int64_t element_size(int dtype) { return dtype == FASTLA_F64 ? 8 : 4; }

bool valid(const MomentsDesc &d) {
  if (d.struct_size < sizeof(MomentsDesc) || d.rows < 0 || d.cols < 0 || d.num_threads < 0)
    return false;
  if (d.dtype != FASTLA_F32 && d.dtype != FASTLA_F64) return false;
  if (d.cols > fastla_moments_cols(d.dtype) || d.rows > INT64_MAX / 16 / kChunk) return false;
  return d.rows == 0 || d.cols == 0 || (d.x && d.shift && d.sums && d.scatter);
}

struct Layout {
  int64_t size, panels, panel_bytes, row_bytes, total_stride, sums, totals, worker;
  Layout(const MomentsDesc &d, const KernelRow &row) : size(element_size(d.dtype)) {
    panels = panel_count(d.cols, row.nr);
    panel_bytes = round_up(panels * row.nr * kBlockLength * size, 4096);
    row_bytes = round_up(d.cols * size, kLineBytes) + kLineBytes;
    total_stride = row_bytes;
    sums = panel_bytes;
    totals = round_up(sums + row_bytes + d.cols * 8, 4096);
    worker = round_up(totals + d.cols * total_stride, 4096);
  }
};

class Chunks {
 public:
  Chunks(const MomentsDesc &d, const KernelRow &row, const Layout &at, char *scratch)
      : d_(d),
        row_(row),
        at_(at),
        centre_(chosen_ops().of[d.dtype == FASTLA_F64].centre),
        scratch_(scratch) {}

  static int64_t count(const MomentsDesc &d) { return (d.rows + kChunk - 1) / kChunk; }

  void run(int64_t chunk, int worker) noexcept {
    char *const own = scratch_ + worker * at_.worker;
    double *const sums = reinterpret_cast<double *>(own + at_.sums + at_.row_bytes);
    memset(sums, 0, size_t(d_.cols) * 8);
    const int64_t begin = chunk * kChunk, end = smaller(d_.rows, begin + kChunk);
    for (int64_t first = begin; first < end; first += kBlockLength) {
      const int64_t depth = smaller(kBlockLength, end - first);
      centre(first, depth, own);
      d_.dtype == FASTLA_F64 ? add_sums<double>(own, sums) : add_sums<float>(own, sums);
      multiply(depth, first == begin, own);
    }
    // In the chunks' order.
    done_.wait_for(chunk);
    for (int64_t j = 0; j < d_.cols; ++j) d_.sums[j] += sums[j];
    d_.dtype == FASTLA_F64 ? add_totals<double>(own) : add_totals<float>(own);
    done_.set(chunk + 1);
  }

 private:
  void centre(int64_t first, int64_t depth, char *own) const noexcept {
    char *const sums = own + at_.sums;
    memset(sums, 0, size_t(at_.row_bytes));
    centre_({depth, d_.cols, static_cast<const char *>(d_.x) + first * d_.row_stride, d_.row_stride,
             static_cast<const char *>(d_.shift), own, row_.nr, depth * row_.nr * at_.size, sums});
  }
  template <class T> void add_sums(const char *own, double *to) const noexcept {
    const T *const sums = reinterpret_cast<const T *>(own + at_.sums);
    for (int64_t j = 0; j < d_.cols; ++j) to[j] += double(sums[j]);
  }

  // (Asking for the next block of rows on the way changes nothing: the tiles wait for lines as long as centring would.)
  void multiply(int64_t depth, bool first, char *own) const noexcept {
    const int64_t nr = row_.nr, panel = depth * nr * at_.size;
    Block block{};
    block.k = depth;
    block.first = first;
    block.last = true;
    block.c_near = true;
    block.upper = 1;
    block.c_size = int(at_.size);
    block.a_row_stride = at_.size;
    block.a_col_stride = block.b_step = nr * at_.size;
    block.b_panel = panel;
    block.total_stride = block.c_row_stride = at_.total_stride;
    block.c_col_stride = at_.size;
    for (int64_t i = 0; i < at_.panels; ++i) {
      block.m = smaller(nr, d_.cols - i * nr);
      block.panels = panel_count(block.m, row_.mr);
      block.a = own + i * panel;
      block.n = d_.cols - i * nr;
      block.b = block.a;
      block.row0 = block.col0 = i * nr;
      block.c = own + at_.totals + i * nr * (at_.total_stride + at_.size);
      block.total = block.c;
      row_.block(block);
    }
  }

  template <class T> void add_totals(const char *own) const noexcept {
    for (int64_t i = 0; i < d_.cols; ++i) {
      const T *const from = reinterpret_cast<const T *>(own + at_.totals + i * at_.total_stride);
      double *const to = d_.scatter + i * d_.cols;
      for (int64_t j = i; j < d_.cols; ++j) to[j] += double(from[j]);
    }
  }

  const MomentsDesc &d_;
  const KernelRow &row_;
  const Layout &at_;
  void (*centre_)(const CentreArgs &);
  char *scratch_;
  Progress done_;
};

void mirror_down(double *square, int64_t n) {
  constexpr int64_t side = 16;
  for (int64_t i0 = 0; i0 < n; i0 += side)
    for (int64_t j0 = i0; j0 < n; j0 += side)
      for (int64_t i = i0; i < smaller(n, i0 + side); ++i)
        for (int64_t j = i0 == j0 ? i + 1 : j0; j < smaller(n, j0 + side); ++j)
          square[j * n + i] = square[i * n + j];
}

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" {

void fastla_moments_desc_init(fastla_moments_desc *desc) {
  memset(desc, 0, sizeof(*desc));
  desc->struct_size = sizeof(*desc);
}

int64_t fastla_moments_cols(int32_t dtype) {
  return kPanelBytes / (kBlockLength * element_size(dtype));
}

fastla_status fastla_moments(const fastla_moments_desc *desc) {
  const MomentsDesc &d = *desc;
  if (!valid(d)) return FASTLA_INVALID;
  if (d.rows == 0 || d.cols == 0) return FASTLA_OK;
  const KernelRow &chosen = chosen_row(d.dtype), &row = chosen.direct ? *chosen.direct : chosen;
  const Layout layout(d, row);
  const int64_t count = Chunks::count(d);
  const int32_t wanted = d.num_threads ? d.num_threads : fastla_get_num_threads();
  const int threads = count < wanted ? int(count) : wanted;
  const Workspace scratch{size_t(layout.worker * threads)};
  if (!scratch.data()) return FASTLA_NO_MEMORY;
  FpScope scope;
  Chunks chunks(d, row, layout, scratch.data());
  parallel_for(count, threads, [&](int64_t chunk, int worker) { chunks.run(chunk, worker); });
  mirror_down(d.scatter, d.cols);
  return FASTLA_OK;
}

}  // extern "C"
