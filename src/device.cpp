// Operands in the memory of a GPU: fastla._device has their products.
#include "hot.hpp"
#include "packed.hpp"

namespace fastla_py {
namespace {

// A function of fastla._device, which is looked up once; nullptr with an error set. Borrowed.
PyObject *function_of(std::atomic<PyObject *> *known, const char *name) {
  if (PyObject *found = known->load(std::memory_order_acquire)) return found;
  const Ref module(PyImport_ImportModule("fastla._device"));
  if (!module) return nullptr;
  PyObject *found = PyObject_GetAttrString(module.get(), name);
  known->store(found, std::memory_order_release);  // for good; another thread may do the same
  return found;
}

PyObject *on_gpu() {
  static std::atomic<PyObject *> known;
  return function_of(&known, "on_gpu");
}

PyObject *call() {
  static std::atomic<PyObject *> known;
  return function_of(&known, "call");
}

// 1, 0, or -1 with an error set. PyTorch's tensors have the attribute wherever they are.
int is_on_gpu(PyObject *x) {
  static PyObject *const name = PyUnicode_InternFromString("__cuda_array_interface__");
  if (!x || PyArray_Check(x) || PyList_CheckExact(x) || PyTuple_CheckExact(x) || as_packed(x))
    return 0;
  if (!name || !PyObject_HasAttr(reinterpret_cast<PyObject *>(Py_TYPE(x)), name)) return 0;
  PyObject *function = on_gpu();
  if (!function) return -1;
  const Ref answer(PyObject_CallOneArg(function, x));
  return answer ? PyObject_IsTrue(answer.get()) : -1;
}

}  // namespace

bool computed_on_gpu(const char *function, PyObject *left, PyObject *right, PyObject *const *args,
                     Py_ssize_t nargs, PyObject *kwnames, PyObject **result) {
  *result = nullptr;
  const int is_left = is_on_gpu(left);
  const int either = is_left ? is_left : is_on_gpu(right);
  if (either <= 0) return either < 0;
  PyObject *computes = call();
  const Ref positional(PyTuple_New(nargs)), keywords(PyDict_New());
  if (!computes || !positional || !keywords) return true;
  for (Py_ssize_t i = 0; i < nargs; ++i) {
    Py_INCREF(args[i]);
    PyTuple_SET_ITEM(positional.get(), i, args[i]);
  }
  for (Py_ssize_t i = 0; kwnames && i < PyTuple_GET_SIZE(kwnames); ++i)
    if (PyDict_SetItem(keywords.get(), PyTuple_GET_ITEM(kwnames, i), args[nargs + i]) < 0)
      return true;
  *result = PyObject_CallFunction(computes, "sOO", function, positional.get(), keywords.get());
  return true;
}

}  // namespace fastla_py
