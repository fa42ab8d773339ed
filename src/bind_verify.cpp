// Checks of finished products: the random test of every row, and the contract element by element.
#include <pybind11/pybind11.h>

#include "fastla/verify.h"
#include "kinds.hpp"
#include "shapes.hpp"

namespace py = pybind11;

namespace fastla_py {
namespace {

PyArrayObject *array_of(const py::object &x) {
  if (PyArray_CheckExact(x.ptr())) return reinterpret_cast<PyArrayObject *>(x.ptr());
  throw py::type_error("verify: the operands and the product must be exact arrays");
}

// a and b as the core takes them for a product of this dtype, and how their shapes fit.
void settle(const py::object &x, const py::object &y, PyObject *dtype, Ref *a, Ref *b, Kind *kind,
            Shapes *shapes) {
  PyArrayObject *left = array_of(x), *right = array_of(y);
  // The product of two bfloat16 is float32, unless another one is asked for.
  if (!choose_any_kind(left, right, nullptr, kind)) throw py::error_already_set();
  const bool plain = kind->dtype == FASTLA_BF16_F32 &&
                     reinterpret_cast<PyArray_Descr *>(dtype)->type_num == NPY_FLOAT;
  if (!plain && !choose_any_kind(left, right, dtype, kind)) throw py::error_already_set();
  if (kind->dtype >= FASTLA_DTYPES)
    throw py::type_error("verify: products of bool are not verified");
  if (kind->dtype < 0) throw py::type_error("verify: this product is NumPy's");
  *a = as_type(left, kind->a);
  *b = as_type(right, kind->b);
  if (!*a || !*b || !resolve(a->array(), b->array(), shapes)) throw py::error_already_set();
}

void require(fastla_status status) {
  if (status == FASTLA_OK) return;
  if (status == FASTLA_NO_MEMORY) throw std::bad_alloc();
  throw py::value_error("verify: sizes or strides out of range");
}

py::tuple check_rows(const py::object &x, const py::object &y, const py::object &product,
                     uint64_t seed, int threads) {
  PyArrayObject *c = array_of(product);
  Ref a, b;
  Kind kind;
  Shapes shapes;
  settle(x, y, reinterpret_cast<PyObject *>(PyArray_DESCR(c)), &a, &b, &kind, &shapes);
  if (!widen(c, &shapes) || !is_native(c, kind.c))
    throw py::value_error("verify: the product has another shape or dtype");
  npy_intp dims[NPY_MAXDIMS + 1];
  for (int i = 0; i < shapes.batch_ndim; ++i) dims[i] = shapes.dims[i];
  dims[shapes.batch_ndim] = shapes.m;
  Ref difference(PyArray_EMPTY(shapes.batch_ndim + 1, dims, NPY_DOUBLE, 0));
  Ref bound(PyArray_EMPTY(shapes.batch_ndim + 1, dims, NPY_DOUBLE, 0));
  if (!difference || !bound) throw py::error_already_set();
  Product asked;
  describe(a.array(), b.array(), c, shapes, kind.dtype, threads, &asked);
  auto *first = static_cast<double *>(PyArray_DATA(difference.array()));
  auto *second = static_cast<double *>(PyArray_DATA(bound.array()));
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_check_rows(&asked.desc, seed, first, second);
  }
  require(status);
  return py::make_tuple(py::reinterpret_steal<py::object>(difference.release()),
                        py::reinterpret_steal<py::object>(bound.release()));
}

py::object reference_matmul(const py::object &x, const py::object &y, const py::object &dtype,
                            int threads) {
  Ref a, b;
  Kind kind;
  Shapes shapes;
  settle(x, y, dtype.ptr(), &a, &b, &kind, &shapes);
  if (shapes.batch_ndim > 0) throw py::value_error("reference_matmul: one product at a time");
  Ref c(PyArray_EMPTY(shapes.ndim, shapes.dims, kind.c, 0));
  if (!c) throw py::error_already_set();
  Product asked;
  describe(a.array(), b.array(), c.array(), shapes, kind.dtype, threads, &asked);
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_reference_gemm(&asked.desc);
  }
  require(status);
  return py::reinterpret_steal<py::object>(c.release());
}

}  // namespace

void bind_verify(py::module_ &m) {
  m.def("check_rows", &check_rows, py::arg("a"), py::arg("b"), py::arg("c"), py::arg("seed"),
        py::arg("threads"));
  m.def("reference_matmul", &reference_matmul, py::arg("a"), py::arg("b"), py::arg("dtype"),
        py::arg("threads"));
}

}  // namespace fastla_py
