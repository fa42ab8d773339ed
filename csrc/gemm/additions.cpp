// The passes as loops over rows that the compiler vectorises. Memory is what they wait for: the vectors of the
// platform's baseline will do.
#include "gemm/additions.hpp"

#include <type_traits>
#include <utility>

#include "fastla/gemm.h"
#include "gemm/plan_parts.hpp"
#include "runtime/parallel.hpp"

#if defined(__clang__)
#define FASTLA_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define FASTLA_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace fastla {
namespace {

using Run = Additions::Run;

// Rows are handed out so many bytes of one matrix at a time.
constexpr int64_t kTaskBytes = int64_t{128} << 10;

void transpose(Rect &r) { std::swap(r.row_stride, r.col_stride); }

// body(i) for every row.
template <class Body> void for_rows(const Run &run, int64_t row_bytes, Body body) {
  const int64_t some = clamp(kTaskBytes / row_bytes, 1, run.rows);
  *run.flags |= parallel_for(ceil_div(run.rows, some), run.threads, [=](int64_t task, int) {
    const int64_t end = smaller(run.rows, (task + 1) * some);
    for (int64_t i = task * some; i < end; ++i) body(i);
  });
}

// Hardware asks for the lines that follow in a page, and each row of a matrix is in others. (An address that is none does
// no harm.)
constexpr int64_t kAhead = 512;
void ask(const char *x, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(x + i);
}

template <class T> T product(T x, T y) {
  if constexpr (std::is_integral_v<T> && sizeof(T) < 4)
    return T(uint32_t(x) * uint32_t(y));  // those of 16 bits would multiply as signed ones of 32
  else
    return x * y;
}

template <class T> struct Passes {
  typedef T E __attribute__((aligned(1), may_alias));
  static constexpr int64_t size = sizeof(T);

  static char *at(const Rect &r, int64_t i, int64_t j) {
    return r.data + i * r.row_stride + j * r.col_stride;
  }
  static E &element(char *x, int64_t j = 0) { return reinterpret_cast<E *>(x)[j]; }

  template <class Body, class... Char> static void along_row(int64_t count, Body body, Char *...x) {
    FASTLA_INDEPENDENT
    for (int64_t j = 0; j < count; ++j) body(element(x, j)...);
  }

  // body(x...) for each element of all the matrices. None depends on another one, whichever matrices are the same.
  template <class Body, class... Rects> static void for_each(Run run, Body body, Rects... rects) {
    if (!((rects.col_stride == size) && ...) && ((rects.row_stride == size) && ...)) {
      (transpose(rects), ...);
      std::swap(run.rows, run.cols);
    }
    const bool contiguous = ((rects.col_stride == size) && ...);
    for_rows(run, run.cols * size, [=](int64_t i) {
      if (contiguous)
        for (int64_t j = 0; j < run.cols; j += kAhead / size) {
          const int64_t some = smaller(kAhead / size, run.cols - j);
          (ask(at(rects, i + 1, j), some * size), ...);
          along_row(some, body, at(rects, i, j)...);
        }
      else
        for (int64_t j = 0; j < run.cols; ++j) body(element(at(rects, i, j))...);
    });
  }

  static void sum(const Run &run, Rect d, Sum how, const Rect *x) {
    switch (how) {
      case Sum::none:
        return;
      case Sum::plus:
        return for_each(run, [](E &to, E &a, E &b) { to = T(a + b); }, d, x[0], x[1]);
      case Sum::minus:
        return for_each(run, [](E &to, E &a, E &b) { to = T(a - b); }, d, x[0], x[1]);
      case Sum::s2:
        return for_each(
            run, [](E &to, E &a, E &b, E &c) { to = T(T(a + b) - c); }, d, x[0], x[1], x[2]);
      case Sum::s4:
        return for_each(
            run, [](E &to, E &a, E &b, E &c, E &e) { to = T(e - T(T(a + b) - c)); }, d, x[0], x[1],
            x[2], x[3]);
      case Sum::t2:
        return for_each(
            run, [](E &to, E &a, E &b, E &c) { to = T(c - T(a - b)); }, d, x[0], x[1], x[2]);
      case Sum::t4:
        return for_each(
            run, [](E &to, E &a, E &b, E &c, E &e) { to = T(T(c - T(a - b)) - e); }, d, x[0], x[1],
            x[2], x[3]);
    }
  }
  static void combine(const Run &run, Rect p1, Rect p6, Rect p7, Rect p5, Rect p3) {
    const auto sums = [](E &one, E &six, E &seven, E &five, E &three) {
      const T u2 = T(one + six), u3 = T(u2 + seven), last = five;
      six = T(T(u2 + last) + three);
      seven = u3;
      five = T(u3 + last);
    };
    for_each(run, sums, p1, p6, p7, p5, p3);
  }
  static void add_products(const Run &given, Rect c, Rect a, Rect b, int64_t depth) {
    Run run = given;
    if (c.col_stride != size && c.row_stride == size) {  // C^T = B^T A^T
      std::swap(run.rows, run.cols);
      std::swap(a, b);
      for (Rect *r : {&a, &b, &c}) transpose(*r);
    }
    const bool contiguous = c.col_stride == size && b.col_stride == size;
    for_rows(run, run.cols * size, [=](int64_t i) {
      for (int64_t p = 0; p < depth; ++p) {
        const T x = element(at(a, i, p));
        const auto add_to = [x](E &sum, E &y) { sum = T(sum + product<T>(x, y)); };
        if (contiguous)
          along_row(run.cols, add_to, at(c, i, 0), at(b, p, 0));
        else
          for (int64_t j = 0; j < run.cols; ++j) add_to(element(at(c, i, j)), element(at(b, p, j)));
      }
    });
  }
  static constexpr Additions all{&sum, &combine, &add_products};
};

}  // namespace

Rect laid_out(char *data, int64_t rows, int64_t cols, int64_t size, const Rect &like) noexcept {
  if (like.row_stride == size && like.col_stride != size)
    return {data, size, padded_row(rows * size)};
  return {data, padded_row(cols * size), size};
}

const Additions &no_additions() noexcept {
  static constexpr Additions none{[](const Run &, Rect, Sum, const Rect *) {},
                                  [](const Run &, Rect, Rect, Rect, Rect, Rect) {},
                                  [](const Run &, Rect, Rect, Rect, int64_t) {}};
  return none;
}

const Additions &additions_of(int dtype) noexcept {
  switch (dtype) {
    case FASTLA_F32:
      return Passes<float>::all;
    case FASTLA_F64:
      return Passes<double>::all;
    case FASTLA_I8:
      return Passes<uint8_t>::all;
    case FASTLA_I16:
      return Passes<uint16_t>::all;
    case FASTLA_I32:
      return Passes<uint32_t>::all;
    default:
      return Passes<uint64_t>::all;
  }
}

}  // namespace fastla
