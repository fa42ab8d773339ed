#include "gemm/stacked.hpp"

#include <string.h>

#include "gemm/paths.hpp"
#include "runtime/parallel.hpp"
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace fastla {
namespace {

// Items handed out together: about this many multiply-adds, so that handing out costs nothing.
constexpr double kWorkPerTask = 100e3;

void drop_axis(Stack *s, int axis) {
  for (int i = axis; i + 1 < s->ndim; ++i) {
    s->shape[i] = s->shape[i + 1];
    s->a[i] = s->a[i + 1];
    s->b[i] = s->b[i + 1];
    s->c[i] = s->c[i + 1];
  }
  --s->ndim;
}

// Beyond this many bytes of C, or a quarter of L3, the first items' products are no longer in a cache when the last one
// is done; and their lines need not be read before they are written. Operands and C larger than so many L2s: from memory.
constexpr int64_t kLargeResult = 16 << 20, kFarL2s = 2, kItemsAhead = 2048;
constexpr int64_t kLongestAsked = 1024;  // of longer items the hardware keeps track by itself
// Products wait here, in L1, until there is enough of them to be worth streaming.
constexpr int64_t kResultBytes = 8192, kFewResults = 1024;

#if defined(__SSE2__)
constexpr bool kStreams = true;
void stream_lines(const char *from, char *to, int64_t bytes) noexcept {
  for (int64_t at = 0; at < bytes; at += 16)
    _mm_stream_si128(reinterpret_cast<__m128i *>(to + at),
                     _mm_load_si128(reinterpret_cast<const __m128i *>(from + at)));
}
void end_streaming() noexcept { _mm_sfence(); }  // for what other threads see
#else
constexpr bool kStreams = false;
void stream_lines(const char *, char *, int64_t) noexcept {}
void end_streaming() noexcept {}
#endif

// What is appended goes past the caches, a whole line at a time; only the first and the last one may be parts.
class Stream {
 public:
  explicit Stream(char *to) noexcept
      : begin_(int64_t(uintptr_t(to)) & (kLine - 1)), end_(begin_), line_(to - begin_) {}
  ~Stream() { memcpy(line_ + begin_, bytes_ + begin_, size_t(end_ - begin_)); }
  Stream(const Stream &) = delete;
  Stream &operator=(const Stream &) = delete;

  int64_t room() const { return kResultBytes - end_; }
  char *end() { return bytes_ + end_; }
  void append(int64_t bytes) noexcept {
    end_ += bytes;
    const int64_t whole = end_ & -kLine;
    if (!whole) return;
    const int64_t head = begin_ ? kLine : 0;
    if (head) memcpy(line_ + begin_, bytes_ + begin_, size_t(head - begin_));
    stream_lines(bytes_ + head, line_ + head, whole - head);
    line_ += whole;
    begin_ = 0;
    end_ -= whole;
    memcpy(bytes_, bytes_ + whole, size_t(end_));
  }

 private:
  int64_t begin_, end_;
  char *line_;  // of C, where the first one here belongs
  alignas(kLine) char bytes_[kResultBytes];
};

// Items [begin, end) as runs along the innermost axis: body(first, count), first being the problem of the run's first.
template <class Body>
void for_runs(const Problem &problem, const Stack &s, int64_t begin, int64_t end, Body &&body) {
  const int inner = s.ndim - 1;
  for (int64_t index = begin, count; index < end; index += count) {
    const Problem p = item_of(problem, s, index);
    count = smaller(end - index, s.shape[inner] - index % s.shape[inner]);
    body(p, count);
  }
}

void run_some(const Plan &plan, const Problem &problem, const Stack &s, int64_t begin, int64_t end,
              char *scratch, uint32_t *flags) noexcept {
  const int inner = s.ndim - 1;
  const int64_t a = s.a[inner], b = problem.panels ? 0 : s.b[inner], c = s.c[inner];
  const bool one_block = !plan.items && is_one_block(plan, problem);
  const auto compute = [&](Problem p, int64_t count) {
    if (plan.items) {
      const Block block = block_at_once(p, *plan.row, plan.down_columns);
      return plan.row->items({block, count, a, b, c, plan.items_ahead});
    }
    if (one_block) {
      Block block = one_block_of(plan, p);
      for (int64_t i = 0; i < count; ++i, block.a += a, block.b += b, block.c += c)
        plan.row->block(block);
      return;
    }
    for (int64_t i = 0; i < count; ++i, p.a.data += a, p.b.data += b, p.c += c)
      *flags |= run(plan, p, scratch);
  };
  for_runs(problem, s, begin, end, [&](Problem p, int64_t count) {
    if (!plan.streamed || count * c < kFewResults) return compute(p, count);
    Stream stream(p.c);
    for (int64_t some = 0; count > 0; count -= some) {
      some = smaller(stream.room() / c, count);
      p.c = stream.end();
      compute(p, some);
      stream.append(some * c);
      p.a.data += some * a;
      p.b.data += some * b;
    }
  });
  if (plan.streamed) end_streaming();
}

}  // namespace

Problem item_of(const Problem &problem, const Stack &s, int64_t index) noexcept {
  Problem p = problem;
  for (int i = s.ndim - 1; i >= 0; --i) {
    const int64_t at = index % s.shape[i];
    index /= s.shape[i];
    p.a.data += at * s.a[i];
    p.b.data += at * s.b[i];
    p.c += at * s.c[i];
  }
  return p;
}

void fold_stack(Stack *s, Problem *p, bool merge) noexcept {
  for (int i = s->ndim - 1; i >= 0; --i)
    if (s->shape[i] == 1) drop_axis(s, i);
  while (merge && s->ndim > 0) {
    const int last = s->ndim - 1;
    const bool rows_go_on =
        s->a[last] == p->m * p->a.row_stride && s->c[last] == p->m * p->c_row_stride;
    if (s->b[last] != 0 || !rows_go_on) break;
    p->m *= s->shape[last];
    drop_axis(s, last);
  }
  s->count = 1;
  for (int i = 0; i < s->ndim; ++i) s->count *= s->shape[i];
}

// The kernels for stacks have tiles for so many rows and columns; and longer items pay for a block of their own.
constexpr int64_t kItemSide = 16, kItemDepth = 64;

bool plan_items(const Problem &p, const Stack &s, const Machine &machine, Plan *plan) noexcept {
  const KernelRow &packed = *machine.row, &wide = packed.direct ? *packed.direct : packed;
  if (!wide.items || s.count < 2 || machine.forced_path || p.panels || p.finish) return false;
  if (p.m < 1 || p.m > kItemSide || p.n < 1 || p.n > kItemSide || p.k < 1 || p.k > kItemDepth)
    return false;
  const int64_t size = wide.element_size;
  if (p.a.swapped || p.b.swapped || (p.n > 1 && p.c_col_stride != size)) return false;
  const bool quads = wide.vector_bytes >= 4 * size;
  const bool down = quads && p.b.row_stride == size && p.a.col_stride == size &&
                    (p.n == 1 || p.b.col_stride != size);
  const bool narrow = !down && wide.narrow && p.n * size <= wide.narrow->vector_bytes;
  const KernelRow &row = narrow ? *wide.narrow : wide;
  if (!down && ((p.n > 1 && p.b.col_stride != size) || p.n * size > 2 * row.vector_bytes))
    return false;
  *plan = {};
  plan->path = FASTLA_PATH_DIRECT;
  plan->row = &row;
  plan->items = true;
  plan->down_columns = down;
  plan->threads = 1;
  plan->kc = kBlockLength;
  plan->mr = plan->mc = p.m;
  plan->nc = p.n;
  plan->tasks = 1;
  return true;
}

void plan_memory(const Problem &p, const Stack &s, const Machine &machine, Plan *plan) noexcept {
  if (s.count < 2 || s.ndim < 1 || p.panels || machine.forced_path) return;
  const int inner = s.ndim - 1;
  const int64_t size = plan->row->output_size, c_item = p.m * p.n * size;
  const double items = double(s.count);
  const double c_bytes = items * double(c_item);
  const double far = double(kFarL2s * machine.l2);
  const auto dense = [](int64_t next) { return next >= 0 && next <= kLongestAsked; };
  const bool ask = items * double(s.a[inner] + s.b[inner]) + c_bytes > far;
  if (plan->items && ask && dense(s.a[inner]) && dense(s.b[inner])) plan->items_ahead = kItemsAhead;
  const bool contiguous = s.c[inner] == c_item && c_item <= kResultBytes / 2 &&
                          (p.n == 1 || p.c_col_stride == size) &&
                          (p.m == 1 || p.c_row_stride == p.n * size);
  plan->streamed = kStreams && contiguous && (plan->items || is_one_block(*plan, p)) &&
                   c_bytes > double(smaller(kLargeResult, machine.l3 / 4));
}

bool share_items(const Plan &plan, const Problem &p, const Stack &s, int threads) noexcept {
  const double work = double(p.m) * double(p.n) * double(p.k) * double(s.count);
  return threads > 1 && plan.threads == 1 && s.count > 1 && work > kWorkPerTask * 4;
}

uint32_t run_stacked(const Plan &plan, const Problem &p, const Stack &s, int threads,
                     char *scratch) noexcept {
  if (s.count == 1) return run(plan, p, scratch);
  const bool share = share_items(plan, p, s, threads);
  const double work = double(p.m) * double(p.n) * double(p.k) + 1;
  const int64_t per_task = share ? int64_t(kWorkPerTask / work) + 1 : s.count;
  const int64_t tasks = (s.count + per_task - 1) / per_task;
  // One task alone stays outside of parallel_for: its items may use the threads themselves.
  const auto run_items = [&](int64_t task, int worker) {
    uint32_t flags = 0;  // of an item's helpers: none where items are shared
    run_some(plan, p, s, task * per_task, smaller(s.count, (task + 1) * per_task),
             scratch + worker * plan.scratch, &flags);
    return flags;
  };
  if (!share) return run_items(0, 0);
  return parallel_for(tasks, threads < kMaxSharers ? threads : kMaxSharers, run_items);
}

}  // namespace fastla
