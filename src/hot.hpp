// The hot calls: METH_FASTCALL functions without a Python wrapper around them.
#pragma once
#include "args.hpp"

namespace fastla_py {

PyObject *matmul(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *linear(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *gemm(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *gram(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *pack(PyObject *module, PyObject *w);

// matmul with a PackedMatrix on the right: linear's machinery, matmul's rules for x.
PyObject *matmul_packed(PyObject *x, PyObject *packed, PyObject *out, PyObject *dtype, int threads);

// Whether an operand lies on a GPU; then *result is the call's, or nullptr with an error set.
bool computed_on_gpu(const char *function, PyObject *left, PyObject *right, PyObject *const *args,
                     Py_ssize_t nargs, PyObject *kwnames, PyObject **result);

// A place to compute into: `out` itself where that is safe, else a fresh array that is copied to it.
struct Target {
  Ref array;      // computed into
  PyObject *out;  // borrowed; what the user gave, or nullptr
};
// Copies to `out` if need be and gives the call's result (a scalar for 0-d without out); new reference.
PyObject *finish(Target &target);

}  // namespace fastla_py
