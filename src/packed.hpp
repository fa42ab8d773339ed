// PackedMatrix: an immutable copy of a matrix in the layout that products read.
#pragma once
#include <memory>
#include <mutex>

#include "args.hpp"

namespace fastla_py {

// The copy behind a PackedMatrix and its transpose: panels for the right operand of a product, in the
// orientation of matmul(x, w) at first. Another orientation (linear multiplies by w^T) is made when a
// product needs it; panels that no product has used yet are dropped then, so that users of one
// orientation pay the memory of one matrix.
class PackedStore {
 public:
  PackedStore(int dtype, int64_t rows, int64_t cols) : dtype_(dtype), rows_(rows), cols_(cols) {}
  PackedStore(const PackedStore &) = delete;
  PackedStore &operator=(const PackedStore &) = delete;

  fastla_status fill(const fastla_matrix &source);
  // Panels of the matrix (or of its transpose) as the right operand, for the kernel row in force; false if they would
  // have to be made or waited for.
  bool ready(bool transposed, std::shared_ptr<fastla_packed> *result) noexcept;
  // The same, made if need be. Call without the GIL: it takes a lock.
  fastla_status panels(bool transposed, std::shared_ptr<fastla_packed> *result);
  // Copies the matrix out, row-major.
  fastla_status copy_to(char *data);

  int dtype() const { return dtype_; }
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t bytes();

 private:
  fastla_status make_panels(bool transposed, std::shared_ptr<fastla_packed> *result);
  fastla_status unpack(char *data);

  const int dtype_;
  const int64_t rows_, cols_;
  std::mutex mutex_;
  std::shared_ptr<fastla_packed> panels_[2];  // [transposed]
  bool used_[2] = {false, false};
};

struct Packed {
  std::shared_ptr<PackedStore> store;
  bool transposed;
  int64_t rows() const { return transposed ? store->cols() : store->rows(); }
  int64_t cols() const { return transposed ? store->rows() : store->cols(); }
};

// The object's Packed, or nullptr when it is something else.
const Packed *as_packed(PyObject *object);

}  // namespace fastla_py
