// What the planners of the paths share.
#pragma once
#include "gemm/plan.hpp"

namespace fastla {

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }
inline int64_t clamp(int64_t x, int64_t low, int64_t high) {
  return x < low ? low : x > high ? high : x;
}
inline double work(const Problem &p) { return double(p.m) * double(p.n) * double(p.k); }

// Rows so many bytes apart are in the same sets of L1.
constexpr int64_t kPage = 4096;
// With fewer terms than these C is what moves: tiles go along its rows.
constexpr int64_t kShallow = 64;

// B is packed in pieces: about so many bytes of whole rows, a few at least, where they are contiguous, otherwise some
// panels.
// A few: a multiple of any row's group.
constexpr int64_t kPieceBytes = int64_t{128} << 10, kPieceSteps = 4, kPiecePanels = 8;

// Whether A is better read in place than packed; B may still be.
bool direct_pays(const Problem &p, const Machine &machine) noexcept;
// Whether workers had better copy all of B once, and keep it while A, in place, flows past; in how many tasks.
bool kept_pays(const Problem &p, const Machine &machine) noexcept;
int64_t kept_tasks(int64_t panels, int64_t threads) noexcept;
// Whether C is symmetric and small, and B's rows, contiguous, are very many.
bool is_deep(const Problem &p, const KernelRow &row) noexcept;
// Whether on one thread a product is so small and so simple that planning it would show: on the direct path, by one task,
// at once, with operands where they are.
bool needs_no_plan(const Problem &p, const KernelRow &row) noexcept;
// Whether B's columns are contiguous, and few rows of A make use of them.
bool few_down_columns(const Problem &p, const KernelRow &row) noexcept;
// The row for the direct paths: the given one or the one it names, or the narrow one of that.
const KernelRow &direct_row(const Problem &p, const Machine &machine) noexcept;
// Integers, complex numbers, float16: whether operands could be read in place, whether that pays, and whether it needs no
// plan; its plan.
bool could_be_in_place(const Problem &p, const KernelRow &row) noexcept;
bool in_place_pays(const Problem &p, const KernelRow &row) noexcept;
bool in_place_needs_no_plan(const Problem &p, const KernelRow &row) noexcept;
void block_in_place(const Problem &p, Plan *plan) noexcept;
void block_direct(const Problem &p, const Machine &machine, Plan *plan) noexcept;

}  // namespace fastla
