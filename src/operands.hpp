// Arrays that Python code has made ready for the core: checked once more, briefly.
#pragma once
#include <pybind11/pybind11.h>

#include "args.hpp"

namespace fastla_py {

[[noreturn]] inline void refuse(const char *function, const char *name, const char *must) {
  PyErr_Format(PyExc_ValueError, "%s: %s must be %s", function, name, must);
  throw pybind11::error_already_set();
}

// nullptr for None.
inline PyArrayObject *array_or_none(const char *function, const char *name,
                                    const pybind11::object &x) {
  if (x.is_none()) return nullptr;
  if (!PyArray_Check(x.ptr())) refuse(function, name, "an array");
  auto *array = reinterpret_cast<PyArrayObject *>(x.ptr());
  if (!PyArray_ISALIGNED(array) || !PyArray_ISNOTSWAPPED(array))
    refuse(function, name, "native and aligned");
  return array;
}

// The data of an array of any shape; nullptr for None.
inline void *contiguous_vector(const char *function, const char *name, const pybind11::object &x,
                               int type, int64_t length) {
  PyArrayObject *array = array_or_none(function, name, x);
  if (!array) return nullptr;
  if (PyArray_TYPE(array) != type || PyArray_SIZE(array) != length ||
      !PyArray_IS_C_CONTIGUOUS(array))
    refuse(function, name, "contiguous and of the right size and dtype");
  return PyArray_DATA(array);
}

inline void require_status(const char *function, fastla_status status) {
  if (status == FASTLA_NO_MEMORY) throw std::bad_alloc();
  if (status != FASTLA_OK) refuse(function, "the operands", "complete and in range");
}

}  // namespace fastla_py
