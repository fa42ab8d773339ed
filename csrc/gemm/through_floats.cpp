// A look at the operands costs an OR for each element, converting them and the result a few bytes moved; the product then
// takes what one of float64, or float32, takes: no CPU multiplies 64-bit integers at that rate.
#include "gemm/through_floats.hpp"

#include "fastla/runtime.h"
#include "gemm/plan_parts.hpp"
#include "runtime/cpu.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

// Multiply-adds for each element of A, B and C, from which on converting them all is paid for.
constexpr double kIntensity = 60;
// Magnitudes of all sums stay below 2^this. (float64: what adding a constant converts.)
constexpr int kBits32 = 24, kBits64 = 51;
constexpr int64_t kRowsPerTask = 16;

// A matrix as rows that are contiguous if they can be.
struct Lines {
  char *data;
  int64_t lines, length, line_stride, step;
  Lines(const void *p, int64_t rows, int64_t cols, int64_t row_stride, int64_t col_stride,
        int64_t size)
      : data(static_cast<char *>(const_cast<void *>(p))) {
    const bool down = row_stride == size && col_stride != size;
    lines = down ? cols : rows;
    length = down ? rows : cols;
    line_stride = down ? col_stride : row_stride;
    step = down ? row_stride : col_stride;
  }
  template <class Body> void for_each(int threads, Body &&body) const {
    const int64_t tasks = threads == 1 ? 1 : ceil_div(lines, kRowsPerTask);
    parallel_for(tasks, threads, [&](int64_t task, int) {
      const Range some = part_of(lines, 1, tasks, task);
      for (int64_t i = some.begin; i < some.end; ++i) body(i, data + i * line_stride);
    });
  }
};

template <class T> T element(const char *p) {
  T x;
  __builtin_memcpy(&x, p, sizeof(x));
  return x;
}

// No magnitude is larger than 2^this.
template <class T> int bits_of(const Lines &m) {
  uint64_t all = 0;
  for (int64_t i = 0; i < m.lines && !(all >> kBits64); ++i) {
    const char *p = m.data + i * m.line_stride;
    T some = 0;
    if (m.step == sizeof(T))
      for (int64_t j = 0; j < m.length; ++j) {
        const T x = element<T>(p + j * int64_t(sizeof(T)));
        some |= x ^ (x >> (8 * sizeof(T) - 1));
      }
    else
      for (int64_t j = 0; j < m.length; ++j) {
        const T x = element<T>(p + j * m.step);
        some |= x ^ (x >> (8 * sizeof(T) - 1));
      }
    all |= uint64_t(some);
  }
  return all ? 64 - __builtin_clzll(all) : 0;
}

// Adding it to an integer of 51 bits, as integers, makes the bits of a float64 that is larger by kShift.
constexpr int64_t kMagic = 0x4338000000000000;
constexpr double kShift = 6755399441055744.0;
double to_double(int64_t x) {
  const int64_t bits = x + kMagic;
  double y;
  __builtin_memcpy(&y, &bits, 8);
  return y - kShift;
}
int64_t to_integer(double x) {
  const double y = x + kShift;
  int64_t bits;
  __builtin_memcpy(&bits, &y, 8);
  return bits - kMagic;
}

template <class T, class F> void convert(F *to, const char *from, int64_t step, int64_t length) {
  const auto one = [](T x) {
    if constexpr (sizeof(F) == 4)
      return F(int32_t(x));
    else
      return to_double(int64_t(x));
  };
  if (step == sizeof(T))
    for (int64_t j = 0; j < length; ++j) to[j] = one(element<T>(from + j * int64_t(sizeof(T))));
  else
    for (int64_t j = 0; j < length; ++j) to[j] = one(element<T>(from + j * step));
}
template <class T, class F>
void convert_back(char *to, const F *from, int64_t step, int64_t length) {
  for (int64_t j = 0; j < length; ++j) {
    T x;
    if constexpr (sizeof(F) == 4)
      x = T(int32_t(from[j]));
    else
      x = T(to_integer(from[j]));
    __builtin_memcpy(to + j * step, &x, sizeof(x));
  }
}

// Calls body with values of the integers' and the floats' type.
template <class Body> void with_types(const GemmDesc &d, int float_dtype, Body &&body) {
  if (d.dtype == FASTLA_I32)
    body(int32_t(), float());
  else if (float_dtype == FASTLA_F32)
    body(int64_t(), float());
  else
    body(int64_t(), double());
}

int64_t float_size(int dtype) { return dtype == FASTLA_F32 ? 4 : 8; }

// A copy of rows x cols in the order of its lines.
fastla_matrix copy_of(const fastla_matrix &m, int64_t rows, int64_t cols, int64_t size, char *at,
                      int64_t float_bytes) {
  const bool down = m.row_stride == size && m.col_stride != size;
  return {at, down ? float_bytes : cols * float_bytes, down ? rows * float_bytes : float_bytes, 0};
}

// FASTLA_F32 or FASTLA_F64, or -1.
int float_dtype(const GemmDesc &d, const KernelRow &row) noexcept {
  if (d.dtype != FASTLA_I32 && d.dtype != FASTLA_I64) return -1;
  // Without fused multiply-adds there is nothing to be won; and few 32-bit multipliers are slower than float32.
  const bool wide = row.vector_bytes == 64, amd = cpu().amd;
  if (row.vector_bytes < 32 || (d.dtype == FASTLA_I32 && wide && amd)) return -1;
  if (d.batch_ndim || d.a.swapped || d.b.swapped || d.flags) return -1;
  const double m = double(d.m), n = double(d.n), k = double(d.k);
  if (m * n * k < kIntensity * (m * k + k * n + m * n)) return -1;
  int bits = 0;  // k is no larger than 2^this; then k products, ...
  while ((int64_t{1} << bits) < d.k) ++bits;
  const int64_t size = row.input_size;
  const Lines a(d.a.data, d.m, d.k, d.a.row_stride, d.a.col_stride, size),
      b(d.b.data, d.k, d.n, d.b.row_stride, d.b.col_stride, size);
  for (const Lines &x : {a, b}) {
    if (bits >= kBits64) return -1;
    bits += d.dtype == FASTLA_I32 ? bits_of<int32_t>(x) : bits_of<int64_t>(x);
  }
  if (bits <= kBits32) return FASTLA_F32;
  // 64-bit products take AVX-512 one instruction of three parts on Intel's CPUs, of one on AMD's.
  return d.dtype == FASTLA_I64 && bits <= kBits64 && !(wide && amd) ? FASTLA_F64 : -1;
}

// The operands as floating-point numbers, in scratch, and back.
class FloatProduct {
 public:
  FloatProduct(const GemmDesc &desc, int dtype, int threads) noexcept
      : desc_(desc),
        floats_(desc),
        threads_(threads),
        a_bytes_(round_up(desc.m * desc.k * float_size(dtype), 4096)),
        b_bytes_(round_up(desc.k * desc.n * float_size(dtype), 4096)),
        scratch_(size_t(a_bytes_ + b_bytes_ + desc.m * desc.n * float_size(dtype))) {
    const int64_t size = float_size(dtype), given = desc.dtype == FASTLA_I32 ? 4 : 8;
    floats_.dtype = dtype;
    floats_.num_threads = threads;
    char *const at = scratch_.data();
    if (!at) return;
    floats_.a = copy_of(desc.a, desc.m, desc.k, given, at, size);
    floats_.b = copy_of(desc.b, desc.k, desc.n, given, at + a_bytes_, size);
    floats_.c = at + a_bytes_ + b_bytes_;
    floats_.c_row_stride = desc.n * size;
    floats_.c_col_stride = size;
  }
  bool has_memory() const { return scratch_.data(); }
  const GemmDesc &floats() const { return floats_; }

  void convert_operands() noexcept {
    const auto both = [&](auto integer, auto real) {
      using T = decltype(integer);
      using F = decltype(real);
      const auto one = [&](const fastla_matrix &from, const fastla_matrix &to, int64_t rows,
                           int64_t cols) {
        const Lines lines(from.data, rows, cols, from.row_stride, from.col_stride, sizeof(T));
        auto *const out = static_cast<F *>(const_cast<void *>(to.data));
        lines.for_each(threads_, [&](int64_t i, const char *p) {
          convert<T, F>(out + i * lines.length, p, lines.step, lines.length);
        });
      };
      one(desc_.a, floats_.a, desc_.m, desc_.k);
      one(desc_.b, floats_.b, desc_.k, desc_.n);
    };
    with_types(desc_, floats_.dtype, both);
  }
  void convert_result() noexcept {
    with_types(desc_, floats_.dtype, [&](auto integer, auto real) {
      using T = decltype(integer);
      using F = decltype(real);
      const auto *const from = static_cast<const F *>(floats_.c);
      const int64_t tasks = threads_ == 1 ? 1 : ceil_div(desc_.m, kRowsPerTask);
      parallel_for(tasks, threads_, [&](int64_t task, int) {
        const Range some = part_of(desc_.m, 1, tasks, task);
        for (int64_t i = some.begin; i < some.end; ++i) {
          char *to = static_cast<char *>(desc_.c) + i * desc_.c_row_stride;
          if (desc_.c_col_stride == sizeof(T))
            convert_back<T, F>(to, from + i * desc_.n, sizeof(T), desc_.n);
          else
            convert_back<T, F>(to, from + i * desc_.n, desc_.c_col_stride, desc_.n);
        }
      });
    });
  }

 private:
  const GemmDesc &desc_;
  GemmDesc floats_;
  int threads_;
  int64_t a_bytes_, b_bytes_;
  Workspace scratch_;
};

}  // namespace

bool compute_through_floats(const GemmDesc &desc, const KernelRow &row,
                            fastla_status (*run)(const GemmDesc &, uint32_t *),
                            uint32_t *raised) noexcept {
  const int dtype = float_dtype(desc, row);
  if (dtype < 0) return false;
  FloatProduct product(desc, dtype, desc.num_threads ? desc.num_threads : fastla_get_num_threads());
  if (!product.has_memory()) return false;
  product.convert_operands();
  if (run(product.floats(), raised) != FASTLA_OK) return false;
  product.convert_result();
  return true;
}

}  // namespace fastla
