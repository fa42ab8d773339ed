// The Python face of PackedMatrix.
#include <pybind11/pybind11.h>

#include "hot.hpp"
#include "packed.hpp"

namespace py = pybind11;

namespace fastla_py {
namespace {

PyTypeObject *packed_type = nullptr;

Packed make(PyObject *w) {
  Ref array(PyArray_FromAny(w, nullptr, 0, 0, NPY_ARRAY_ENSUREARRAY, nullptr));
  if (!array) throw py::error_already_set();
  PyArrayObject *a = array.array();
  if (PyArray_NDIM(a) != 2) {
    const Ref text = shape_text(a);
    if (text) PyErr_Format(PyExc_ValueError, "pack: w is %U; it must be a matrix", text.get());
    throw py::error_already_set();
  }
  const int dtype = dtype_of(PyArray_TYPE(a));
  if (dtype < 0) {
    PyErr_Format(PyExc_TypeError, "pack: w is %R; float32 and float64 are supported",
                 PyArray_DESCR(a));
    throw py::error_already_set();
  }
  auto store = std::make_shared<PackedStore>(dtype, PyArray_DIM(a, 0), PyArray_DIM(a, 1));
  const fastla_matrix source{PyArray_DATA(a), PyArray_STRIDE(a, 0), PyArray_STRIDE(a, 1),
                             !PyArray_ISNOTSWAPPED(a)};
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = store->fill(source);
  }
  if (status != FASTLA_OK) {
    const Ref text = shape_text(a);
    if (text) set_status_error(status, "pack", text.get());
    throw py::error_already_set();
  }
  return {store, false};
}

py::object numpy_dtype(const Packed &p) {
  return py::reinterpret_steal<py::object>(
      reinterpret_cast<PyObject *>(PyArray_DescrFromType(type_num_of(p.store->dtype()))));
}

py::object to_array(const Packed &p, const py::object &dtype, const py::object &copy) {
  if (!copy.is_none() && !copy.cast<bool>())
    throw py::value_error(
        "PackedMatrix: its layout is not an array's; it cannot be had without a copy");
  npy_intp dims[2] = {p.store->rows(), p.store->cols()};
  Ref array(PyArray_EMPTY(2, dims, type_num_of(p.store->dtype()), 0));
  if (!array) throw py::error_already_set();
  char *data = PyArray_BYTES(array.array());
  {
    const py::gil_scoped_release release;
    p.store->copy_to(data);
  }
  auto result = py::reinterpret_steal<py::object>(array.release());
  if (p.transposed) result = result.attr("T");
  if (!dtype.is_none()) result = result.attr("astype")(dtype);
  return result;
}

py::object rmatmul(const py::object &self, const py::object &x) {
  PyObject *args[2] = {x.ptr(), self.ptr()};
  PyObject *result = matmul(nullptr, args, 2, nullptr);
  if (!result) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(result);
}

std::string repr(const Packed &p) {
  return "PackedMatrix(shape=(" + std::to_string(p.rows()) + ", " + std::to_string(p.cols()) +
         "), dtype=" + (p.store->dtype() == FASTLA_F64 ? "float64" : "float32") + ")";
}

constexpr const char *kClassDoc =
    R"(An immutable copy of a matrix in the layout that products read; made by `pack`.

Attributes
----------
shape : tuple of int
dtype : numpy.dtype
ndim : int
    2.
T : PackedMatrix
    The transpose; shares the memory.
nbytes : int
    Bytes held.

Notes
-----
`numpy.asarray(packed)` copies it back into an array. ``x @ packed`` is ``fastla.matmul(x, packed)``.

Examples
--------
>>> import numpy as np
>>> import fastla
>>> fastla.pack(np.ones((2, 3))).T.shape
(3, 2)
)";

}  // namespace

PyObject *pack(PyObject *, PyObject *w) {
  try {
    return py::cast(make(w)).release().ptr();
  } catch (py::error_already_set &error) {
    error.restore();
  } catch (const std::bad_alloc &) {
    PyErr_NoMemory();
  }
  return nullptr;
}

const Packed *as_packed(PyObject *object) {
  if (Py_TYPE(object) != packed_type) return nullptr;
  // Of just this type: nothing to look up.
  auto *instance = reinterpret_cast<py::detail::instance *>(object);
  return static_cast<const Packed *>(instance->get_value_and_holder().value_ptr());
}

void bind_packed(py::module_ &m) {
  py::options options;
  options.disable_function_signatures();
  py::class_<Packed> type(m, "PackedMatrix", kClassDoc);
  type.def_property_readonly("shape",
                             [](const Packed &p) { return py::make_tuple(p.rows(), p.cols()); })
      .def_property_readonly("dtype", &numpy_dtype)
      .def_property_readonly("ndim", [](const Packed &) { return 2; })
      .def_property_readonly("T", [](const Packed &p) { return Packed{p.store, !p.transposed}; })
      .def_property_readonly("nbytes", [](const Packed &p) { return p.store->bytes(); })
      .def("__array__", &to_array, py::arg("dtype") = py::none(), py::arg("copy") = py::none())
      .def("__rmatmul__", &rmatmul)
      .def("__reduce__",
           [](const Packed &p) {
             const auto function = py::module_::import("fastla").attr("pack");
             return py::make_tuple(function, py::make_tuple(to_array(p, py::none(), py::none())));
           })
      .def("__repr__", &repr);
  type.attr("__array_ufunc__") = py::none();
  packed_type = reinterpret_cast<PyTypeObject *>(type.ptr());
  packed_type->tp_new = nullptr;  // pack makes them; one made by __new__ alone would be empty
}

}  // namespace fastla_py
