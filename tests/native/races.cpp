// Products on several threads, from several callers and after a fork, each compared with one thread's bits:
// for ThreadSanitizer (make sanitize), which needs a program without an uninstrumented interpreter around it.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "fastla/gemm.h"
#include "fastla/runtime.h"

namespace {

struct Shape {
  int64_t m, n, k;
};
// Strips, tasks in place, streamed columns, shared blocks of K, one row, a stack.
constexpr Shape kShapes[] = {{300, 280, 600}, {150, 130, 140}, {4, 900, 700},
                             {3, 5, 90000},   {1, 3000, 400},  {20, 20, 2500}};

std::vector<float> numbers(int64_t count, uint32_t seed) {
  std::vector<float> x(static_cast<size_t>(count));
  for (float &v : x) {
    seed = seed * 1664525 + 1013904223;
    v = static_cast<float>(static_cast<int32_t>(seed)) * 0x1p-31f;
  }
  return x;
}

class Product {
 public:
  Product(Shape s, int32_t path, int64_t stack)
      : s_(s),
        path_(path),
        stack_(stack),
        a_(numbers(stack * s.m * s.k, 1)),
        b_(numbers(s.k * s.n, 2)),
        want_(compute(1)) {}

  bool agrees(int32_t threads) const {
    const std::vector<float> got = compute(threads);
    if (std::memcmp(got.data(), want_.data(), got.size() * sizeof(float)) == 0) return true;
    std::printf("%lld x %lld x %lld, stack of %lld, path %d, %d threads: other bits\n",
                static_cast<long long>(s_.m), static_cast<long long>(s_.n),
                static_cast<long long>(s_.k), static_cast<long long>(stack_), path_, threads);
    return false;
  }

 private:
  std::vector<float> compute(int32_t threads) const {
    std::vector<float> c(static_cast<size_t>(stack_ * s_.m * s_.n));
    const int64_t size = sizeof(float), as = s_.m * s_.k * size, bs = 0, cs = s_.m * s_.n * size;
    fastla_gemm_desc d;
    fastla_gemm_desc_init(&d);
    d.dtype = FASTLA_F32;
    d.m = s_.m;
    d.n = s_.n;
    d.k = s_.k;
    d.a = {a_.data(), s_.k * size, size, 0};
    d.b = {b_.data(), s_.n * size, size, 0};
    d.c = c.data();
    d.c_row_stride = s_.n * size;
    d.c_col_stride = size;
    d.batch_ndim = 1;
    d.batch_shape = &stack_;
    d.a_batch_strides = &as;
    d.b_batch_strides = &bs;
    d.c_batch_strides = &cs;
    d.num_threads = threads;
    if (fastla_gemm(&d, nullptr) != FASTLA_OK) c.assign(c.size(), -1);
    return c;
  }

  Shape s_;
  int32_t path_;
  int64_t stack_;
  std::vector<float> a_, b_, want_;
};

bool all_agree(const std::vector<Product> &products, int rounds) {
  bool good = true;
  for (int round = 0; round < rounds; ++round)
    for (const Product &product : products)
      for (int32_t threads : {2, 3, 8}) good = product.agrees(threads) && good;
  return good;
}

}  // namespace

int main() {
  bool good = true;
  for (int32_t path : {FASTLA_PATH_AUTO, FASTLA_PATH_PACKED, FASTLA_PATH_DIRECT}) {
    fastla_force_path(path);
    std::vector<Product> products;
    for (Shape s : kShapes) products.emplace_back(s, path, s.m == 20 ? 7 : 1);
    good = all_agree(products, 3) && good;

    std::vector<std::thread> callers;
    std::vector<char> found(4, 0);
    for (size_t i = 0; i < found.size(); ++i)
      callers.emplace_back([&, i] { found[i] = all_agree(products, 1); });
    for (std::thread &caller : callers) caller.join();
    for (char each : found) good = each && good;

    const pid_t child = fork();
    if (child == 0) _exit(all_agree(products, 1) ? 0 : 1);
    int status = 1;
    waitpid(child, &status, 0);
    if (status != 0) std::printf("the forked child ended with %d\n", status);
    good = status == 0 && good;
  }
  std::puts(good ? "all products have one thread's bits" : "FAILED");
  return good ? 0 : 1;
}
