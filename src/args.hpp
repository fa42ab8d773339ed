// What every binding shares: the NumPy API, owned references, keyword slots, arrays as operands.
#pragma once
#include <Python.h>

#ifndef PY_ARRAY_UNIQUE_SYMBOL
#define PY_ARRAY_UNIQUE_SYMBOL fastla_array_api
#endif
#ifndef FASTLA_IMPORTS_NUMPY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include <atomic>

#include "fastla/gemm.h"

namespace fastla_py {

// A reference that is given back on every way out.
class Ref {
 public:
  Ref() noexcept : object_(nullptr) {}
  explicit Ref(PyObject *owned) noexcept : object_(owned) {}
  Ref(Ref &&other) noexcept : object_(other.release()) {}
  Ref &operator=(Ref &&other) noexcept {
    PyObject *old = object_;
    object_ = other.release();
    Py_XDECREF(old);
    return *this;
  }
  ~Ref() { Py_XDECREF(object_); }
  static Ref borrow(PyObject *object) noexcept {
    Py_XINCREF(object);
    return Ref(object);
  }
  PyObject *get() const noexcept { return object_; }
  PyArrayObject *array() const noexcept { return reinterpret_cast<PyArrayObject *>(object_); }
  PyObject *release() noexcept {
    PyObject *object = object_;
    object_ = nullptr;
    return object;
  }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  PyObject *object_;
};

// Names in order, of keywords or of what an argument may be. In a call they are interned, as a rule, and found by
// address.
class Names {
 public:
  template <int count> explicit constexpr Names(const char *const (&names)[count])
      : text_(names), count_(count) {
    static_assert(count <= kMost);
  }
  // The index of a Python object; -1 when it is none of them (no error set).
  int find(PyObject *name) const;
  const char *operator[](int i) const { return text_[i]; }
  int count() const { return count_; }

 private:
  static constexpr int kMost = 16;
  const char *const *text_;
  int count_;
  // Filled by the first call, or by several at once, with the same; only compared.
  mutable std::atomic<PyObject *> interned_[kMost] = {};
};

// Positional and keyword arguments sorted into slots (borrowed; nullptr: not given). The first `required` names must be
// given; the first `positional_only` of them have no keyword, the first `positional` may be given by position. Anything
// else is counted in `extra`, which is an error unless `accept` takes the name.
struct Signature {
  const char *function;
  Names names;
  int required, positional_only, positional;
  bool (*accept)(const char *name);
};
// False with a TypeError set. *extras: keywords that accept() took.
bool sort_arguments(const Signature &signature, PyObject *const *args, Py_ssize_t nargs,
                    PyObject *kwnames, PyObject **slots, int *extras);

// 0 for None; -1 with an error set.
int parse_threads(const char *function, PyObject *value);
// FASTLA_FAST or 0; -1 with an error set.
int parse_precision(const char *function, PyObject *value);
int parse_activation(const char *function, PyObject *value);

// "(2, 3)", for messages.
Ref shape_text(int ndim, const npy_intp *dims);
Ref shape_text(PyArrayObject *array);

// fastla_dtype of a NumPy type number of floating point, or -1.
inline int dtype_of(int type_num) {
  return type_num == NPY_FLOAT ? FASTLA_F32 : type_num == NPY_DOUBLE ? FASTLA_F64 : -1;
}
inline int type_num_of(int dtype) { return dtype == FASTLA_F32 ? NPY_FLOAT : NPY_DOUBLE; }
inline int64_t item_size(int dtype) { return dtype == FASTLA_F32 ? 4 : 8; }

// The array in a type; the array itself when it has it, in either byte order and at any alignment.
Ref as_type(PyArrayObject *array, int type);
// The same, but native and aligned: what an epilogue reads.
Ref as_native(PyArrayObject *array, int type);
// True when memory that one touches may be touched by the other (by extent).
bool may_overlap(PyArrayObject *a, PyArrayObject *b);
inline bool is_direct(PyArrayObject *out, int type) {
  return PyArray_TYPE(out) == type && PyArray_ISBEHAVED(out);
}
// Behaved but for being writeable: what nothing is written to may be read where it is.
inline bool is_native(PyArrayObject *array, int type) {
  return PyArray_TYPE(array) == type && PyArray_ISALIGNED(array) && PyArray_ISNOTSWAPPED(array);
}

// Sets the exception for a status other than FASTLA_OK; text describes the operands.
void set_status_error(fastla_status status, const char *function, PyObject *text);
// NumPy's warning or error for FASTLA_FP_* flags, by the caller's np.errstate. False: an error is set.
bool report_flags(uint32_t flags);

// numpy.matmul, borrowed; looked up once, when the module is imported, so that replacing the name later
// cannot send a delegated call in circles.
bool import_numpy_matmul();
PyObject *numpy_matmul();

// Runs the product, without the GIL when it lasts long enough for that to be worth it.
fastla_status run_gemm(const fastla_gemm_desc &desc, double multiply_adds, uint32_t *flags);

}  // namespace fastla_py
