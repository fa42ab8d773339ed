// S1 = A21 + A22   T1 = B12 - B11   P1 = A11 B11   P5 = S1 T1   U2 = P1 + P6   C11 = P1 + P2
// S2 = S1 - A11    T2 = B22 - T1    P2 = A12 B21   P6 = S2 T2   U3 = U2 + P7   C12 = U2 + P5 + P3
// S3 = A11 - A21   T3 = B22 - B12   P3 = S4 B22    P7 = S3 T3                  C21 = U3 - P4
// S4 = A12 - S2    T4 = T2 - B21    P4 = A22 T4                                C22 = U3 + P5
//
// (Winograd 1971; N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 23.1.) C's quadrants hold
// products on the way, so that a level needs memory for one S or P1 and for one T (Douglas et al., 1994); the last level
// only for P1: its sums are made while they are packed (Huang et al., 2016).
#include "gemm/strassen.hpp"

#include <atomic>
#include <utility>

#include "gemm/additions.hpp"
#include "gemm/paths.hpp"
#include "gemm/plan_parts.hpp"

namespace fastla {
namespace {

// Each one may cost floating point a digit.
constexpr int kMostLevels = 4;
// Halves no smaller than these pay (docs/decisions/0007-strassen.md). Of float32 and float64 they decide about bits.
constexpr int64_t kLeast[] = {1500, 1024, 1400, 1024, 192, 192};
static_assert(sizeof(kLeast) / sizeof(kLeast[0]) == FASTLA_I64 + 1);

std::atomic<int64_t> forced_least{0};

// Where memory would lie that is planned for but not there: pointers into it are compared, never followed.
char *nowhere(int which) { return reinterpret_cast<char *>(uintptr_t(which) << 44); }

Rect rect(const Source &s) { return {const_cast<char *>(s.data), s.row_stride, s.col_stride}; }
Factor plain(const Rect &r) { return {Sum::none, {r}}; }
Source source(const Rect &r) { return {r.data, r.row_stride, r.col_stride, false}; }

// Without scratch it only finds out how much a run takes.
class Strassen {
 public:
  Strassen(const Machine &machine, char *scratch, int64_t leaf_scratch)
      : machine_(machine),
        additions_(scratch ? additions_of(machine.row->dtype) : no_additions()),
        size_(machine.row->output_size),
        leaf_scratch_(scratch),
        sums_(scratch ? scratch + leaf_scratch : nowhere(2)),
        dry_(!scratch) {}

  // C = A B: halves of sizes that are multiples of 2^levels, then what is left over.
  void multiply(const Problem &p, int levels) {
    const int64_t mask = (int64_t{1} << levels) - 1;
    const int64_t m = p.m & ~mask, n = p.n & ~mask, k = p.k & ~mask;
    const Rect a = rect(p.a), b = rect(p.b), c{p.c, p.c_row_stride, p.c_col_stride};
    multiply(plain(a), plain(b), c, m, n, k, levels, 0);
    if (p.k > k) additions_.add_products(run(m, n), c, part(a, 0, k), part(b, k, 0), p.k - k);
    if (p.n > n) leaf(plain(a), plain(part(b, 0, n)), part(c, 0, n), p.m, p.n - n, p.k);
    if (p.m > m) leaf(plain(part(a, m, 0)), plain(b), part(c, m, 0), p.m - m, n, p.k);
  }

  Plan plan{};  // of the first product that is not halved
  int64_t leaf_bytes = 0, sum_bytes = 0;
  uint32_t flags = 0;

 private:
  Additions::Run run(int64_t rows, int64_t cols) { return {rows, cols, machine_.threads, &flags}; }

  // A product as it is otherwise computed.
  void leaf(const Factor &x, const Factor &y, const Rect &z, int64_t m, int64_t n, int64_t k) {
    Problem p{
        m,       n,      k, source(x.x[0]), source(y.x[0]), z.data, z.row_stride, z.col_stride,
        nullptr, nullptr};
    Summed a{&additions_, x}, b{&additions_, y};
    if (x.how != Sum::none) p.a_sum = &a;
    if (y.how != Sum::none) p.b_sum = &b;
    if (should_transpose(p, *machine_.row)) {
      transpose(&p);
      for (Rect *r = a.factor.x; r < a.factor.x + 4; ++r) std::swap(r->row_stride, r->col_stride);
      for (Rect *r = b.factor.x; r < b.factor.x + 4; ++r) std::swap(r->row_stride, r->col_stride);
    }
    Plan own;
    make_plan(p, machine_, &own);
    if (!dry_) {
      flags |= fastla::run(own, p, leaf_scratch_);
      return;
    }
    if (!plan.row) plan = own;
    leaf_bytes = larger(leaf_bytes, own.scratch);
  }

  // A matrix in scratch from *top on, by rows or by columns as another one is.
  Rect take(int64_t rows, int64_t cols, const Rect &like, int64_t *top) {
    const Rect r = laid_out(sums_ + *top, rows, cols, size_, like);
    *top += r.col_stride == size_ ? rows * r.row_stride : cols * r.col_stride;
    sum_bytes = larger(sum_bytes, *top);
    return r;
  }

  // C = X Y, halved so often more.
  void multiply(const Factor &x, const Factor &y, const Rect &z, int64_t m, int64_t n, int64_t k,
                int levels, int64_t top) {
    if (levels == 0) return leaf(x, y, z, m, n, k);
    m /= 2;
    n /= 2;
    k /= 2;
    const Rect a11 = x.x[0], a12 = part(a11, 0, k), a21 = part(a11, m, 0), a22 = part(a11, m, k);
    const Rect b11 = y.x[0], b12 = part(b11, 0, n), b21 = part(b11, k, 0), b22 = part(b11, k, n);
    const Rect c11 = z, c12 = part(c11, 0, n), c21 = part(c11, m, 0), c22 = part(c11, m, n);
    const bool last = levels == 1;
    // P1 comes when no S is needed any more.
    int64_t s_top = top, p1_top = top;
    const Rect s = last ? a11 : take(m, k, a11, &s_top), p1 = take(m, n, c11, &p1_top);
    top = larger(s_top, p1_top);
    const Rect t = last ? b11 : take(k, n, b11, &top);
    const Additions::Run ss = run(m, k), ts = run(k, n), ps = run(m, n);
    // A sum of quadrants: the last ones are made while they are packed, others in steps.
    const auto sum = [&](const Additions::Run &size, const Rect &into, Factor whole, Factor step) {
      if (last) return whole;
      additions_.sum(size, into, step.how, step.x);
      return Factor{Sum::none, {into}};
    };
    const auto times = [&](const Factor &f, const Factor &g, const Rect &h) {
      multiply(f, g, h, m, n, k, levels - 1, top);
    };
    const Factor s3{Sum::minus, {a11, a21}}, s1{Sum::plus, {a21, a22}};
    const Factor t3{Sum::minus, {b22, b12}}, t1{Sum::minus, {b12, b11}};
    times(sum(ss, s, s3, s3), sum(ts, t, t3, t3), c21);  // P7
    times(sum(ss, s, s1, s1), sum(ts, t, t1, t1), c22);  // P5
    times(sum(ss, s, {Sum::s2, {a21, a22, a11}}, {Sum::minus, {s, a11}}),
          sum(ts, t, {Sum::t2, {b12, b11, b22}}, {Sum::minus, {b22, t}}), c12);  // P6
    times(sum(ss, s, {Sum::s4, {a21, a22, a11, a12}}, {Sum::minus, {a12, s}}), plain(b22),
          c11);  // P3
    times(plain(a11), plain(b11), p1);
    additions_.combine(ps, p1, c12, c21, c22, c11);
    times(plain(a22), sum(ts, t, {Sum::t4, {b12, b11, b22, b21}}, {Sum::minus, {t, b21}}),
          c11);  // P4
    combine(ps, c21, Sum::minus, c21, c11);
    times(plain(a12), plain(b21), c11);  // P2
    combine(ps, c11, Sum::plus, c11, p1);
  }

  void combine(const Additions::Run &size, const Rect &d, Sum how, const Rect &x, const Rect &y) {
    const Rect both[] = {x, y};
    additions_.sum(size, d, how, both);
  }

  const Machine &machine_;
  const Additions &additions_;
  const int64_t size_;
  char *const leaf_scratch_, *const sums_;
  const bool dry_;
};

}  // namespace

bool strassen_forced() noexcept { return forced_least.load(std::memory_order_relaxed) != 0; }

int strassen_levels(const Problem &p, int dtype, bool fast) noexcept {
  if (dtype > FASTLA_I64 || (dtype < FASTLA_FLOATS && !fast)) return 0;
  if (p.panels || p.finish || p.a.swapped || p.b.swapped) return 0;
  const int64_t forced = forced_least.load(std::memory_order_relaxed);
  const int64_t least = forced ? forced : kLeast[dtype];
  const int64_t side = smaller(p.m, smaller(p.n, p.k)) / 2;
  int levels = 0;
  while (levels < kMostLevels && side >> levels >= least) ++levels;
  return levels;
}

fastla_status plan_strassen(const Problem &problem, const Machine &machine, int levels,
                            StrassenPlan *plan) noexcept {
  Problem p = problem;
  const fastla_status status = make_plan(p, machine, &plan->rest);  // sees to sizes that overflow
  if (status != FASTLA_OK) return status;
  const double m = double(p.m), n = double(p.n), k = double(p.k);
  if (m * k + k * n + m * n > 0x1p55)
    return FASTLA_NO_MEMORY;  // with what the sums' rows are padded by
  if (!p.a.data) p.a.data = p.b.data = p.c = nowhere(3);
  Strassen dry(machine, nullptr, 0);
  dry.multiply(p, levels);
  *plan = {levels, dry.plan, round_up(dry.leaf_bytes, kPage), 0};
  plan->scratch = plan->rest_bytes + dry.sum_bytes;
  return FASTLA_OK;
}

uint32_t run_strassen(const StrassenPlan &plan, const Problem &problem, const Stack &stack,
                      const Machine &machine, char *scratch) noexcept {
  Strassen it(machine, scratch, plan.rest_bytes);
  for (int64_t i = 0; i < stack.count; ++i) it.multiply(item_of(problem, stack, i), plan.levels);
  return it.flags;
}

}  // namespace fastla

extern "C" void fastla_force_strassen(int64_t least) {
  fastla::forced_least.store(least > 0 ? least : 0);
}
