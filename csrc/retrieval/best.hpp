// The k best of what a row has seen: a heap whose front is the worst of them.
#pragma once
#include <math.h>
#include <stdint.h>

#include <algorithm>

namespace fastla {

struct Found {
  double key;
  int64_t index;
};

// A total order, so that the best k do not depend on the order in which they come.
inline bool better(const Found &a, const Found &b) {
  const double x = a.key == a.key ? a.key : -HUGE_VAL, y = b.key == b.key ? b.key : -HUGE_VAL;
  return x > y || (x == y && a.index < b.index);
}

class Best {
 public:
  Best(Found *heap, int64_t *count, int64_t k) : heap_(heap), count_(*count), k_(k) {}

  bool full() const { return count_ == k_; }
  const Found &worst() const { return heap_[0]; }
  void offer(const Found &found) {
    if (!full()) {
      heap_[count_++] = found;
      std::push_heap(heap_, heap_ + count_, better);
    } else if (better(found, worst())) {
      std::pop_heap(heap_, heap_ + k_, better);
      heap_[k_ - 1] = found;
      std::push_heap(heap_, heap_ + k_, better);
    }
  }
  // Best first; it is no heap any more.
  const Found *sorted() {
    std::sort_heap(heap_, heap_ + count_, better);
    return heap_;
  }
  const Found *begin() const { return heap_; }
  const Found *end() const { return heap_ + count_; }

 private:
  Found *heap_;
  int64_t &count_;
  int64_t k_;
};

}  // namespace fastla
