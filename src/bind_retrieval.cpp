// The best rows for rows: arrays that Python code has made ready go to the core.
#include <pybind11/pybind11.h>

#include "args.hpp"
#include "fastla/retrieval.h"
#include "operands.hpp"

namespace py = pybind11;

namespace fastla_py {
namespace {

constexpr const char *kFunction = "topk";

// Rows of contiguous elements.
PyArrayObject *matrix(const char *name, const py::object &x, int type, int64_t rows, int64_t cols) {
  PyArrayObject *array = array_or_none(kFunction, name, x);
  if (!array || PyArray_NDIM(array) != 2 || PyArray_TYPE(array) != type ||
      (rows >= 0 && PyArray_DIM(array, 0) != rows) || (cols >= 0 && PyArray_DIM(array, 1) != cols))
    refuse(kFunction, name, "a matrix of the right shape and dtype");
  if (PyArray_DIM(array, 1) > 1 && PyArray_SIZE(array) &&
      PyArray_STRIDE(array, 1) != PyArray_ITEMSIZE(array))
    refuse(kFunction, name, "of contiguous rows");
  return array;
}
fastla_rows rows_of(PyArrayObject *array) {
  return {PyArray_DATA(array), int64_t(PyArray_STRIDE(array, 0))};
}

void topk(const py::object &q, const py::object &x, const py::object &values,
          const py::object &indices, const py::object &row_scale, const py::object &col_scale,
          const py::object &col_bias, const py::object &exclude, const py::object &from,
          const py::object &to, const py::object &half_square, const py::object &slack) {
  PyArrayObject *first = array_or_none(kFunction, "q", q);
  const int type = first ? PyArray_TYPE(first) : -1;
  if (dtype_of(type) < 0) refuse(kFunction, "q", "of dtype float32 or float64");
  PyArrayObject *queries = matrix("q", q, type, -1, -1);
  const int64_t m = PyArray_DIM(queries, 0), size = PyArray_DIM(queries, 1);
  PyArrayObject *rows = matrix("x", x, type, -1, size);
  const int64_t n = PyArray_DIM(rows, 0);
  PyArrayObject *best = matrix("values", values, type, m, -1);
  fastla_topk_desc desc;
  fastla_topk_desc_init(&desc);
  desc.dtype = dtype_of(type);
  desc.m = m;
  desc.n = n;
  desc.size = size;
  desc.k = PyArray_DIM(best, 1);
  desc.q = rows_of(queries);
  desc.x = rows_of(rows);
  desc.row_scale = contiguous_vector(kFunction, "row_scale", row_scale, type, m);
  desc.col_scale = contiguous_vector(kFunction, "col_scale", col_scale, type, n);
  desc.col_bias = contiguous_vector(kFunction, "col_bias", col_bias, type, n);
  desc.exclude =
      static_cast<const int64_t *>(contiguous_vector(kFunction, "exclude", exclude, NPY_INT64, m));
  if (!from.is_none()) {
    desc.from = rows_of(matrix("rows_from", from, type, m, size));
    desc.to = rows_of(matrix("rows_to", to, type, n, size));
  }
  desc.half_square = static_cast<const double *>(
      contiguous_vector(kFunction, "half_square", half_square, NPY_DOUBLE, m));
  desc.slack =
      static_cast<const double *>(contiguous_vector(kFunction, "slack", slack, NPY_DOUBLE, m));
  desc.values = contiguous_vector(kFunction, "values", values, type, m * desc.k);
  desc.indices = static_cast<int64_t *>(
      contiguous_vector(kFunction, "indices", indices, NPY_INT64, m * desc.k));
  if (!PyArray_ISWRITEABLE(best) || !desc.indices ||
      !PyArray_ISWRITEABLE(reinterpret_cast<PyArrayObject *>(indices.ptr())))
    refuse(kFunction, "values and indices", "writeable");
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_topk(&desc);
  }
  require_status(kFunction, status);
}

void row_distances(const py::object &x, const py::object &y, const py::object &index,
                   const py::object &out) {
  PyArrayObject *first = array_or_none(kFunction, "x", x);
  const int type = first ? PyArray_TYPE(first) : -1;
  if (dtype_of(type) < 0) refuse(kFunction, "x", "of dtype float32 or float64");
  PyArrayObject *rows = matrix("x", x, type, -1, -1);
  const int64_t n = PyArray_DIM(rows, 0), size = PyArray_DIM(rows, 1);
  PyArrayObject *others = matrix("y", y, type, -1, size);
  const auto *places =
      static_cast<const int32_t *>(contiguous_vector(kFunction, "index", index, NPY_INT32, n));
  for (int64_t i = 0; i < n; ++i) {
    const int64_t place = places ? places[i] : 0;
    if (place < 0 || place >= PyArray_DIM(others, 0)) refuse(kFunction, "index", "of rows of y");
  }
  auto *to = static_cast<double *>(contiguous_vector(kFunction, "out", out, NPY_DOUBLE, n));
  if (!to) refuse(kFunction, "out", "an array");
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status =
        fastla_row_distances(dtype_of(type), n, size, rows_of(rows), rows_of(others), places, to);
  }
  require_status(kFunction, status);
}

void lloyd(const py::object &x, const py::object &centers, const py::object &bias,
           const py::object &weights, const py::object &labels, const py::object &sums,
           const py::object &counts) {
  const char *const function = "lloyd";
  PyArrayObject *first = array_or_none(function, "x", x);
  const int type = first ? PyArray_TYPE(first) : -1;
  if (dtype_of(type) < 0) refuse(function, "x", "of dtype float32 or float64");
  PyArrayObject *rows = matrix("x", x, type, -1, -1),
                *to = matrix("sums", sums, NPY_DOUBLE, -1, -1);
  fastla_lloyd_desc desc;
  fastla_lloyd_desc_init(&desc);
  desc.dtype = dtype_of(type);
  desc.rows = PyArray_DIM(rows, 0);
  desc.size = PyArray_DIM(rows, 1);
  desc.k = PyArray_DIM(to, 0);
  desc.x = rows_of(rows);
  desc.centers = contiguous_vector(function, "centers", centers, type, desc.size * desc.k);
  desc.bias = contiguous_vector(function, "bias", bias, type, desc.k);
  desc.weights = contiguous_vector(function, "weights", weights, type, desc.rows);
  desc.labels =
      static_cast<int32_t *>(contiguous_vector(function, "labels", labels, NPY_INT32, desc.rows));
  desc.sums = static_cast<double *>(
      contiguous_vector(function, "sums", sums, NPY_DOUBLE, desc.k * desc.size));
  desc.counts =
      static_cast<double *>(contiguous_vector(function, "counts", counts, NPY_DOUBLE, desc.k));
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_lloyd(&desc);
  }
  require_status(function, status);
}

void sweep(const py::object &x, const py::object &names, int64_t axis, const py::object &values,
           const py::object &indices) {
  const char *const function = "sweep";
  PyArrayObject *first = array_or_none(function, "x", x);
  const int type = first ? PyArray_TYPE(first) : -1;
  if (dtype_of(type) < 0) refuse(function, "x", "of dtype float32 or float64");
  PyArrayObject *rows = matrix("x", x, type, -1, -1);
  fastla_sweep_desc desc;
  fastla_sweep_desc_init(&desc);
  desc.dtype = dtype_of(type);
  desc.rows = PyArray_DIM(rows, 0);
  desc.size = PyArray_DIM(rows, 1);
  desc.axis = axis;
  desc.k = PyArray_DIM(matrix("values", values, type, desc.rows, -1), 1);
  desc.x = rows_of(rows);
  desc.names = static_cast<const int64_t *>(
      contiguous_vector(function, "names", names, NPY_INT64, desc.rows));
  for (int64_t i = 0; desc.names && i < desc.rows; ++i)
    if (desc.names[i] < 0 || desc.names[i] >= desc.rows) refuse(function, "names", "of rows");
  desc.values = contiguous_vector(function, "values", values, type, desc.rows * desc.k);
  desc.indices = static_cast<int64_t *>(
      contiguous_vector(function, "indices", indices, NPY_INT64, desc.rows * desc.k));
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_sweep(&desc);
  }
  require_status(function, status);
}

}  // namespace

void bind_retrieval(py::module_ &m) {
  const py::none none;
  m.def("topk", &topk, py::arg("q"), py::arg("x"), py::arg("values"), py::arg("indices"),
        py::arg("row_scale") = none, py::arg("col_scale") = none, py::arg("col_bias") = none,
        py::arg("exclude") = none, py::arg("rows_from") = none, py::arg("rows_to") = none,
        py::arg("half_square") = none, py::arg("slack") = none);
  m.def("row_distances", &row_distances, py::arg("x"), py::arg("y"), py::arg("index"),
        py::arg("out"));
  m.def("lloyd", &lloyd, py::arg("x"), py::arg("centers"), py::arg("bias"), py::arg("weights"),
        py::arg("labels"), py::arg("sums"), py::arg("counts"));
  m.def("sweep", &sweep, py::arg("x"), py::arg("names"), py::arg("axis"), py::arg("values"),
        py::arg("indices"));
}

}  // namespace fastla_py
