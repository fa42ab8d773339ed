// NumPy's own products by the core: loops of numpy.matmul, matvec, vecmat and vecdot, and the operator @.
//
// A loop decides by dtype alone whether it is the core's (but for tiny products of integers, whose bits are the same);
// what it cannot do for want of memory, the loop that was there before does. Both directions keep to what they find: who replaced a loop after us keeps it.
#include <pybind11/pybind11.h>

#include "fastla/runtime.h"
#include "hot.hpp"
#include "kinds.hpp"
#include "numpy_patch.hpp"

#define PY_UFUNC_UNIQUE_SYMBOL fastla_ufunc_api
#include <numpy/ufuncobject.h>

namespace py = pybind11;

namespace fastla_py {
namespace {

constexpr int kTypes[] = {NPY_HALF, NPY_FLOAT, NPY_DOUBLE,   NPY_CFLOAT,   NPY_CDOUBLE, NPY_BOOL,
                          NPY_BYTE, NPY_UBYTE, NPY_SHORT,    NPY_USHORT,   NPY_INT,     NPY_UINT,
                          NPY_LONG, NPY_ULONG, NPY_LONGLONG, NPY_ULONGLONG};
constexpr int kTypeCount = sizeof(kTypes) / sizeof(kTypes[0]);

// Who puts a loop of his own in ours' place may go on to ours, so ours never goes on to any but the first it found.
struct Loop {
  std::atomic<PyUFuncGenericFunction> first{nullptr};  // nullptr: never replaced
  PyUFuncGenericFunction under = nullptr;              // what ours has replaced, to be put back
  std::atomic<bool> on{false};
  std::atomic<int64_t> calls{0}, delegated{0};
};
Loop loops[kFunctions][kTypeCount];
int dtypes[kTypeCount];  // fastla_dtype
int64_t sizes[kTypeCount];

// vecmat and vecdot conjugate their first operand.
bool is_complex(int dtype) { return dtype == FASTLA_C64 || dtype == FASTLA_C128; }

// Integers and bool have the same bits either way, and so has a product of two float16, which is rounded once; and a call of
// the core takes longer than NumPy's loop for so few of them.
template <Function function> bool is_tiny(const npy_intp *dims, int dtype) {
  const bool exact = (dtype >= FASTLA_I8 && dtype < FASTLA_C64) || dtype == FASTLA_BOOL_OR;
  const npy_intp most = exact ? 8 : dtype == FASTLA_F16 ? 1 : 0;
  if (dims[1] > most) return false;
  return function == kVecdot || (dims[2] <= most && (function != kMatmul || dims[3] <= most));
}

template <Function function, int type> struct Ours {
  static void run(char **args, const npy_intp *dims, const npy_intp *steps, void *data) {
    Loop &loop = loops[function][type];
    loop.calls.fetch_add(1, std::memory_order_relaxed);
    if (loop.on.load(std::memory_order_relaxed) && !is_tiny<function>(dims, dtypes[type])) {
      LoopProduct product;
      describe_loop(function, dtypes[type], args, dims, steps, sizes[type], sizes[type], &product);
      if (function >= kVecmat && is_complex(dtypes[type])) product.desc.flags = FASTLA_CONJ_A;
      if (fastla_gemm(&product.desc, nullptr) == FASTLA_OK) return;
    }
    loop.delegated.fetch_add(1, std::memory_order_relaxed);
    PyUFuncGenericFunction first;  // without the GIL another thread may be about to store it
    while (!(first = loop.first.load(std::memory_order_acquire))) continue;
    first(args, dims, steps, data);
  }
};

struct Table {
  PyUFuncGenericFunction of[kFunctions][kTypeCount];
  template <int function, int type> constexpr void fill() {
    of[function][type] = &Ours<Function(function), type>::run;
    if constexpr (type > 0)
      fill<function, type - 1>();
    else if constexpr (function > 0)
      fill<function - 1, kTypeCount - 1>();
  }
  constexpr Table() : of{} { fill<kFunctions - 1, kTypeCount - 1>(); }
};
constexpr Table ours;

py::object ufunc(int function) {
  const py::module_ numpy = py::module_::import("numpy");
  return py::getattr(numpy, kFunctionNames[function], py::none());
}

void set_loop(const py::object &function, int f, int t, bool on) {
  Loop &loop = loops[f][t];
  auto *object = reinterpret_cast<PyUFuncObject *>(function.ptr());
  const int signature[3] = {kTypes[t], kTypes[t], kTypes[t]};
  PyUFuncGenericFunction found = nullptr;
  loop.on.store(false);
  if (PyUFunc_ReplaceLoopBySignature(object, on ? ours.of[f][t] : loop.under, signature, &found) <
      0)
    return;  // this NumPy has no such loop
  if (on) {
    if (found != ours.of[f][t]) loop.under = found;
    PyUFuncGenericFunction none = nullptr;
    loop.first.compare_exchange_strong(none, found);
    loop.on.store(true);
  } else if (found != ours.of[f][t]) {  // somebody replaced ours, and stays
    PyUFunc_ReplaceLoopBySignature(object, found, signature, &found);
  }
}

void set_loops(bool on) {
  PyObject *functions[kFunctions] = {};
  NumpyLoop under[kFunctions] = {};
  py::object held[kFunctions];
  for (int f = 0; f < kFunctions; ++f) {
    held[f] = ufunc(f);
    if (held[f].is_none()) continue;
    functions[f] = held[f].ptr();
    for (int t = 0; t < kTypeCount; ++t) {
      if (on || loops[f][t].under) set_loop(held[f], f, t, on);
      if (kTypes[t] == NPY_FLOAT) under[f] = loops[f][t].first.load();
    }
  }
  if (on && !register_bfloat16_loops(functions, under)) throw py::error_already_set();
  set_bfloat16_loops(on);
}

py::object bfloat16_dtype() {
  return py::module_::import("numpy").attr("dtype")(
      py::module_::import("ml_dtypes").attr("bfloat16"));
}

py::list loop_status() {
  py::list all;
  for (int f = 0; f < kFunctions; ++f)
    for (int t = 0; t < kTypeCount; ++t) {
      const Loop &loop = loops[f][t];
      PyArray_Descr *descr = PyArray_DescrFromType(kTypes[t]);
      const auto dtype = py::reinterpret_steal<py::object>(reinterpret_cast<PyObject *>(descr));
      all.append(py::make_tuple(kFunctionNames[f], dtype, loop.on.load(), loop.calls.load(),
                                loop.delegated.load()));
    }
  for (int f = 0; f < kFunctions; ++f) {
    bool on;
    int64_t calls, delegated;
    if (bfloat16_status(f, &on, &calls, &delegated))
      all.append(py::make_tuple(kFunctionNames[f], bfloat16_dtype(), on, calls, delegated));
  }
  return all;
}

binaryfunc operator_first = nullptr, operator_under = nullptr;  // as of loops
std::atomic<bool> operator_on{false};

// Arrays of one dtype of the core's go there at once; anything else where it went before.
PyObject *matmul_operator(PyObject *a, PyObject *b) {
  if (operator_on.load(std::memory_order_relaxed) && PyArray_CheckExact(a) &&
      PyArray_CheckExact(b)) {
    Kind kind;
    auto *x = reinterpret_cast<PyArrayObject *>(a), *y = reinterpret_cast<PyArrayObject *>(b);
    if (PyArray_TYPE(x) == PyArray_TYPE(y) && choose_kind(x, y, nullptr, &kind) &&
        kind.dtype >= 0) {
      PyObject *const args[2] = {a, b};
      return matmul(nullptr, args, 2, nullptr);
    }
  }
  return operator_first(a, b);
}

void set_operator(bool on) {
  binaryfunc &slot = PyArray_Type.tp_as_number->nb_matrix_multiply;
  if (on && slot != &matmul_operator) {
    operator_under = slot;
    if (!operator_first) operator_first = slot;
    slot = &matmul_operator;
  } else if (!on && slot == &matmul_operator) {
    slot = operator_under;
  }
  operator_on.store(on);
}

}  // namespace

void bind_numpy_patch(py::module_ &m) {
  if (_import_umath() < 0) throw py::error_already_set();
  for (int t = 0; t < kTypeCount; ++t) {
    dtypes[t] = plain_dtype(kTypes[t]);
    sizes[t] = type_size(kTypes[t]);
  }
  m.def("numpy_loops", &set_loops, py::arg("on"));
  m.def("numpy_loop_status", &loop_status);
  m.def("numpy_operator", &set_operator, py::arg("on"));
}

}  // namespace fastla_py
