// gram: a matrix times its own (conjugate) transpose.
#include <pybind11/pybind11.h>

#include "hot.hpp"
#include "kinds.hpp"
#include "shapes.hpp"

namespace py = pybind11;

namespace fastla_py {
namespace {

// a: an exact array of a dtype of the core's, of two dimensions at least; out: None, or an exact one of the result's shape.
py::object gram(const py::object &a, bool right, const py::object &out, int threads) {
  auto *x = reinterpret_cast<PyArrayObject *>(a.ptr());
  const int ndim = PyArray_NDIM(x), type = PyArray_TYPE(x);
  const Ref turned(PyArray_SwapAxes(x, ndim - 2, ndim - 1));
  if (!turned) throw py::error_already_set();
  PyArrayObject *first = right ? x : turned.array(), *second = right ? turned.array() : x;
  Shapes shapes;
  Kind kind;
  if (!resolve(first, second, &shapes) || !choose_kind(first, second, nullptr, &kind))
    throw py::error_already_set();
  uint32_t flags = ndim == 2 ? FASTLA_SYMMETRIC : 0;
  if (PyTypeNum_ISCOMPLEX(type)) flags |= right ? FASTLA_CONJ_B : FASTLA_CONJ_A;
  if (kind.dtype >= FASTLA_DTYPES) flags = 0;
  PyObject *given = out.is_none() ? nullptr : out.ptr();
  auto *to = reinterpret_cast<PyArrayObject *>(given);
  const bool direct = given && is_direct(to, kind.c) && !may_overlap(to, x);
  Target target{
      direct ? Ref::borrow(given) : Ref(PyArray_SimpleNew(shapes.ndim, shapes.dims, kind.c)), given};
  if (!target.array || !multiply("gram", first, second, target.array.array(), shapes, kind.dtype,
                                 threads, flags))
    throw py::error_already_set();
  const auto result = py::reinterpret_steal<py::object>(finish(target));
  if (!result) throw py::error_already_set();
  return result;
}

}  // namespace

void bind_gram(py::module_ &m) {
  m.def("gram", &gram, py::arg("a"), py::arg("right"), py::arg("out"), py::arg("threads"));
}

}  // namespace fastla_py
