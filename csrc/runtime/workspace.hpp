// Scratch memory, kept between calls: a product of 1 ms must not pay for page faults each time.
#pragma once
#include <stddef.h>

namespace fastla {

// A block of scratch for one call; empty (data() == nullptr) when memory could not be had.
class Workspace {
 public:
  explicit Workspace(size_t bytes) noexcept;
  ~Workspace();
  Workspace(const Workspace &) = delete;
  Workspace &operator=(const Workspace &) = delete;
  char *data() const noexcept { return data_; }

 private:
  char *data_;
  size_t bytes_;
};

}  // namespace fastla
