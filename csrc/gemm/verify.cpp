// The random test of a product, C r = A (B r) for random signs r (R. Freivalds, 1977), with a bound for every row of
// floating-point numbers; docs/verify.md derives it.
#include "fastla/verify.h"

#include "fastla/runtime.h"
#include "gemm/row_sums.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

constexpr double kBlock = 512;  // of K; the contract's

// S. Vigna's splitmix64.
struct Random {
  uint64_t state;
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
};

template <class T> void draw_signs(Random *random, T *r, int64_t count) {
  uint64_t bits = 0;
  for (int64_t i = 0; i < count; ++i, bits >>= 1) {
    if (i % 64 == 0) bits = random->next();
    r[i] = bits & 1 ? T(1) : T(-1);
  }
}

// What is summed in T: unit roundoff, and the smallest number.
template <class T> constexpr double kUnit = sizeof(T) == 4 ? 0x1p-24 : 0x1p-53;
template <class T> constexpr double kTiny = sizeof(T) == 4 ? 0x1p-149 : 0x1p-1074;

struct Bound {
  double walk, drift, least;

  template <class Y> static Bound of(double k, double n) {
    using T = typename Y::T;
    const double tiny = __is_same(typename Y::A, Bfloat) ? 0x1p-126 : kTiny<T>;
    const double length = k < kBlock ? k : kBlock, blocks = k < kBlock ? 1 : k / kBlock;
    Bound b{4 * sqrt(1 / blocks + 1 / kBlock) * kUnit<T>,
            (2 * sqrt(length + blocks) + 8) * kUnit<T>, 4 * sqrt(Y::parts * k * n) * tiny};
    if (__is_same(typename Y::C, Half)) {  // one more rounding, of the finished sum
      b.drift += 3.5 * 0x1p-11;
      b.least += 2.5 * 0x1p-24 * sqrt(n);
    }
    if (__is_same(typename Y::C, Bfloat)) b.drift += 3.5 * 0x1p-8;
    return b;
  }
  double operator()(double a, double b, double c) const {
    return walk * a * b + (drift * c + least);
  }
};

// Scratch for one product: weights of C's columns (and of complex numbers' imaginary parts), B r, A (B r), norms of A.
template <class Y> struct Scratch {
  using T = typename Y::T;
  T *r, *imaginary, *x;
  Total<T> *y;
  double *norms;

  static int64_t bytes(const GemmDesc &d) {
    return (2 * d.n + d.k) * Y::parts * int64_t(sizeof(T)) + 64 +
           d.m * int64_t(sizeof(Total<T>) + 8) + d.k * 8;
  }
  Scratch(char *data, const GemmDesc &d) {
    norms = reinterpret_cast<double *>(data);
    y = reinterpret_cast<Total<T> *>(norms + (d.m > d.k ? d.m : d.k));
    r = reinterpret_cast<T *>(y + d.m);
    imaginary = r + d.n * Y::parts;
    x = imaginary + d.n * Y::parts;
  }
};

struct Result {
  double *difference, *bound;
};

double norm_of(const double *x, int64_t n) {
  double most = 0, sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (!(x[i] <= most)) most = x[i];
    if (most != most) return most;
  }
  if (most == 0 || most > 1.7e308) return most;
  for (int64_t i = 0; i < n; ++i) sum += x[i] / most * (x[i] / most);
  return most * sqrt(sum);
}

// The real part of C r = A (B r), of complex r with signs for parts: an error of one part of one element shifts it by
// just that error.
template <class Y> class FloatTest {
  using A = typename Y::A;
  using B = typename Y::B;
  using C = typename Y::C;
  using T = typename Y::T;
  static constexpr int parts = Y::parts;

 public:
  FloatTest(const GemmDesc &d, char *scratch, int threads)
      : d_(d), s_(scratch, d), threads_(threads), bound_(Bound::of<Y>(double(d.k), double(d.n))) {}

  void prepare(const Matrix &b, Random *random) {
    draw_signs(random, s_.r, d_.n * parts);
    double *norms = s_.norms;
    T *x = s_.x;
    if constexpr (parts == 1) {
      row_sums<B, T, 1, true>(b, d_.k, d_.n, s_.r, threads_,
                              [=](int64_t p, Total<T> sum, double norm) {
                                x[p] = T(sum.value);
                                norms[p] = norm;
                              });
    } else {
      // r holds (rho, -iota) for rho + i iota, as real parts take it; imaginary ones take (iota, rho).
      for (int64_t j = 0; j < d_.n; ++j) {
        s_.imaginary[2 * j] = -s_.r[2 * j + 1];
        s_.imaginary[2 * j + 1] = s_.r[2 * j];
      }
      row_sums<B, T, 2, true>(b, d_.k, d_.n, s_.r, threads_,
                              [=](int64_t p, Total<T> sum, double norm) {
                                x[2 * p] = T(sum.value);
                                norms[p] = norm;
                              });
      row_sums<B, T, 2, false>(
          b, d_.k, d_.n, s_.imaginary, threads_,
          [=](int64_t p, Total<T> sum, double) { x[2 * p + 1] = -T(sum.value); });
    }
    b_norm_ = norm_of(norms, d_.k);
  }

  void test(const Matrix &a, const Matrix &c, const Result &result) {
    Total<T> *y = s_.y;
    double *norms = s_.norms;
    row_sums<A, T, parts, true>(a, d_.m, d_.k, s_.x, threads_,
                                [=](int64_t i, Total<T> sum, double norm) {
                                  y[i] = sum;
                                  norms[i] = norm;
                                });
    row_sums<C, T, parts, true>(c, d_.m, d_.n, s_.r, threads_,
                                [=, this](int64_t i, Total<T> sum, double norm) {
                                  result.difference[i] = fabs(difference(sum, y[i]));
                                  result.bound[i] = bound_(norms[i], b_norm_, norm);
                                });
  }

 private:
  static double difference(const Total<T> &x, const Total<T> &y) {
    if constexpr (sizeof(T) == 4)
      return x.value - y.value;
    else
      return (x.value - y.value) + (x.rest - y.rest);
  }
  const GemmDesc &d_;
  Scratch<Y> s_;
  int threads_;
  Bound bound_;
  double b_norm_ = 0;
};

// Modulo 2^bits, twice: odd weights show any error of one element, and all weights some of those of more.
template <class Y> class IntegerTest {
  using T = typename Y::T;
  static constexpr T kMask = T(~T{0}) >> (sizeof(T) - sizeof(typename Y::C)) * 8;

 public:
  IntegerTest(const GemmDesc &d, char *scratch, int threads)
      : d_(d), s_(scratch, d), threads_(threads) {}

  void prepare(const Matrix &b, Random *random) {
    b_ = b;
    for (int64_t j = 0; j < d_.n; ++j) {
      s_.r[j] = T(random->next() | 1);
      s_.imaginary[j] = T(random->next());
    }
  }
  void test(const Matrix &a, const Matrix &c, const Result &result) {
    for (int64_t i = 0; i < d_.m; ++i) result.difference[i] = result.bound[i] = 0;
    for (const T *r : {s_.r, s_.imaginary}) {
      T *x = s_.x;
      Total<T> *y = s_.y;
      row_sums<typename Y::B, T, 1, false>(
          b_, d_.k, d_.n, r, threads_, [=](int64_t p, Total<T> sum, double) { x[p] = sum.value; });
      row_sums<typename Y::A, T, 1, false>(a, d_.m, d_.k, x, threads_,
                                           [=](int64_t i, Total<T> sum, double) { y[i] = sum; });
      row_sums<typename Y::C, T, 1, false>(c, d_.m, d_.n, r, threads_,
                                           [=](int64_t i, Total<T> sum, double) {
                                             if ((sum.value - y[i].value) & kMask)
                                               result.difference[i] = 1;
                                           });
    }
  }

 private:
  const GemmDesc &d_;
  Scratch<Y> s_;
  int threads_;
  Matrix b_{};
};

template <class Test>
void test_stack(const GemmDesc &d, Test &&test, uint64_t seed, Result result) {
  Random random{seed};
  int64_t count = 1;
  for (int i = 0; i < d.batch_ndim; ++i) count *= d.batch_shape[i];
  const void *prepared = nullptr;
  for (int64_t item = 0; item < count; ++item) {
    Matrix a = d.a, b = d.b, c{d.c, d.c_row_stride, d.c_col_stride, 0};
    const auto move = [](Matrix *x, int64_t by) {
      x->data = static_cast<const char *>(x->data) + by;
    };
    int64_t rest = item;
    for (int i = d.batch_ndim - 1; i >= 0; --i) {
      const int64_t at = rest % d.batch_shape[i];
      rest /= d.batch_shape[i];
      move(&a, at * d.a_batch_strides[i]);
      move(&b, at * d.b_batch_strides[i]);
      move(&c, at * d.c_batch_strides[i]);
    }
    if (item == 0 || b.data != prepared) test.prepare(b, &random);
    prepared = b.data;
    test.test(a, c, result);
    result.difference += d.m;
    result.bound += d.m;
  }
}

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" fastla_status fastla_check_rows(const fastla_gemm_desc *desc, uint64_t seed,
                                           double *difference, double *bound) {
  if (!desc || desc->struct_size < sizeof(*desc) || desc->m < 0 || desc->n < 0 || desc->k < 0 ||
      desc->batch_ndim < 0 || desc->epilogue || desc->packed_b)
    return FASTLA_INVALID;
  const FpScope scope;
  return with_types(desc->dtype, [&](auto types) {
    using Y = decltype(types);
    // Below 1 MB or so a thread alone is done before others have come.
    const double elements = double(desc->m) * double(desc->k) + double(desc->k) * double(desc->n) +
                            double(desc->m) * double(desc->n);
    const int wanted = desc->num_threads ? desc->num_threads : fastla_get_num_threads();
    const int threads = elements < 3e5 ? 1 : wanted;
    const Workspace scratch{size_t(Scratch<Y>::bytes(*desc))};
    if (!scratch.data()) return FASTLA_NO_MEMORY;
    const Result result{difference, bound};
    if constexpr (typename Y::T(0.5) != 0)
      test_stack(*desc, FloatTest<Y>(*desc, scratch.data(), threads), seed, result);
    else
      test_stack(*desc, IntegerTest<Y>(*desc, scratch.data(), threads), seed, result);
    return FASTLA_OK;
  });
}
