// The generic source of the rows for complex numbers. B, its numbers as they lie in memory, is a matrix of as many reals,
// and each row of A is two: of real and of imaginary parts. So a tile of reals holds all four chains of the contract,
//
//   re(a) b:  rr, ri, rr, ri, ...      im(a) b:  ir, ii, ir, ii, ...
//
// and a block of K ends with (rr - ii, ri + ir), or other signs for conjugates. From there on C is a matrix of reals too.
#pragma once
#include "kernels/pack.hpp"
#include "kernels/rows.hpp"
#include "kernels/tables.hpp"

namespace {

// Rows of A in place, three to a pointer (operands.hpp), and B in place, V vectors of it, the last one in part.
template <class T, int MR, int V, bool whole> struct ComplexAt {
  static constexpr bool in_parts = false, asks_for_c = true;  // nothing is asked for
  static constexpr int group = 1, groups = (MR + 2) / 3;
  static constexpr int64_t last_steps = 0;
  const char *a[groups], *b;
  int64_t a_row, a_col, b_step;
  Part<T> last;
  int spare;  // of the last vector's lanes

  FASTLA_INLINE ComplexAt(const char *first_row, const char *first_column, const Block &block,
                          int64_t n)
      : b(first_column),
        a_row(block.a_row_stride),
        a_col(block.a_col_stride),
        b_step(block.b_step),
        last(n - (V - 1) * Simd<T>::lanes),
        spare(int(V * Simd<T>::lanes - n)) {
#pragma GCC unroll 8
    for (int g = 0; g < groups; ++g) a[g] = first_row + 3 * g * a_row;
  }
  FASTLA_INLINE const char *row(int i) const {
    return a[i / 6] + i / 2 % 3 * a_row + i % 2 * int64_t(sizeof(T));
  }
  FASTLA_INLINE Vec<T> vector(int j, const Vec<T> *before) const {
    const char *p = b + j * FASTLA_VECTOR_BYTES;
    if (whole || j + 1 < V || spare == 0) return load<T>(p);
    if (V > 1) return last.load(p, before[j - 1]);
    // Beyond the last number it is repeated.
    const char *end = p + (Simd<T>::lanes - spare - 2) * int64_t(sizeof(T));
    const T re = load_scalar<T>(end), im = load_scalar<T>(end + sizeof(T));
    IVec<T> turns;
    for (int i = 0; i < Simd<T>::lanes; ++i) turns[i] = i % 2 ? Simd<T>::lanes : 0;
    return last.load(p, __builtin_shuffle(splat(re), splat(im), turns));
  }
  FASTLA_INLINE void prefetch(int64_t) {}
  FASTLA_INLINE void wrap(int64_t) {}
  FASTLA_INLINE void advance() {
#pragma GCC unroll 8
    for (int g = 0; g < groups; ++g) a[g] += a_col;
    b += b_step;
  }
};

// (rr, ri), (ir, ii) -> (rr - ii, ri + ir). Conjugates turn signs: of what has im(a), of what has im(b).
template <class T> struct Join {
  IVec<T> of_re, of_im;
  FASTLA_INLINE explicit Join(const Block &block) {
    constexpr auto minus = typename Simd<T>::Int(typename Simd<T>::Int(1) << (8 * sizeof(T) - 1));
    const auto ri = block.conj_b ? minus : 0, ir = block.conj_a ? minus : 0,
               ii = block.conj_a == block.conj_b ? minus : 0;
    for (int i = 0; i < Simd<T>::lanes; ++i) {
      of_re[i] = i % 2 ? ri : 0;
      of_im[i] = i % 2 ? ir : ii;
    }
  }
  FASTLA_INLINE Vec<T> operator()(Vec<T> re, Vec<T> im) const {
    IVec<T> other;
    for (int i = 0; i < Simd<T>::lanes; ++i) other[i] = i ^ 1;
    return from_bits<T>(bits<T>(re) ^ of_re) +
           from_bits<T>(bits<T>(__builtin_shuffle(im, other)) ^ of_im);
  }
};

// C's numbers are apart: `sums`, `width` reals to a row.
template <class T, int width>
void put_apart(const Block &block, T *sums, int rows, int64_t i0, int64_t j0, int64_t n) {
  for (int i = 0; i < rows; ++i) {
    const char *total = block.total + (i0 + i) * block.total_stride + j0 * int64_t(sizeof(T));
    char *c = block.c + (i0 + i) * block.c_row_stride + j0 / 2 * block.c_col_stride;
    for (int64_t j = 0; j < n; ++j) {
      T sum = sums[i * width + j];
      if (!block.first) sum = load_scalar<T>(total + j * int64_t(sizeof(T))) + sum;
      store_scalar<T>(c + j / 2 * block.c_col_stride + j % 2 * int64_t(sizeof(T)), sum);
    }
  }
}

// block: as of reals, but for its rows; i0: of C's rows, j0 and n: of its reals.
template <class T, int MR, int V>
FASTLA_INLINE void finish_parts(const Block &block, const Tile<T, 2 * MR, V> &parts, int64_t i0,
                                int64_t j0, int64_t n) {
  Tile<T, MR, V> sums;
  const Join<T> join(block);
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < V; ++j) sums.acc[i][j] = join(parts.acc[2 * i][j], parts.acc[2 * i + 1][j]);
  if (!block.last || block.c_col_stride == sizeof(T)) return sums.finish(block, i0, j0, n);
  constexpr int width = V * Simd<T>::lanes;
  T buffer[MR * width];
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < V; ++j)
      store<T>(buffer + i * width + j * Simd<T>::lanes, Vec<T>{} + sums.acc[i][j]);
  put_apart<T, width>(block, buffer, MR, i0, j0, n);
}
template <class T, int MR, int V, class At>
FASTLA_INLINE void complex_tile(const Block &block, At at, int64_t i0, int64_t j0, int64_t n) {
  Tile<T, 2 * MR, V> parts;
  parts.zero();
  parts.run(block, at, i0, j0);
  finish_parts<T, MR, V>(block, parts, i0, j0, n);
}

template <class T, int MR, int NV, int V, bool sharing>
void complex_packed_tile(const Block &block, const char *a, const char *b, int64_t i0, int64_t j0,
                         int64_t n) {
  complex_tile<T, MR, V>(block, PackedAt<T, 2 * MR, NV, sharing>(a, b, block, 2 * i0, j0), i0, j0,
                         n);
}
template <class T, int MR, int V, bool whole>
void complex_direct_tile(const Block &block, const char *a, const char *b, int64_t i0, int64_t j0,
                         int64_t n) {
  complex_tile<T, MR, V>(block, ComplexAt<T, MR, V, whole>(a, b, block, n), i0, j0, n);
}

// Lines of a panel of W numbers a step, real part first: `lines` are real ones, the excess repeats the last.
template <class T, int W> void pack_numbers(const char *p, int64_t line, int64_t step, bool swapped,
                                            int lines, int64_t k, T *dst) {
  constexpr int64_t size = 2 * sizeof(T);
  const bool full = lines == W && !swapped;
  if constexpr (sizeof(T) == 4)  // a number is a float64 to be moved
    if (full && step == size) return pack_transposed<double, W>(p, line, k, (double *)dst);
  if (full && line == size) {
    for (int64_t s = 0; s < k; ++s) __builtin_memcpy(dst + s * 2 * W, p + s * step, W * size);
    return;
  }
  for (int64_t s = 0; s < k; ++s, p += step, dst += 2 * W)
    for (int i = 0; i < W; ++i) {
      const char *from = p + (i < lines ? i : lines - 1) * line;
      if (swapped) {
        dst[2 * i] = load_swapped<T>(from);
        dst[2 * i + 1] = load_swapped<T>(from + sizeof(T));
      } else {
        __builtin_memcpy(dst + 2 * i, from, size);
      }
    }
}

// Few rows of A against contiguous columns of B, which are transposed to L1 some steps at a time.
template <class T, int MR, int V> void complex_columns_tile(const Block &block, const char *a,
                                                            const char *b, int64_t i0, int64_t j0,
                                                            int64_t n) {
  constexpr int nr = V * Simd<T>::lanes / 2;
  constexpr int64_t most = 64;
  alignas(64) T panel[2 * nr * most];
  Block part = block;
  part.b_step = V * FASTLA_VECTOR_BYTES;
  Tile<T, 2 * MR, V> parts;
  parts.zero();
  for (int64_t k = 0; k < block.k; k += most) {
    const int64_t steps = block.k - k < most ? block.k - k : most;
    pack_numbers<T, nr>(b + k * block.b_step, block.b_col_stride, block.b_step, false, int(n / 2),
                        steps, panel);
    ComplexAt<T, MR, V, true> at(a + k * block.a_col_stride, reinterpret_cast<const char *>(panel),
                                 part, V * Simd<T>::lanes);
    parts.chain(steps, at);
  }
  finish_parts<T, MR, V>(block, parts, i0, j0, n);
}

template <class T, int MR, int NV> struct ComplexTiles {
  TileFn packed[NV + 1][MR + 1], sharing[MR + 1], direct[NV + 1][MR + 1];  // direct[0]: whole
  TileFn columns[NV + 1][MR + 1];
  template <int R, int V> constexpr void fill() {
    if constexpr (V > 0) {
      packed[V][R] = &complex_packed_tile<T, R, NV, V, false>;
      direct[V][R] = &complex_direct_tile<T, R, V, false>;
      columns[V][R] = &complex_columns_tile<T, R, V>;
      fill<R, V - 1>();
    } else {
      sharing[R] = &complex_packed_tile<T, R, NV, NV, true>;
      direct[0][R] = &complex_direct_tile<T, R, NV, true>;
      if constexpr (R > 1) fill<R - 1, NV>();
    }
  }
  constexpr ComplexTiles() : packed{}, sharing{}, direct{}, columns{} { fill<MR, NV>(); }

  TileFn choose(const Block &block, int64_t rows, int64_t n) const {
    constexpr int lanes = Simd<T>::lanes;
    const int64_t v = (n + lanes - 1) / lanes;
    if (block.down_columns) return columns[v][rows];
    if (!block.packed) return direct[n == NV * lanes ? 0 : v][rows];
    return block.b_share && v == NV ? sharing[rows] : packed[v][rows];
  }
};

// One row: as many vectors of B as leave registers for themselves, to read far along B's rows.
template <class T> struct ComplexRow {
  static constexpr int most = kManyRegisters ? 8 : 4;
  TileFn of[2][most + 1];  // of[1]: whole
  template <int V> constexpr void fill() {
    of[0][V] = &complex_direct_tile<T, 1, V, false>;
    of[1][V] = &complex_direct_tile<T, 1, V, true>;
    if constexpr (V > 1) fill<V - 1>();
  }
  constexpr ComplexRow() : of{} { fill<most>(); }

  void run(const Block &block) const {
    constexpr int64_t lanes = Simd<T>::lanes, width = most * lanes;
    for (int64_t j = 0; j < block.n; j += width) {
      const int64_t n = block.n - j < width ? block.n - j : width;
      of[n % lanes == 0][(n + lanes - 1) / lanes](block, block.a, block.b + j * int64_t(sizeof(T)),
                                                  0, j, n);
    }
  }
};

template <class T, int MR, int NV> void run_complex(const Block &block) {
  static constexpr ComplexTiles<T, MR, NV> tiles;
  static constexpr ComplexRow<T> row;
  constexpr int64_t size = 2 * sizeof(T);
  Block reals = block;
  reals.n *= 2;
  reals.upper *= 2;
  reals.down_columns = !block.packed && block.b_col_stride != size;
  if (reals.down_columns) reals.b_panel = NV * Simd<T>::lanes / 2 * block.b_col_stride;
  if (block.c_col_stride == size) reals.c_col_stride = sizeof(T);
  if (block.m == 1 && !block.packed && !reals.down_columns) return row.run(reals);
  run_tiles<T, NV>(reals, tiles, block.packed ? block.k * size : block.a_row_stride, 0);
}

template <class T, int MR> struct NumberPackers {
  void (*of[MR + 1])(const char *, int64_t, int64_t, bool, int, int64_t, T *);
  template <int R> constexpr void fill() {
    of[R] = &pack_numbers<T, R>;
    if constexpr (R > 1) fill<R - 1>();
  }
  constexpr NumberPackers() : of{} { fill<MR>(); }
};

template <class T, int MR>
void pack_complex_a(const Source &a, int64_t rows, int64_t panels, int64_t k, char *dst) {
  static constexpr NumberPackers<T, MR> packers;
  const fastla::Panels heights(rows, panels);
  const char *from = a.data;
  T *to = reinterpret_cast<T *>(dst);
  for (int64_t panel = 0; panel < panels; ++panel) {
    const int height = int(heights.height + (panel < heights.taller));
    packers.of[height](from, a.row_stride, a.col_stride, a.swapped, height, k, to);
    from += height * a.row_stride;
    to += 2 * height * k;
  }
}

template <class T, int NV>
void pack_complex_b(const Source &b, int64_t k, int64_t cols, int64_t depth, char *dst) {
  constexpr int nr = NV * Simd<T>::lanes / 2;
  T *const to = reinterpret_cast<T *>(dst);
  const int64_t whole = b.col_stride == 2 * sizeof(T) && !b.swapped ? cols / nr : 0;
  pack_together<T, 2 * nr>(b.data, b.row_stride, k, whole, 2 * nr * depth, to);
  for (int64_t j = whole * nr; j < cols; j += nr)
    pack_numbers<T, nr>(b.data + j * b.col_stride, b.col_stride, b.row_stride, b.swapped,
                        cols - j < nr ? int(cols - j) : nr, k, to + 2 * j * depth);
}

template <class T, int MR, int NV>
constexpr KernelRow make_complex_row(const char *isa, int dtype) {
  constexpr int chains = 12;
  KernelRow row{};
  row.isa = isa;
  row.dtype = dtype;
  row.element_size = row.input_size = row.output_size = 2 * sizeof(T);
  row.group = 1;
  row.mr = MR;
  row.nr = NV * Simd<T>::lanes / 2;
  row.vector_bytes = FASTLA_VECTOR_BYTES;
  row.pack_a = &pack_complex_a<T, MR>;
  row.pack_b = &pack_complex_b<T, NV>;
  row.block = &run_complex<T, MR, NV>;
  row.fma_loop = &fma_loop<T, chains>;
  row.fma_loop_flops = 2.0 * chains * Simd<T>::lanes;
  row.family = fastla::Family::complex;
  return row;
}

template <int MR, int NV> constexpr fastla::ComplexRows make_complex_rows(const char *isa) {
  return {{make_complex_row<float, MR, NV>(isa, FASTLA_C64),
           make_complex_row<double, MR, NV>(isa, FASTLA_C128)}};
}

}  // namespace
