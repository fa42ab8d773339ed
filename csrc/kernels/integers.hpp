// The generic source of the rows for integers. Their sums are exact modulo the chains' 2^32 or 2^64, in any order: large
// products are packed, as words; small ones, and those of a vector, are loops that the compiler vectorises.
#pragma once
#include "kernels/pack_words.hpp"
#include "kernels/rows.hpp"
#include "kernels/tables.hpp"

namespace {

// Operands and C in place, with any strides; A and B in native byte order.
template <class InA, class InB, class Sum, class Out> struct Loops {
  typedef InA A __attribute__((aligned(1), may_alias));
  typedef InB B __attribute__((aligned(1), may_alias));
  static constexpr int64_t together = 4096 / sizeof(Sum);  // columns
  static constexpr int64_t kFew = 16;

  // (Numbers of 16 bits multiply as signed ones of 32.)
  static FASTLA_INLINE Sum product(Sum x, Sum y) {
    if constexpr (sizeof(Sum) < 4)
      return Sum(uint32_t(x) * uint32_t(y));
    else
      return x * y;
  }

  // Rows of B contiguous, four at a time.
  static void by_columns(const Block &block, const char *a, int64_t j0, int64_t n, Sum *sums) {
    for (int64_t j = 0; j < n; ++j) sums[j] = 0;
    const char *b = block.b + j0 * int64_t(sizeof(InB));
    const int64_t a_step = block.a_col_stride, b_step = block.b_step;
    const auto x = [&](int i) { return Sum(*reinterpret_cast<const A *>(a + i * a_step)); };
    const auto y = [&](int i) { return reinterpret_cast<const B *>(b + i * b_step); };
    int64_t k = 0;
    for (; k + 4 <= block.k; k += 4, a += 4 * a_step, b += 4 * b_step) {
      const Sum x0 = x(0), x1 = x(1), x2 = x(2), x3 = x(3);
      const B *const y0 = y(0), *const y1 = y(1), *const y2 = y(2), *const y3 = y(3);
      for (int64_t j = 0; j < n; ++j) {
        const Sum low = Sum(product(x0, Sum(y0[j])) + product(x1, Sum(y1[j])));
        const Sum high = Sum(product(x2, Sum(y2[j])) + product(x3, Sum(y3[j])));
        sums[j] = Sum(sums[j] + Sum(low + high));
      }
    }
    for (; k < block.k; ++k, a += a_step, b += b_step) {
      const Sum x0 = x(0);
      const B *const y0 = y(0);
      for (int64_t j = 0; j < n; ++j) sums[j] = Sum(sums[j] + product(x0, Sum(y0[j])));
    }
  }
  // Rows of A and columns of B contiguous, or else.
  static Sum dot(const Block &block, const char *a, const char *b) {
    Sum sum = 0;
    if (block.k > kFew && block.a_col_stride == sizeof(InA) && block.b_step == sizeof(InB)) {
      const A *const x = reinterpret_cast<const A *>(a);
      const B *const y = reinterpret_cast<const B *>(b);
      for (int64_t k = 0; k < block.k; ++k) sum = Sum(sum + product(Sum(x[k]), Sum(y[k])));
    } else {
      for (int64_t k = 0; k < block.k; ++k, a += block.a_col_stride, b += block.b_step)
        sum = Sum(sum + product(Sum(*reinterpret_cast<const A *>(a)),
                                Sum(*reinterpret_cast<const B *>(b))));
    }
    return sum;
  }

  static void run(const Block &block) {
    Sum sums[together];
    const bool down = block.a_col_stride == sizeof(InA) && block.b_step == sizeof(InB);
    // Few columns are not worth what vectors of them take to begin and to end.
    const bool along =
        block.b_col_stride == sizeof(InB) && !(down && block.n == 1) && block.n * block.k > kFew;
    for (int64_t i = 0; i < block.m; ++i) {
      const char *const a = block.a + i * block.a_row_stride;
      for (int64_t j0 = 0; j0 < block.n; j0 += together) {
        const int64_t n = block.n - j0 < together ? block.n - j0 : together;
        if (along)
          by_columns(block, a, j0, n, sums);
        else
          for (int64_t j = 0; j < n; ++j)
            sums[j] = dot(block, a, block.b + (j0 + j) * block.b_col_stride);
        char *const c = block.c + i * block.c_row_stride + j0 * block.c_col_stride;
        put_lower<Out>(sums, c, block.c_col_stride, n);
      }
    }
  }
};

template <class T, int MR, int NV> void run_words(const Block &block) {
  static constexpr PackedTiles<T, MR, NV> tiles;
  run_tiles<T, NV>(block, tiles, (block.k + kRowStarts<T>)*int64_t(sizeof(T)), 0);
}
template <class InA, class InB, class T, class Out, int MR, int NV>
void run_integers(const Block &block) {
  // Chains of the lowest bits alone are as good, and more of them fit in a vector.
  if (block.packed)
    run_words<T, MR, NV>(block);
  else
    Loops<InA, InB, Out, Out>::run(block);
}

// What a row for integers is of: elements of A and B, a word of them, and elements of C.
template <class A_, class B_, class T_, class Out_, uint32_t flip_ = 0, int start_ = 0>
struct Integers {
  using A = A_;
  using B = B_;
  using T = T_;
  using Out = Out_;
  static constexpr uint32_t flip = flip_;
  static constexpr int start = start_;
};

template <class Kind, int MR, int NV>
constexpr KernelRow make_integer_row(const char *isa, int dtype) {
  using T = typename Kind::T;
  using A = typename Kind::A;
  using B = typename Kind::B;
  using Out = typename Kind::Out;
  static_assert(sizeof(A) == sizeof(B));
  constexpr int chains = Chain<T>::apart ? 24 : 12;
  KernelRow row{};
  row.isa = isa;
  row.dtype = dtype;
  row.element_size = sizeof(T);
  row.input_size = sizeof(A);
  row.output_size = sizeof(Out);
  row.group = kGroup<T>;
  row.a_head = kRowStarts<T>;
  row.mr = MR;
  row.nr = NV * Simd<T>::lanes;
  row.vector_bytes = FASTLA_VECTOR_BYTES;
  row.pack_a = &pack_words_a<A, T, MR, Kind::start>;
  row.pack_b = &pack_words_b<B, T, Kind::flip, NV>;
  row.block = &run_integers<A, B, T, Out, MR, NV>;
  row.fma_loop = &fma_loop<T, chains>;
  row.fma_loop_flops = 2.0 * chains * Simd<T>::lanes * kGroup<T>;
  row.family = fastla::Family::integers;
  return row;
}

// 8 bits. The instruction for four of them takes unsigned ones of one operand and signed ones of the other. Where both
// are signed B becomes unsigned, b + 128 (its upper bit flips), and each chain begins with -128 times the sum of its row
// of A; both unsigned: b - 128, and 128 times. The lowest 8 bits of a product are the same for all.
#if defined(__AVX512VNNI__)
using Wrapped8 = Integers<int8_t, int8_t, QuadS, uint8_t>;
using Signed8 = Integers<int8_t, int8_t, QuadS, uint32_t, 0x80808080u, -128>;
using Unsigned8 = Integers<uint8_t, uint8_t, QuadU, uint32_t, 0x80808080u, 128>;
using SignedUnsigned8 = Integers<int8_t, uint8_t, QuadS, uint32_t>;
using UnsignedSigned8 = Integers<uint8_t, int8_t, QuadU, uint32_t>;
#else
using Wrapped8 = Integers<int8_t, int8_t, Pair, uint8_t>;
using Signed8 = Integers<int8_t, int8_t, Pair, uint32_t>;
using Unsigned8 = Integers<uint8_t, uint8_t, Pair, uint32_t>;
using SignedUnsigned8 = Integers<int8_t, uint8_t, Pair, uint32_t>;
using UnsignedSigned8 = Integers<uint8_t, int8_t, Pair, uint32_t>;
#endif

// MR x NV vectors: tiles of words that one instruction multiplies and adds; of others, whose products need registers,
// PR x PV.
template <int MR, int NV, int PR, int PV>
constexpr fastla::IntegerRows make_integer_rows(const char *isa) {
  return {
      {make_integer_row<Wrapped8, MR, NV>(isa, FASTLA_I8),
       make_integer_row<Integers<int16_t, int16_t, Pair, uint16_t>, MR, NV>(isa, FASTLA_I16),
       make_integer_row<Integers<int32_t, int32_t, uint32_t, uint32_t>, PR, PV>(isa, FASTLA_I32),
       make_integer_row<Integers<int64_t, int64_t, uint64_t, uint64_t>, PR, PV>(isa, FASTLA_I64),
       make_integer_row<Signed8, MR, NV>(isa, FASTLA_S8_I32),
       make_integer_row<Unsigned8, MR, NV>(isa, FASTLA_U8_I32),
       make_integer_row<SignedUnsigned8, MR, NV>(isa, FASTLA_S8U8_I32),
       make_integer_row<UnsignedSigned8, MR, NV>(isa, FASTLA_U8S8_I32),
       make_integer_row<Integers<int16_t, int16_t, Pair, uint32_t>, MR, NV>(isa, FASTLA_S16_I32)}};
}

}  // namespace
