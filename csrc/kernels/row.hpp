// A kernel row: everything that depends on (dtype, instruction set), as one table entry.
//
// Rows come from one generic source (rows.hpp) compiled once per instruction set; gemm/ sees them only
// through this table. All sizes count elements, all strides count bytes.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace fastla {

// Length of a block of K (docs/contract.md), the same for every type so far. It is part of the result's
// definition, not a tuning value; docs/decisions/0001-block-length.md has the measurement.
constexpr int64_t kBlockLength = 512;

// An operand of a step of the epilogue. A vector along one axis is a matrix with stride 0 on the other.
struct Operand {
  const char *data;  // nullptr: the step is skipped
  int64_t row_stride, col_stride;
};

// The epilogue as kernels see it: already transposed where the plan transposes the product, which is why
// scale and bias are lists in order of application rather than "row" and "column".
struct Finish {
  double alpha, beta;
  Operand scale[2], c, bias[2];
  int activation;
  Operand gate, residual;
};

// One operand of the product where the user keeps it.
struct Source {
  const char *data;
  int64_t row_stride, col_stride;
  bool swapped;
};

// Rows in panels of nearly the same height (they differ by one), so that no panel has too few chains to hide
// the latency of fma: 1024 rows in tiles of 14 are 62 of 14 and 12 of 13, not 73 and one of 2. (static: a
// weak copy compiled here for AVX-512 could end up in an older CPU's code.)
static constexpr int64_t panel_count(int64_t rows, int64_t mr) {
  return rows > 0 && rows <= mr ? 1 : (rows + mr - 1) / mr;  // a division costs a tiny product dear
}
struct Panels {
  int64_t height, taller;  // the first `taller` ones are one higher
  [[gnu::always_inline]] constexpr Panels(int64_t rows, int64_t panels)
      : height(panels == 1 ? rows : rows / panels), taller(panels == 1 ? 0 : rows % panels) {}
  [[gnu::always_inline]] constexpr int64_t start(int64_t panel) const {
    return panel * height + (panel < taller ? panel : taller);
  }
};
static constexpr int64_t panel_start(int64_t rows, int64_t panels, int64_t panel) {
  return Panels(rows, panels).start(panel);
}

// Rows of A up to which B's contiguous columns are transposed in registers; with more, a transposed copy in L1 that
// all rows use is better (float32 14x768x768: 1.1 times as fast, 8: 0.96).
static constexpr int64_t kColumnRows = 8;

// Vectors of contiguous columns that few rows of A take side by side; from memory, where more streams than hardware
// prefetchers keep track of are slower; and of colliding ones.
static constexpr int64_t kColumnVectors = 4, kMemoryVectors = 2, kSkewedVectors = 3;

// Steps that one row of A takes at a time where B streams along its rows, or half as many: so many are read at once.
static constexpr int64_t kRowSteps = 8;

// Packed tiles ask L2 for B, a line at most, each time that so much of a row of A goes by.
static constexpr int64_t kAskBytes = 16, kLine = 64;

// Contiguous columns of B are asked for so far ahead (a line if that will do).
constexpr int64_t kColumnAhead = 512;

// A rectangle of C against one block of K.
struct Block {
  int64_t m, n, k;
  int64_t panels;  // of A's rows
  // Both operands packed (pack_a, pack_b), or B is, and A is one row, which lies as it would in place; or A's rows in
  // place, and B in place or packed.
  bool packed;
  // Tiles follow each other along the rows of C and meet all of B (which is near) for each panel of A; otherwise
  // along its columns, and meet all of A.
  bool along_rows;
  const char *a;
  int64_t a_row_stride, a_col_stride;  // in place, or of one row
  // Along the rows of C: A comes from memory, which is asked for it some panels ahead; or (flowing) the rows of A, and
  // those of C, follow each other, and the next panel's of both are asked for on the way.
  bool a_far, flowing;
  // B: nr columns at a time; in place, b_step is B's row stride, b_panel is nr elements, and nothing is read
  // beyond column n.
  const char *b;
  int64_t b_step, b_panel;
  int64_t b_col_stride;  // in place, other than float32 and float64
  // Packed: each tile of a panel of B asks L2 for its share of the next panel, so many bytes at a time; 0: none.
  int64_t b_share;
  // So many bytes further along its rows, down its columns or down a packed panel (one row of A) B is asked for; 0: it
  // is near. Columns side by side: up to a line, or whatever memory needs.
  int64_t b_ahead;
  // One row of A, B in place: B streams along its rows, so many at a time, and the chains wait in `state`; 0: it does not.
  int row_steps;
  // In place with contiguous columns instead: b_step is then their stride, b_panel nr times it.
  bool down_columns;
  // And one row of A, contiguous: the columns (nearly) fill L1's ways and are taken some lines apart (side_by_side.hpp).
  bool skewed;
  // Sums of the earlier blocks, columns contiguous; read unless `first`, written unless `last`.
  char *total;
  int64_t total_stride;
  bool first, last;
  // A part of a block of K, when chains are cut so that B is read along its rows: their state waits here (rows of
  // whole vectors); read if `resumed`, and written, instead of anything else, if `suspended`.
  char *state;
  int64_t state_stride;
  bool resumed, suspended;
  // C is in L2, so that its lines need not be asked for. And plain (plain.hpp): so are A and B, in place; K is one block,
  // no chain is cut, and C's columns are contiguous unless there is an epilogue.
  bool c_near, plain;
  // Of complex numbers, which operands are conjugated.
  bool conj_a, conj_b;
  // C is symmetric, and tiles strictly below the diagonal are left out: columns to a row of it (complex: 2), or 0.
  int upper;
  // The output and its epilogue (nullptr: none), used when `last`. row0, col0: position of the rectangle
  // in C, for the epilogue's operands.
  char *c;
  int64_t c_row_stride, c_col_stride;
  int c_size;  // bytes of an element, where it may be less than a chain's
  const Finish *finish;
  int64_t row0, col0;
};

// A stack of small products (items.hpp): that of the first one, with operands in place; all the others lie so many
// bytes further each. Rows of B contiguous, or (down_columns) its columns and rows of A; columns of C contiguous.
struct Items {
  Block block;
  int64_t count;
  int64_t a_next, b_next, c_next;
  int64_t
      ahead;  // operands come from memory, which is asked for them so many bytes ahead; 0: they do not
};
// Rows of A that take B's contiguous columns together.
static constexpr int64_t kItemColumnRows = 4;

// Which code is behind a row: floating point has all the paths; integers and complex numbers are packed, or else in loops
// (integers.hpp) or plain tiles (complex.hpp) over operands in place; float16 is packed, but for tiny products.
enum class Family { floats, integers, complex, halves };

struct KernelRow {
  const char *isa;
  int dtype, element_size;  // of a chain, and of a step of it in a panel
  int mr, nr, vector_bytes;
  // Panels of at most mr rows, k-major; row i's panel starts at i * (a_head + panel_steps(k)) elements.
  void (*pack_a)(const Source &a, int64_t rows, int64_t panels, int64_t k, char *dst);
  // Some steps of panels of nr columns, k-major, which have `depth` steps in all; dst: the first of them in the first
  // panel. The last panel is filled up with copies of the last column, so that padding computes only what a real element
  // computes and raises no flag of its own.
  void (*pack_b)(const Source &b, int64_t steps, int64_t cols, int64_t depth, char *dst);
  void (*block)(const Block &block);
  void (*activate)(int kind, const char *x, char *y, int64_t count);
  // Independent fused multiply-adds in registers, for the roof.
  void (*fma_loop)(int64_t iterations);
  double fma_loop_flops;  // operations in one iteration
  int side_rows;  // rows of A that take contiguous columns of B side by side (side_by_side.hpp)
  const KernelRow
      *direct;  // the row for what is not packed, if this one's tiles are for packed operands only
  const KernelRow *narrow;  // the row for few columns, if they have one of their own

  Family family;
  // Of integers, and of pairs of bfloat16, a step of a panel takes `group` of the product's; of integers a panel of A may
  // begin with a step of another kind. Others: 1 and none.
  int input_size, output_size;  // of an element of A or B, and of C
  int group, a_head;
  void (*items)(const Items &items);  // float32 and float64
  // Of halves: contiguous elements to float32, exactly, and rounded back.
  void (*to_floats)(const char *from, float *to, int64_t count) = nullptr;
  void (*from_floats)(const float *from, char *to, int64_t count) = nullptr;
  int64_t panel_steps(int64_t k) const { return group == 1 ? k : (k + group - 1) / group; }
};

// The row in force: the forced one, or the best usable one.
const KernelRow &chosen_row(int dtype) noexcept;
const char *chosen_isa() noexcept;

}  // namespace fastla
