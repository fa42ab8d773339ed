// Graphs: arrays of edges go to the core, and compressed ones come back.
#include <pybind11/pybind11.h>

#include <memory>

#include "args.hpp"
#include "fastla/graph.h"
#include "operands.hpp"

namespace py = pybind11;

namespace fastla_py {
namespace {

py::object new_vector(int64_t length, int type) {
  npy_intp dims[1] = {npy_intp(length)};
  PyObject *made = PyArray_SimpleNew(1, dims, type);
  if (!made) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(made);
}
PyArrayObject *as_array(const py::object &x) { return reinterpret_cast<PyArrayObject *>(x.ptr()); }
void *data_of(const py::object &x) { return x.is_none() ? nullptr : PyArray_DATA(as_array(x)); }

int threads_of(const char *function, const py::object &threads) {
  const int n = parse_threads(function, threads.ptr());
  if (n < 0) throw py::error_already_set();
  return n;
}

// Of one of two types; Python code has made it so.
void *vector(const char *name, const py::object &x, int narrow, int wide, int64_t length) {
  const bool small =
      PyArray_Check(x.ptr()) && PyArray_EquivTypenums(PyArray_TYPE(as_array(x)), narrow);
  if (!PyArray_Check(x.ptr()) ||
      (!small && !PyArray_EquivTypenums(PyArray_TYPE(as_array(x)), wide)))
    refuse("graph_build", name, "of one of two dtypes");
  return contiguous_vector("graph_build", name, x, PyArray_TYPE(as_array(x)), length);
}

struct Free {
  void operator()(fastla_sorted_edges *sorted) const { fastla_edges_free(sorted); }
};
using SortedEdges = std::unique_ptr<fastla_sorted_edges, Free>;

[[noreturn]] void refuse_edge(const char *function, const fastla_edges &edges,
                              const fastla_edges_report &report, const py::object &source,
                              const py::object &target, const py::object &weight) {
  const auto say = [&](const char *name, const py::object &x, const char *must) {
    const py::object text = py::reinterpret_steal<py::object>(shape_text(as_array(x)).release()),
                     value = x[py::int_(report.wrong)];
    PyErr_Format(PyExc_ValueError, "%s: %s of shape %S, dtype %S has %S at %lld; %s", function,
                 name, text.ptr(), reinterpret_cast<PyObject *>(PyArray_DESCR(as_array(x))),
                 value.ptr(), (long long)report.wrong, must);
  };
  const std::string nodes =
      "for " + std::to_string(edges.nodes) + " nodes it must be " +
      (edges.nodes ? "from 0 to " + std::to_string(edges.nodes - 1) : "empty");
  if (report.what == FASTLA_SOURCE)
    say("source", source, nodes.c_str());
  else if (report.what == FASTLA_TARGET)
    say("target", target, nodes.c_str());
  else if (report.what == FASTLA_WEIGHT)
    say("weight", weight, "weights must be finite and not negative");
  else
    PyErr_Format(PyExc_ValueError,
                 "%s: the edge from %lld to %lld is given more than once; duplicates is 'error'",
                 function, (long long)report.source, (long long)report.target);
  throw py::error_already_set();
}

py::tuple build(const char *function, const py::object &source, const py::object &target,
                const py::object &weight, int64_t nodes, int duplicates, bool both_ways,
                const py::object &threads) {
  fastla_edges edges;
  fastla_edges_init(&edges);
  edges.num_threads = threads_of(function, threads);
  edges.nodes = nodes;
  edges.duplicates = duplicates;
  edges.both_ways = both_ways;
  if (!PyArray_Check(source.ptr())) refuse(function, "source", "an array");
  edges.count = PyArray_SIZE(as_array(source));
  edges.source = vector("source", source, NPY_INT32, NPY_INT64, edges.count);
  edges.target =
      contiguous_vector(function, "target", target, PyArray_TYPE(as_array(source)), edges.count);
  edges.id_bytes = int32_t(PyArray_ITEMSIZE(as_array(source)));
  if (!weight.is_none()) {
    edges.weight = vector("weight", weight, NPY_FLOAT, NPY_DOUBLE, edges.count);
    edges.weight_bytes = int32_t(PyArray_ITEMSIZE(as_array(weight)));
  }
  fastla_edges_report report;
  fastla_sorted_edges *made = nullptr;
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_edges_sort(&edges, &made, &report);
  }
  const SortedEdges sorted{made};
  if (report.what) refuse_edge(function, edges, report, source, target, weight);
  require_status(function, status);
  const bool narrow = nodes <= INT32_MAX && report.stored <= INT32_MAX;
  const int index = narrow ? NPY_INT32 : NPY_INT64;
  const bool counts = duplicates == FASTLA_SUM && report.stored < report.given;
  const py::object starts = new_vector(nodes + 1, index),
                   indices = new_vector(report.stored, index);
  py::object values = py::none();
  if (edges.weight || counts)
    values = new_vector(report.stored, edges.weight_bytes == 4 ? NPY_FLOAT : NPY_DOUBLE);
  {
    const py::gil_scoped_release release;
    fastla_edges_write(sorted.get(), narrow ? 4 : 8, data_of(starts), data_of(indices),
                       data_of(values));
  }
  return py::make_tuple(starts, indices, values);
}

py::tuple rmat(int scale, int64_t first, int64_t count, double a, double b, double c, uint64_t seed,
               bool scrambled, const py::object &threads) {
  fastla_rmat_desc desc;
  fastla_rmat_desc_init(&desc);
  desc.num_threads = threads_of("rmat", threads);
  desc.scale = scale;
  desc.scrambled = scrambled;
  desc.seed = seed;
  desc.a = a;
  desc.b = b;
  desc.c = c;
  const py::object source = new_vector(count, NPY_INT32), target = new_vector(count, NPY_INT32);
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_rmat(&desc, first, count, static_cast<int32_t *>(data_of(source)),
                         static_cast<int32_t *>(data_of(target)));
  }
  require_status("rmat", status);
  return py::make_tuple(source, target);
}

// Lines of a buffer into arrays from a place on. (edges, lines, fault, lines before it, its begin)
py::tuple parse(const py::object &buffer, int64_t bytes, const py::object &source,
                const py::object &target, const py::object &weight, int64_t at, int weight_column,
                const std::string &delimiter, const std::string &comment, int64_t base,
                int64_t nodes, const py::object &threads) {
  const char *const function = "graph_parse";
  fastla_edge_text text;
  fastla_edge_text_init(&text);
  text.num_threads = threads_of(function, threads);
  text.weight_column = weight_column;
  text.delimiter = delimiter.empty() ? 0 : delimiter[0];
  text.base = base;
  text.nodes = nodes;
  if (comment.size() > sizeof(text.comment) || delimiter.size() > 1)
    refuse(function, "comment and delimiter", "short");
  text.comment_bytes = int32_t(comment.copy(text.comment, sizeof(text.comment)));
  if (!PyArray_Check(buffer.ptr()) || !PyArray_Check(source.ptr()))
    refuse(function, "buffer and source", "arrays");
  const int64_t room = PyArray_SIZE(as_array(source));
  if (bytes < 0 || PyArray_SIZE(as_array(buffer)) < bytes + 8 || at < 0 ||
      room - at < bytes / 4 + 1)
    refuse(function, "buffer and source", "large enough");
  text.text = static_cast<const char *>(
      contiguous_vector(function, "buffer", buffer, NPY_UINT8, PyArray_SIZE(as_array(buffer))));
  text.bytes = bytes;
  text.id_bytes = int32_t(PyArray_ITEMSIZE(as_array(source)));
  char *const from = static_cast<char *>(vector("source", source, NPY_INT32, NPY_INT64, room)),
              *const to = static_cast<char *>(contiguous_vector(
                  function, "target", target, PyArray_TYPE(as_array(source)), room));
  double *const values =
      static_cast<double *>(contiguous_vector(function, "weight", weight, NPY_DOUBLE, room));
  fastla_text_report report;
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_edges_parse(&text, from + at * text.id_bytes, to + at * text.id_bytes,
                                values ? values + at : nullptr, &report);
  }
  if (!report.fault) require_status(function, status);
  return py::make_tuple(report.edges, report.lines, report.fault, report.line, report.begin);
}

}  // namespace

void bind_graph(py::module_ &m) {
  m.def("graph_build", &build, py::arg("function"), py::arg("source"), py::arg("target"),
        py::arg("weight"), py::arg("nodes"), py::arg("duplicates"), py::arg("both_ways"),
        py::arg("num_threads") = py::none());
  m.def("graph_parse", &parse, py::arg("buffer"), py::arg("bytes"), py::arg("source"),
        py::arg("target"), py::arg("weight"), py::arg("at"), py::arg("weight_column"),
        py::arg("delimiter"), py::arg("comment"), py::arg("base"), py::arg("nodes"),
        py::arg("num_threads") = py::none());
  m.def("graph_rmat", &rmat, py::arg("scale"), py::arg("first"), py::arg("count"), py::arg("a"),
        py::arg("b"), py::arg("c"), py::arg("seed"), py::arg("scrambled"),
        py::arg("num_threads") = py::none());
}

}  // namespace fastla_py
