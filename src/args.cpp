#include "args.hpp"

#include <cstring>

#include "fastla/runtime.h"

namespace fastla_py {

int Names::find(PyObject *name) const {
  if (!PyUnicode_Check(name)) return -1;
  constexpr auto relaxed = std::memory_order_relaxed;
  if (!interned_[count_ - 1].load(relaxed))
    for (int i = 0; i < count_; ++i) {
      if (interned_[i].load(relaxed)) continue;
      interned_[i].store(PyUnicode_InternFromString(text_[i]), relaxed);
      if (!interned_[i].load(relaxed)) PyErr_Clear();
    }
  for (int i = 0; i < count_; ++i)
    if (name == interned_[i].load(relaxed)) return i;
  for (int i = 0; i < count_; ++i)
    if (PyUnicode_CompareWithASCIIString(name, text_[i]) == 0) return i;
  return -1;
}

bool sort_arguments(const Signature &s, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                    PyObject **slots, int *extras) {
  for (int i = 0; i < s.names.count(); ++i) slots[i] = nullptr;
  *extras = 0;
  if (nargs > s.positional) {
    PyErr_Format(PyExc_TypeError, "%s() takes at most %d positional arguments (%zd given)",
                 s.function, s.positional, nargs);
    return false;
  }
  for (Py_ssize_t i = 0; i < nargs; ++i) slots[i] = args[i];
  const Py_ssize_t keywords = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
  for (Py_ssize_t i = 0; i < keywords; ++i) {
    PyObject *name = PyTuple_GET_ITEM(kwnames, i);
    const int at = s.names.find(name);
    if (at < s.positional_only) {
      const char *text = PyUnicode_AsUTF8(name);
      if (!text) return false;
      if (s.accept && s.accept(text)) {
        ++*extras;
        continue;
      }
      PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", s.function,
                   name);
      return false;
    }
    if (slots[at]) {
      PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'", s.function, name);
      return false;
    }
    slots[at] = args[nargs + i];
  }
  for (int i = 0; i < s.required; ++i)
    if (!slots[i]) {
      PyErr_Format(PyExc_TypeError, "%s() missing required argument: '%s'", s.function, s.names[i]);
      return false;
    }
  return true;
}

int parse_threads(const char *function, PyObject *value) {
  if (!value || value == Py_None) return 0;
  Ref index(PyNumber_Index(value));
  if (!index) {
    PyErr_Format(PyExc_TypeError, "%s: num_threads must be an integer or None, not %.100s",
                 function, Py_TYPE(value)->tp_name);
    return -1;
  }
  int overflow = 0;
  const long n = PyLong_AsLongAndOverflow(index.get(), &overflow);
  if (n == -1 && PyErr_Occurred()) return -1;
  if (overflow || n < 1 || n > 1024) {
    PyErr_Format(PyExc_ValueError, "%s: num_threads is %R; it must be from 1 to 1024", function,
                 value);
    return -1;
  }
  return static_cast<int>(n);
}

int parse_precision(const char *function, PyObject *value) {
  static const char *const text[] = {"highest", "exact", "high", "tf32", "fast"};
  static const Names names(text);
  const int i = value ? names.find(value) : 0;
  if (i >= 0) return i == 4 ? FASTLA_FAST : 0;
  PyErr_Format(PyExc_ValueError,
               "%s: precision is %R; it must be 'exact', 'highest', 'high', 'tf32' or 'fast'",
               function, value);
  return -1;
}

int parse_activation(const char *function, PyObject *value) {
  // In the order of fastla_activation.
  static const char *const text[FASTLA_ACTIVATIONS] = {"",     "relu", "gelu",   "gelu_tanh",
                                                       "silu", "tanh", "sigmoid"};
  static const Names names(text);
  if (!value || value == Py_None) return FASTLA_ACT_NONE;
  const int i = names.find(value);
  if (i > 0) return i;
  PyErr_Format(
      PyExc_ValueError,
      "%s: activation is %R; it must be None, 'relu', 'gelu', 'gelu_tanh', 'silu', 'tanh' or "
      "'sigmoid'",
      function, value);
  return -1;
}

Ref shape_text(int ndim, const npy_intp *dims) {
  Ref tuple(PyTuple_New(ndim));
  if (!tuple) return tuple;
  for (int i = 0; i < ndim; ++i) {
    PyObject *item = PyLong_FromSsize_t(dims[i]);
    if (!item) return Ref();
    PyTuple_SET_ITEM(tuple.get(), i, item);
  }
  return Ref(PyObject_Repr(tuple.get()));
}

Ref shape_text(PyArrayObject *array) {
  return shape_text(PyArray_NDIM(array), PyArray_DIMS(array));
}

Ref as_type(PyArrayObject *array, int type) {
  if (PyArray_TYPE(array) == type) return Ref::borrow(reinterpret_cast<PyObject *>(array));
  return Ref(PyArray_Cast(array, type));
}

Ref as_native(PyArrayObject *array, int type) {
  if (is_native(array, type)) return Ref::borrow(reinterpret_cast<PyObject *>(array));
  return Ref(PyArray_Cast(array, type));
}

namespace {

struct Extent {
  const char *low, *high;
};

Extent extent(PyArrayObject *a) {
  const char *low = PyArray_BYTES(a), *high = low + PyArray_ITEMSIZE(a);
  for (int i = 0; i < PyArray_NDIM(a); ++i) {
    const npy_intp span = (PyArray_DIM(a, i) - 1) * PyArray_STRIDE(a, i);
    if (PyArray_DIM(a, i) == 0) return {low, low};
    (span < 0 ? low : high) += span;
  }
  return {low, high};
}

}  // namespace

bool may_overlap(PyArrayObject *a, PyArrayObject *b) {
  const Extent x = extent(a), y = extent(b);
  return x.low < y.high && y.low < x.high;
}

void set_status_error(fastla_status status, const char *function, PyObject *text) {
  switch (status) {
    case FASTLA_NO_MEMORY:
      PyErr_Format(PyExc_MemoryError, "%s: no memory for the workspace; %U", function, text);
      break;
    case FASTLA_UNSUPPORTED:
      PyErr_Format(PyExc_RuntimeError, "%s: not supported on this CPU; %U", function, text);
      break;
    default:
      PyErr_Format(PyExc_ValueError, "%s: sizes or strides out of range; %U", function, text);
  }
}

namespace {
PyObject *matmul_of_numpy = nullptr;
}  // namespace

bool import_numpy_matmul() {
  Ref numpy(PyImport_ImportModule("numpy"));
  if (numpy) matmul_of_numpy = PyObject_GetAttrString(numpy.get(), "matmul");
  return matmul_of_numpy != nullptr;
}

PyObject *numpy_matmul() { return matmul_of_numpy; }

// NumPy alone knows errstate, its handlers and its messages. A stack of 1 x 1 products that raises just
// these flags makes it say what it would have said of the real product.
bool report_flags(uint32_t flags) {
  flags &= FASTLA_FP_INVALID | FASTLA_FP_OVERFLOW | FASTLA_FP_UNDERFLOW;
  if (!flags) return true;
  static const struct {
    uint32_t flag;
    double a, b;
  } causes[] = {{FASTLA_FP_OVERFLOW, 1e300, 1e300},
                {FASTLA_FP_UNDERFLOW, 1e-300, 1e-300},
                {FASTLA_FP_INVALID, __builtin_inf(), 0.0}};
  npy_intp dims[3] = {__builtin_popcount(flags), 1, 1};
  Ref a(PyArray_EMPTY(3, dims, NPY_DOUBLE, 0)), b(PyArray_EMPTY(3, dims, NPY_DOUBLE, 0));
  if (!a || !b) return false;
  int i = 0;
  for (const auto &cause : causes)
    if (flags & cause.flag) {
      static_cast<double *>(PyArray_DATA(a.array()))[i] = cause.a;
      static_cast<double *>(PyArray_DATA(b.array()))[i++] = cause.b;
    }
  return static_cast<bool>(
      Ref(PyObject_CallFunctionObjArgs(numpy_matmul(), a.get(), b.get(), nullptr)));
}

fastla_status run_gemm(const fastla_gemm_desc &desc, double multiply_adds, uint32_t *flags) {
  // About 10 us of work on one core: below it, giving the GIL away and back costs more than it frees.
  constexpr double kLong = 500e3;
  if (multiply_adds <= kLong) return fastla_gemm(&desc, flags);
  fastla_status status;
  Py_BEGIN_ALLOW_THREADS;
  status = fastla_gemm(&desc, flags);
  Py_END_ALLOW_THREADS;
  return status;
}

}  // namespace fastla_py
