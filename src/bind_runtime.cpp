// The process: threads, kernel rows, roof, limits.
#include <pybind11/pybind11.h>

#include "fastla/gemm.h"
#include "fastla/runtime.h"
#include "kinds.hpp"

namespace py = pybind11;

namespace fastla_py {
namespace {

py::list kernels() {
  py::list rows;
  for (int i = 0; i < fastla_row_count(); ++i) {
    fastla_row_info info;
    if (fastla_get_row(i, &info) != FASTLA_OK) continue;
    py::dict row;
    row["isa"] = info.isa;
    row["dtype"] = dtype_name(info.dtype);
    row["mr"] = info.mr;
    row["nr"] = info.nr;
    row["vector_bytes"] = info.vector_bytes;
    row["usable"] = info.usable != 0;
    row["chosen"] = info.chosen != 0;
    rows.append(row);
  }
  return rows;
}

void use_isa(const py::object &name) {
  const std::string text = name.is_none() ? std::string() : name.cast<std::string>();
  const fastla_status status = fastla_use_isa(name.is_none() ? nullptr : text.c_str());
  if (status == FASTLA_OK) return;
  if (status == FASTLA_INVALID)
    PyErr_Format(PyExc_ValueError, "use_isa: there are no kernels named '%s'", text.c_str());
  else
    PyErr_Format(PyExc_RuntimeError, "use_isa: this CPU cannot run '%s' (it has: %s)", text.c_str(),
                 fastla_cpu_features());
  throw py::error_already_set();
}

void force_path(const std::string &name) {
  const char *const names[] = {"auto", "packed", "direct", "vector"};
  for (int i = 0; i < FASTLA_PATHS; ++i)
    if (name == names[i]) {
      fastla_force_path(i);
      return;
    }
  PyErr_Format(PyExc_ValueError, "force_path: '%s' is not 'auto', 'packed', 'direct' or 'vector'",
               name.c_str());
  throw py::error_already_set();
}

double roof_fma(const std::string &dtype, int threads, double seconds, int rounds) {
  double flops = 0;
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_roof_fma(dtype_named(dtype.c_str()), threads, seconds, rounds, &flops);
  }
  if (status != FASTLA_OK)
    throw py::value_error("roof: threads and seconds must be positive, rounds 1 to 15");
  return flops;
}

double roof_read(int threads, double seconds) {
  double rate = 0;
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_roof_read(threads, seconds, &rate);
  }
  if (status == FASTLA_NO_MEMORY) throw std::bad_alloc();
  if (status != FASTLA_OK) throw py::value_error("roof: threads and seconds must be positive");
  return rate;
}

py::dict cpu_info() {
  py::dict info;
  info["name"] = fastla_cpu_name();
  info["features"] = fastla_cpu_features();
  info["l1"] = fastla_cache_bytes(1);
  info["l2"] = fastla_cache_bytes(2);
  info["l3"] = fastla_cache_bytes(3);
  const char *error = fastla_isa_env_error();
  info["isa_env_error"] = error ? py::object(py::str(error)) : py::object(py::none());
  return info;
}

}  // namespace

void bind_runtime(py::module_ &m) {
  m.def("kernels", &kernels);
  m.def("use_isa", &use_isa, py::arg("name"));
  m.def("force_path", &force_path, py::arg("name"));
  m.def("force_strassen", &fastla_force_strassen, py::arg("least"));
  m.def("get_num_threads", &fastla_get_num_threads);
  m.def("set_num_threads", &fastla_set_num_threads, py::arg("n"));
  m.def("thread_context", &fastla_thread_context, py::arg("n"));
  m.def("team_started", [] { return fastla_team_started() != 0; });
  m.def(
      "cgroup_cpus", [](const std::string &root) { return fastla_cgroup_cpus(root.c_str()); },
      py::arg("root"));
  m.def("affinity_cpus", &fastla_affinity_cpus);
  m.def("roof_fma", &roof_fma, py::arg("dtype"), py::arg("threads"), py::arg("seconds"),
        py::arg("rounds"));
  m.def("roof_read", &roof_read, py::arg("threads"), py::arg("seconds"));
  m.def("cpu_info", &cpu_info);
  m.def("release_workspace", &fastla_release_workspace);
  m.def("workspace_bytes", &fastla_workspace_bytes);
}

}  // namespace fastla_py
