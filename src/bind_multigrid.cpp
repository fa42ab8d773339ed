// Aggregates and products of sparse matrices: arrays that csr_check has found good go to the core.
#include <pybind11/pybind11.h>

#include "args.hpp"
#include "fastla/multigrid.h"
#include "operands.hpp"

namespace py = pybind11;

namespace fastla_py {
namespace {

int64_t length_of(const char *function, const py::object &x) {
  PyArrayObject *array = array_or_none(function, "a vector", x);
  if (!array) refuse(function, "a vector", "an array");
  return PyArray_SIZE(array);
}

fastla_csr csr_of(const char *function, const py::object &indptr, const py::object &indices,
                  const py::object &data, int64_t cols) {
  fastla_csr made{};
  made.rows = length_of(function, indptr) - 1;
  made.cols = cols;
  if (made.rows < 0) refuse(function, "indptr", "of one element at least");
  const int64_t entries = length_of(function, indices);
  made.starts = static_cast<const int32_t *>(
      contiguous_vector(function, "indptr", indptr, NPY_INT32, made.rows + 1));
  made.indices = static_cast<const int32_t *>(
      contiguous_vector(function, "indices", indices, NPY_INT32, entries));
  made.values =
      static_cast<const double *>(contiguous_vector(function, "data", data, NPY_DOUBLE, entries));
  if (!made.values || made.starts[made.rows] > entries)
    refuse(function, "indptr, indices, data", "what csr_check has found good");
  return made;
}

py::object new_vector(int64_t length, int type) {
  npy_intp dims[1] = {npy_intp(length)};
  PyObject *made = PyArray_SimpleNew(1, dims, type);
  if (!made) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(made);
}
template <class T> T *data_of(const py::object &x) {
  return static_cast<T *>(PyArray_DATA(reinterpret_cast<PyArrayObject *>(x.ptr())));
}

py::tuple aggregates(const py::object &indptr, const py::object &indices, const py::object &data,
                     double share, double least) {
  const char *const function = "csr_aggregates";
  const int64_t n = length_of(function, indptr) - 1;
  const fastla_csr a = csr_of(function, indptr, indices, data, n);
  const py::object of = new_vector(n, NPY_INT32);
  int64_t count = 0;
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_aggregate(&a, share, least, data_of<int32_t>(of), &count);
  }
  require_status(function, status);
  return py::make_tuple(of, count);
}

py::tuple product(const py::object &a_indptr, const py::object &a_indices, const py::object &a_data,
                  const py::object &b_indptr, const py::object &b_indices, const py::object &b_data,
                  int64_t columns, const py::object &num_threads) {
  const char *const function = "csr_product";
  const int threads = parse_threads(function, num_threads.ptr());
  if (threads < 0) throw py::error_already_set();
  const fastla_csr b = csr_of(function, b_indptr, b_indices, b_data, columns);
  const fastla_csr a = csr_of(function, a_indptr, a_indices, a_data, b.rows);
  const py::object starts = new_vector(a.rows + 1, NPY_INT32);
  int32_t *const at = data_of<int32_t>(starts);
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_csr_product_starts(&a, &b, threads, at);
  }
  require_status(function, status);
  const py::object indices = new_vector(at[a.rows], NPY_INT32),
                   values = new_vector(at[a.rows], NPY_DOUBLE);
  {
    const py::gil_scoped_release release;
    status =
        fastla_csr_product(&a, &b, threads, at, data_of<int32_t>(indices), data_of<double>(values));
  }
  require_status(function, status);
  return py::make_tuple(starts, indices, values);
}

}  // namespace

void bind_multigrid(py::module_ &m) {
  m.def("csr_aggregates", &aggregates, py::arg("indptr"), py::arg("indices"), py::arg("data"),
        py::arg("share"), py::arg("least"));
  m.def("csr_product", &product, py::arg("a_indptr"), py::arg("a_indices"), py::arg("a_data"),
        py::arg("b_indptr"), py::arg("b_indices"), py::arg("b_data"), py::arg("columns"),
        py::arg("num_threads") = py::none());
}

}  // namespace fastla_py
