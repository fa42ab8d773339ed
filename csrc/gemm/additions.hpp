// Sums of matrices, for Strassen-Winograd: what its products are made of, and what is made of them.
#pragma once
#include <stdint.h>

namespace fastla {

// Elements of a matrix; strides in bytes, of any sign; maybe unaligned.
struct Rect {
  char *data;
  int64_t row_stride, col_stride;
};

inline Rect part(Rect r, int64_t i, int64_t j) noexcept {
  r.data += i * r.row_stride + j * r.col_stride;
  return r;
}
// The same elements from another place on: dense, by rows or by columns as `like` is.
Rect laid_out(char *data, int64_t rows, int64_t cols, int64_t size, const Rect &like) noexcept;
// Bytes from a row to the next one, where rows are of so many bytes: an odd number of lines, since rows a multiple of the
// page apart are in the same sets of L1.
constexpr int64_t padded_row(int64_t bytes) noexcept { return ((bytes + 63) / 64 | 1) * 64; }

// The sums of Strassen-Winograd's operands, in the order in which they are rounded; x: their terms.
enum class Sum {
  none,   // x0
  plus,   // x0 + x1
  minus,  // x0 - x1
  s2,     // (x0 + x1) - x2
  s4,     // x3 - ((x0 + x1) - x2)
  t2,     // x2 - (x0 - x1)
  t4,     // (x2 - (x0 - x1)) - x3
};

// A matrix, or a sum of some.
struct Factor {
  Sum how;
  Rect x[4];
};

// Passes over matrices of one size. Integers wrap; floating point rounds each operation once.
struct Additions {
  // What the passes run on, and the FASTLA_FP_* that its helpers raised.
  struct Run {
    int64_t rows, cols;
    int threads;
    uint32_t *flags;
  };
  // d becomes the sum; it may be a term itself.
  void (*sum)(const Run &run, Rect d, Sum how, const Rect *x);
  // p6, p7, p5 become p1 + p6 + p5 + p3, p1 + p6 + p7, p1 + p6 + p7 + p5.
  void (*combine)(const Run &run, Rect p1, Rect p6, Rect p7, Rect p5, Rect p3);
  // c += a b, for so few columns of A that a row of C outlasts them in L1.
  void (*add_products)(const Run &run, Rect c, Rect a, Rect b, int64_t depth);
};

// An operand that is a sum, made while it is packed.
struct Summed {
  const Additions *additions;
  Factor factor;
};

// Of float32, float64 and the integers whose results are no wider; dtype: a fastla_dtype.
const Additions &additions_of(int dtype) noexcept;
// Those that do nothing.
const Additions &no_additions() noexcept;

}  // namespace fastla
