// The other half of a symmetric product.
#include "gemm/paths.hpp"
#include "runtime/parallel.hpp"

namespace fastla {
namespace {

constexpr int64_t kSquare = 32;  // rows and columns copied together: lines of both stay in L1

typedef int32_t Four __attribute__((vector_size(16)));
typedef int64_t Two __attribute__((vector_size(16)));
template <class V> V load(const char *p) {
  V v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

// How elements move: one to its place; a small square of contiguous rows to where its transpose goes.
template <int size> struct Move {
  static constexpr int side = size == 4 || size == 8 ? 16 / size : 1;
  static void one(const char *from, char *to) { __builtin_memcpy(to, from, size); }
  static void square(const char *from, int64_t from_row, char *to, int64_t to_row) {
    if constexpr (size == 4) {
      using V = Four;
      V r[4];
      for (int i = 0; i < 4; ++i) r[i] = load<V>(from + i * from_row);
      const V a = __builtin_shuffle(r[0], r[1], V{0, 4, 1, 5}),
              b = __builtin_shuffle(r[0], r[1], V{2, 6, 3, 7}),
              c = __builtin_shuffle(r[2], r[3], V{0, 4, 1, 5}),
              d = __builtin_shuffle(r[2], r[3], V{2, 6, 3, 7});
      const V turned[4] = {
          __builtin_shuffle(a, c, V{0, 1, 4, 5}), __builtin_shuffle(a, c, V{2, 3, 6, 7}),
          __builtin_shuffle(b, d, V{0, 1, 4, 5}), __builtin_shuffle(b, d, V{2, 3, 6, 7})};
      for (int i = 0; i < 4; ++i) __builtin_memcpy(to + i * to_row, &turned[i], 16);
    } else if constexpr (size == 8) {
      using V = Two;
      const V a = load<V>(from), b = load<V>(from + from_row);
      const V first = __builtin_shuffle(a, b, V{0, 2}), second = __builtin_shuffle(a, b, V{1, 3});
      __builtin_memcpy(to, &first, 16);
      __builtin_memcpy(to + to_row, &second, 16);
    } else {
      one(from, to);
    }
  }
};
// A conjugate is what the product would have: 0 has no sign.
template <class T> struct Conjugate {
  static constexpr int side = 1;
  static void one(const char *from, char *to) {
    T x[2];
    __builtin_memcpy(x, from, sizeof(x));
    x[1] = T(0) - x[1];
    __builtin_memcpy(to, x, sizeof(x));
  }
  static void square(const char *from, int64_t, char *to, int64_t) { one(from, to); }
};

// Rows [i0, i1) of the lower triangle, columns [j0, j1) of it.
template <class Element>
void mirror_square(const Problem &p, int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t size) {
  const int64_t rs = p.c_row_stride, cs = p.c_col_stride;
  constexpr int side = Element::side;
  const bool whole = j1 <= i0 && cs == size && (i1 - i0) % side == 0 && (j1 - j0) % side == 0;
  if (whole) {
    for (int64_t i = i0; i < i1; i += side)
      for (int64_t j = j0; j < j1; j += side)
        Element::square(p.c + j * rs + i * cs, rs, p.c + i * rs + j * cs, rs);
    return;
  }
  for (int64_t i = i0; i < i1; ++i)
    for (int64_t j = j0; j < smaller(i, j1); ++j)
      Element::one(p.c + j * rs + i * cs, p.c + i * rs + j * cs);
}

template <class Element> uint32_t mirror_all(const Plan &plan, const Problem &p) noexcept {
  const int64_t n = p.m, squares = (n + kSquare - 1) / kSquare;
  return parallel_for(squares, plan.threads, [&](int64_t square, int) {
    const int64_t begin = square * kSquare, end = smaller(n, begin + kSquare);
    for (int64_t j = 0; j <= begin; j += kSquare)
      mirror_square<Element>(p, begin, end, j, smaller(n, j + kSquare), plan.row->output_size);
  });
}

}  // namespace

uint32_t mirror(const Plan &plan, const Problem &p) noexcept {
  const int64_t size = plan.row->output_size;
  if (p.conj_a != p.conj_b)
    return size == 8 ? mirror_all<Conjugate<float>>(plan, p)
                     : mirror_all<Conjugate<double>>(plan, p);
  switch (size) {
    case 1:
      return mirror_all<Move<1>>(plan, p);
    case 2:
      return mirror_all<Move<2>>(plan, p);
    case 4:
      return mirror_all<Move<4>>(plan, p);
    case 8:
      return mirror_all<Move<8>>(plan, p);
    default:
      return mirror_all<Move<16>>(plan, p);
  }
}

}  // namespace fastla
