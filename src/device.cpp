// Operands in the memory of a GPU: fastla._device has their products.
#include "hot.hpp"
#include "packed.hpp"

namespace fastla_py {
namespace {

// fastla._device's functions, which are looked up once.
struct Functions {
  PyObject *on_gpu = nullptr, *call = nullptr;
};

const Functions *functions() {
  static Functions found;
  if (found.call) return &found;
  const Ref module(PyImport_ImportModule("fastla._device"));
  if (!module) return nullptr;
  Ref on_gpu(PyObject_GetAttrString(module.get(), "on_gpu")),
      call(PyObject_GetAttrString(module.get(), "call"));
  if (!on_gpu || !call) return nullptr;
  found.on_gpu = on_gpu.release();
  found.call = call.release();
  return &found;
}

// 1, 0, or -1 with an error set. PyTorch's tensors have the attribute wherever they are.
int is_on_gpu(PyObject *x) {
  static PyObject *const name = PyUnicode_InternFromString("__cuda_array_interface__");
  if (!x || PyArray_Check(x) || PyList_CheckExact(x) || PyTuple_CheckExact(x) || as_packed(x))
    return 0;
  if (!name || !PyObject_HasAttr(reinterpret_cast<PyObject *>(Py_TYPE(x)), name)) return 0;
  const Functions *known = functions();
  if (!known) return -1;
  const Ref answer(PyObject_CallOneArg(known->on_gpu, x));
  return answer ? PyObject_IsTrue(answer.get()) : -1;
}

}  // namespace

bool computed_on_gpu(const char *function, PyObject *left, PyObject *right, PyObject *const *args,
                     Py_ssize_t nargs, PyObject *kwnames, PyObject **result) {
  *result = nullptr;
  const int is_left = is_on_gpu(left);
  const int either = is_left ? is_left : is_on_gpu(right);
  if (either <= 0) return either < 0;
  const Functions *known = functions();
  const Ref positional(PyTuple_New(nargs)), keywords(PyDict_New());
  if (!known || !positional || !keywords) return true;
  for (Py_ssize_t i = 0; i < nargs; ++i) {
    Py_INCREF(args[i]);
    PyTuple_SET_ITEM(positional.get(), i, args[i]);
  }
  for (Py_ssize_t i = 0; kwnames && i < PyTuple_GET_SIZE(kwnames); ++i)
    if (PyDict_SetItem(keywords.get(), PyTuple_GET_ITEM(kwnames, i), args[nargs + i]) < 0)
      return true;
  *result = PyObject_CallFunction(known->call, "sOO", function, positional.get(), keywords.get());
  return true;
}

}  // namespace fastla_py
