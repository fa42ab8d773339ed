// The module fastla._core: registration only.
#include <pybind11/pybind11.h>

#define FASTLA_IMPORTS_NUMPY
#include "hot.hpp"

namespace py = pybind11;

namespace fastla_py {
void bind_runtime(py::module_ &module);
void bind_packed(py::module_ &module);
void bind_explain(py::module_ &module);
void bind_capi(py::module_ &module);
void bind_numpy_patch(py::module_ &module);
void bind_verify(py::module_ &module);
void bind_nn(py::module_ &module);
void bind_attention(py::module_ &module);
void bind_moments(py::module_ &module);
void bind_update(py::module_ &module);
void bind_turn(py::module_ &module);
void bind_sparse(py::module_ &module);
void bind_graph(py::module_ &module);
void bind_rank(py::module_ &module);
void bind_retrieval(py::module_ &module);
void bind_multigrid(py::module_ &module);
}  // namespace fastla_py

namespace {

#define FASTLA_HOT(name, doc)                                                           \
  {#name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(fastla_py::name)), \
   METH_FASTCALL | METH_KEYWORDS, doc}

PyMethodDef hot_calls[] = {
#include "docstrings.hpp"
    {nullptr, nullptr, 0, nullptr}};

int import_numpy() {
  import_array1(-1);
  return 0;
}

}  // namespace

PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
  if (import_numpy() < 0 || !fastla_py::import_numpy_matmul()) throw py::error_already_set();
  if (PyModule_AddFunctions(module.ptr(), hot_calls) < 0) throw py::error_already_set();
  fastla_py::bind_runtime(module);
  fastla_py::bind_packed(module);
  fastla_py::bind_explain(module);
  fastla_py::bind_capi(module);
  fastla_py::bind_numpy_patch(module);
  fastla_py::bind_verify(module);
  fastla_py::bind_nn(module);
  fastla_py::bind_attention(module);
  fastla_py::bind_moments(module);
  fastla_py::bind_update(module);
  fastla_py::bind_turn(module);
  fastla_py::bind_sparse(module);
  fastla_py::bind_graph(module);
  fastla_py::bind_rank(module);
  fastla_py::bind_retrieval(module);
  fastla_py::bind_multigrid(module);
}
