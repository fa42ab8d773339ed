// Steps of PageRank: contiguous arrays, which Python code has made, go to the core.
#include <pybind11/pybind11.h>

#include "args.hpp"
#include "fastla/rank.h"
#include "operands.hpp"

namespace py = pybind11;

namespace fastla_py {
namespace {

PyArrayObject *array(const char *function, const char *name, const py::object &x) {
  if (!PyArray_Check(x.ptr())) refuse(function, name, "an array");
  return reinterpret_cast<PyArrayObject *>(x.ptr());
}
PyArrayObject *output(const char *function, const char *name, const py::object &x) {
  PyArrayObject *const a = array(function, name, x);
  if (!PyArray_ISWRITEABLE(a)) refuse(function, name, "writeable");
  return a;
}
int index_type(const char *function, PyArrayObject *starts) {
  const int type = PyArray_TYPE(starts);
  if (!PyArray_EquivTypenums(type, NPY_INT32) && !PyArray_EquivTypenums(type, NPY_INT64))
    refuse(function, "indptr", "of dtype int32 or int64");
  return type;
}

// (nodes or 1, columns or 1) of doubles.
const double *spread(const char *name, const py::object &x, int64_t nodes, int64_t columns,
                     int64_t *row, int64_t *column) {
  const char *const function = "rank_step";
  PyArrayObject *const a = array(function, name, x);
  if (PyArray_NDIM(a) != 2 || !is_native(a, NPY_DOUBLE) || !PyArray_IS_C_CONTIGUOUS(a) ||
      (PyArray_DIM(a, 0) != nodes && PyArray_DIM(a, 0) != 1) ||
      (PyArray_DIM(a, 1) != columns && PyArray_DIM(a, 1) != 1))
    refuse(function, name, "a contiguous matrix of float64 that fits");
  *row = PyArray_DIM(a, 0) == 1 ? 0 : PyArray_DIM(a, 1);
  *column = PyArray_DIM(a, 1) == 1 ? 0 : 1;
  return static_cast<const double *>(PyArray_DATA(a));
}

void step(const py::object &indptr, const py::object &indices, const py::object &weights,
          const py::object &x, const py::object &from, const py::object &inverse,
          const py::object &jump, const py::object &jump_factor, const py::object &sink,
          const py::object &sink_factor, double alpha, const py::object &to, const py::object &next,
          const py::object &sums, const py::object &threads) {
  const char *const function = "rank_step";
  fastla_rank_desc desc;
  fastla_rank_desc_init(&desc);
  desc.num_threads = parse_threads(function, threads.ptr());
  if (desc.num_threads < 0) throw py::error_already_set();
  PyArrayObject *const starts = array(function, "indptr", indptr), *const ranks =
                                                                       output(function, "to", to);
  const int index = index_type(function, starts), type = PyArray_TYPE(ranks);
  desc.index_bytes = int32_t(PyArray_ITEMSIZE(starts));
  desc.dtype = dtype_of(type);
  if (PyArray_NDIM(ranks) != 2 || (desc.dtype != FASTLA_F32 && desc.dtype != FASTLA_F64))
    refuse(function, "to", "a matrix of float32 or float64");
  desc.nodes = PyArray_DIM(ranks, 0);
  desc.columns = PyArray_DIM(ranks, 1);
  desc.entries = PyArray_SIZE(array(function, "indices", indices));
  const int64_t size = desc.nodes * desc.columns;
  desc.starts = contiguous_vector(function, "indptr", indptr, index, desc.nodes + 1);
  desc.indices = contiguous_vector(function, "indices", indices, index, desc.entries);
  desc.weights = contiguous_vector(function, "weights", weights, type, desc.entries);
  const int64_t ranks_read = PyArray_SIZE(array(function, "x", x));
  desc.sources = desc.columns ? ranks_read / desc.columns : 0;
  desc.x = contiguous_vector(function, "x", x, type, desc.sources * desc.columns);
  desc.from = contiguous_vector(function, "from", from, type, size);
  desc.inverse = contiguous_vector(function, "inverse", inverse, type, desc.nodes);
  desc.to = contiguous_vector(function, "to", to, type, size);
  output(function, "next", next);
  desc.next = contiguous_vector(function, "next", next, type, size);
  desc.jump = spread("jump", jump, desc.nodes, desc.columns, &desc.jump_row, &desc.jump_column);
  desc.jump_factor = static_cast<const double *>(
      contiguous_vector(function, "jump_factor", jump_factor, NPY_DOUBLE, desc.columns));
  if (!sink.is_none()) {
    desc.sink = spread("sink", sink, desc.nodes, desc.columns, &desc.sink_row, &desc.sink_column);
    desc.sink_factor = static_cast<const double *>(
        contiguous_vector(function, "sink_factor", sink_factor, NPY_DOUBLE, desc.columns));
  }
  desc.alpha = alpha;
  output(function, "sums", sums);
  desc.change = static_cast<int64_t *>(
      contiguous_vector(function, "sums", sums, NPY_INT64, 3 * desc.columns));
  desc.dangling = desc.change + desc.columns;
  desc.total = desc.dangling + desc.columns;
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_rank_step(&desc);
  }
  require_status(function, status);
}

// The weights' bytes: 4 or 8.
int32_t weights_of(const char *function, const py::object &weights, int64_t entries,
                   const void **values) {
  const auto bytes = int32_t(PyArray_ITEMSIZE(array(function, "weights", weights)));
  *values =
      contiguous_vector(function, "weights", weights, bytes == 4 ? NPY_FLOAT : NPY_DOUBLE, entries);
  return bytes;
}

// Adds to sums what goes out of each node: weights to doubles, or, where there are none, edges to integers.
void add_out(const py::object &indices, const py::object &weights, const py::object &sums) {
  const char *const function = "rank_add_out";
  PyArrayObject *const from = array(function, "indices", indices);
  const int index = index_type(function, from);
  const int64_t entries = PyArray_SIZE(from), nodes = PyArray_SIZE(output(function, "sums", sums));
  const auto bytes = int32_t(PyArray_ITEMSIZE(from));
  const void *const sources = contiguous_vector(function, "indices", indices, index, entries);
  const bool counts = weights.is_none();
  void *const to =
      contiguous_vector(function, "sums", sums, counts ? NPY_INT64 : NPY_DOUBLE, nodes);
  const void *values = nullptr;
  const int32_t weight_bytes = counts ? 0 : weights_of(function, weights, entries, &values);
  const py::gil_scoped_release release;
  if (counts)
    fastla_rank_add_degrees(bytes, entries, sources, static_cast<int64_t *>(to));
  else
    fastla_rank_add_strengths(bytes, weight_bytes, entries, sources, values,
                              static_cast<double *>(to));
}

void chances(const py::object &indices, const py::object &weights, const py::object &strength,
             const py::object &out, const py::object &threads) {
  const char *const function = "rank_chances";
  const int count = parse_threads(function, threads.ptr());
  if (count < 0) throw py::error_already_set();
  PyArrayObject *const from = array(function, "indices", indices), *const made =
                                                                       output(function, "out", out);
  const int64_t entries = PyArray_SIZE(from),
                nodes = PyArray_SIZE(array(function, "strength", strength));
  const void *values = nullptr;
  const int32_t weight_bytes = weights_of(function, weights, entries, &values);
  const int type = PyArray_TYPE(made), dtype = dtype_of(type);
  if (dtype != FASTLA_F32 && dtype != FASTLA_F64) refuse(function, "out", "of float32 or float64");
  const void *const sources =
      contiguous_vector(function, "indices", indices, index_type(function, from), entries);
  const auto *const whole = static_cast<const double *>(
      contiguous_vector(function, "strength", strength, NPY_DOUBLE, nodes));
  void *const to = contiguous_vector(function, "out", out, type, entries);
  const py::gil_scoped_release release;
  fastla_rank_chances(int32_t(PyArray_ITEMSIZE(from)), weight_bytes, dtype, count, entries, sources,
                      values, whole, to);
}

py::object like(const py::object &x) {
  PyArrayObject *const a = reinterpret_cast<PyArrayObject *>(x.ptr());
  PyObject *made = PyArray_SimpleNew(PyArray_NDIM(a), PyArray_DIMS(a), PyArray_TYPE(a));
  if (!made) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(made);
}
void *data_of(const py::object &x) {
  return x.is_none() ? nullptr : PyArray_DATA(reinterpret_cast<PyArrayObject *>(x.ptr()));
}

// (order, indptr, indices, weights)
py::tuple reorder(const py::object &indptr, const py::object &indices, const py::object &weights,
                  const py::object &out_degree, const py::object &threads) {
  const char *const function = "rank_reorder";
  const int count = parse_threads(function, threads.ptr());
  if (count < 0) throw py::error_already_set();
  PyArrayObject *const starts = array(function, "indptr", indptr);
  const int index = index_type(function, starts);
  const int64_t nodes = PyArray_SIZE(starts) - 1,
                entries = PyArray_SIZE(array(function, "indices", indices));
  const void *const from = contiguous_vector(function, "indptr", indptr, index, nodes + 1),
                    *const sources =
                        contiguous_vector(function, "indices", indices, index, entries),
                    *const out =
                        contiguous_vector(function, "out_degree", out_degree, NPY_INT64, nodes);
  int32_t weight_bytes = 0;
  const void *values = nullptr;
  if (!weights.is_none()) {
    weight_bytes = weights_of(function, weights, entries, &values);
  }
  npy_intp dims[1] = {npy_intp(nodes)};
  PyObject *made = PyArray_SimpleNew(1, dims, index);
  if (!made) throw py::error_already_set();
  const py::object order = py::reinterpret_steal<py::object>(made), new_starts = like(indptr),
                   new_indices = like(indices),
                   new_weights = weights.is_none() ? py::object(py::none()) : like(weights);
  const int32_t bytes = int32_t(PyArray_ITEMSIZE(starts));
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status =
        fastla_rank_order(bytes, nodes, from, static_cast<const int64_t *>(out), data_of(order));
    if (status == FASTLA_OK)
      status = fastla_rank_reorder(bytes, weight_bytes, count, nodes, from, sources, values,
                                   data_of(order), data_of(new_starts), data_of(new_indices),
                                   data_of(new_weights));
  }
  require_status(function, status);
  return py::make_tuple(order, new_starts, new_indices, new_weights);
}

}  // namespace

void bind_rank(py::module_ &m) {
  m.def("rank_step", &step, py::arg("indptr"), py::arg("indices"), py::arg("weights"), py::arg("x"),
        py::arg("from_"), py::arg("inverse"), py::arg("jump"), py::arg("jump_factor"),
        py::arg("sink"), py::arg("sink_factor"), py::arg("alpha"), py::arg("to"), py::arg("next"),
        py::arg("sums"), py::arg("num_threads") = py::none());
  m.def("rank_add_out", &add_out, py::arg("indices"), py::arg("weights"), py::arg("sums"));
  m.def("rank_chances", &chances, py::arg("indices"), py::arg("weights"), py::arg("strength"),
        py::arg("out"), py::arg("num_threads") = py::none());
  m.def("rank_reorder", &reorder, py::arg("indptr"), py::arg("indices"), py::arg("weights"),
        py::arg("out_degree"), py::arg("num_threads") = py::none());
}

}  // namespace fastla_py
