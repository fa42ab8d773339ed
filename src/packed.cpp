#include "packed.hpp"

#include <cstdlib>

namespace fastla_py {

fastla_status PackedStore::fill(const fastla_matrix &source) {
  // Through panels and back: the core's packing reads any strides and byte order.
  fastla_packed *packed = nullptr;
  const fastla_status status = fastla_pack_b(dtype_, rows_, cols_, &source, &packed);
  if (status != FASTLA_OK) return status;
  panels_[0] = std::shared_ptr<fastla_packed>(packed, fastla_packed_free);
  return FASTLA_OK;
}

fastla_status PackedStore::unpack(char *data) {
  const int64_t size = item_size(dtype_);
  for (const bool transposed : {false, true})
    if (panels_[transposed])
      return fastla_unpack_b(panels_[transposed].get(), data, transposed ? size : cols_ * size,
                             transposed ? cols_ * size : size);
  return FASTLA_INVALID;
}

bool PackedStore::ready(bool transposed, std::shared_ptr<fastla_packed> *result) noexcept {
  const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  if (!lock || !fastla_packed_current(panels_[transposed].get())) return false;
  used_[transposed] = true;
  *result = panels_[transposed];
  return true;
}

fastla_status PackedStore::panels(bool transposed, std::shared_ptr<fastla_packed> *result) {
  try {
    return make_panels(transposed, result);
  } catch (...) {  // what a shared_ptr or a mutex may throw has no way through the C API
    return FASTLA_NO_MEMORY;
  }
}

fastla_status PackedStore::make_panels(bool transposed, std::shared_ptr<fastla_packed> *result) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::shared_ptr<fastla_packed> &wanted = panels_[transposed];
  if (!wanted || !fastla_packed_current(wanted.get())) {
    const int64_t size = item_size(dtype_), bytes = rows_ * cols_ * size;
    char *data = static_cast<char *>(std::malloc(bytes ? static_cast<size_t>(bytes) : 1));
    if (!data) return FASTLA_NO_MEMORY;
    fastla_status status = unpack(data);
    fastla_packed *packed = nullptr;
    if (status == FASTLA_OK) {
      const fastla_matrix plain{data, transposed ? size : cols_ * size,
                                transposed ? cols_ * size : size, 0};
      status = fastla_pack_b(dtype_, transposed ? cols_ : rows_, transposed ? rows_ : cols_, &plain,
                             &packed);
    }
    std::free(data);
    if (status != FASTLA_OK) return status;
    wanted = std::shared_ptr<fastla_packed>(packed, fastla_packed_free);
    if (!used_[!transposed]) panels_[!transposed].reset();
  }
  used_[transposed] = true;
  *result = wanted;
  return FASTLA_OK;
}

fastla_status PackedStore::copy_to(char *data) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return unpack(data);
}

int64_t PackedStore::bytes() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return fastla_packed_bytes(panels_[0].get()) + fastla_packed_bytes(panels_[1].get());
}

}  // namespace fastla_py
