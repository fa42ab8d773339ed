// The other half of a symmetric product.
#include "gemm/paths.hpp"
#include "runtime/parallel.hpp"

namespace fastla {
namespace {

constexpr int64_t kSquare = 32;  // rows and columns copied together: lines of both stay in L1

// Elements of so many bytes move as they are.
template <int size> struct Moved {
  char bytes[size];
  void conjugate() {}
};
// A conjugate is what the product would have: 0 has no sign.
template <class T> struct Conjugated {
  T re, im;
  void conjugate() { im = T(0) - im; }
};

template <class Element>
uint32_t mirror_elements(const Problem &p, int threads) noexcept {
  const int64_t n = p.m, squares = (n + kSquare - 1) / kSquare, rs = p.c_row_stride,
                cs = p.c_col_stride;
  const auto rows = [&](int64_t square, int) {  // of the lower triangle
    const int64_t end = smaller(n, (square + 1) * kSquare);
    for (int64_t j0 = 0; j0 <= square * kSquare; j0 += kSquare)
      for (int64_t i = square * kSquare; i < end; ++i)
        for (int64_t j = j0; j < smaller(i, j0 + kSquare); ++j) {
          Element x;
          __builtin_memcpy(&x, p.c + j * rs + i * cs, sizeof(x));
          x.conjugate();
          __builtin_memcpy(p.c + i * rs + j * cs, &x, sizeof(x));
        }
  };
  return parallel_for(squares, threads, rows);
}

}  // namespace

uint32_t mirror(const Plan &plan, const Problem &p) noexcept {
  const int threads = plan.threads;
  if (p.conj_a != p.conj_b)
    return plan.row->output_size == 8 ? mirror_elements<Conjugated<float>>(p, threads)
                                      : mirror_elements<Conjugated<double>>(p, threads);
  switch (plan.row->output_size) {
    case 1:
      return mirror_elements<Moved<1>>(p, threads);
    case 2:
      return mirror_elements<Moved<2>>(p, threads);
    case 4:
      return mirror_elements<Moved<4>>(p, threads);
    case 8:
      return mirror_elements<Moved<8>>(p, threads);
    default:
      return mirror_elements<Moved<16>>(p, threads);
  }
}

}  // namespace fastla
