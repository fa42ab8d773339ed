// explain: the plan of a product; activate: an epilogue's function alone, for tests.
#include <pybind11/pybind11.h>

#include "args.hpp"
#include "fastla/gemm.h"
#include "fastla/runtime.h"
#include "kinds.hpp"

namespace py = pybind11;

namespace fastla_py {
namespace {

// Sizes and byte strides only: nothing is computed, so no data is needed.
py::dict explain(int64_t m, int64_t n, int64_t k, const std::string &dtype, const py::tuple &a,
                 const py::tuple &b, const py::tuple &c, int threads, const py::object &precision) {
  fastla_gemm_desc desc;
  fastla_gemm_desc_init(&desc);
  desc.dtype = dtype_named(dtype.c_str());
  desc.m = m;
  desc.n = n;
  desc.k = k;
  desc.a = {nullptr, a[0].cast<int64_t>(), a[1].cast<int64_t>(), a[2].cast<bool>()};
  desc.b = {nullptr, b[0].cast<int64_t>(), b[1].cast<int64_t>(), b[2].cast<bool>()};
  desc.c_row_stride = c[0].cast<int64_t>();
  desc.c_col_stride = c[1].cast<int64_t>();
  desc.num_threads = threads;
  const int flags = parse_precision("explain", precision.ptr());
  if (flags < 0) throw py::error_already_set();
  desc.flags = static_cast<uint32_t>(flags);
  fastla_plan_info info;
  fastla_plan_info_init(&info);
  if (fastla_explain(&desc, &info) != FASTLA_OK)
    throw py::value_error("explain: sizes out of range");
  const char *const paths[] = {"auto", "packed", "direct", "vector"};
  py::dict plan;
  plan["path"] = paths[info.path];
  plan["isa"] = info.isa;
  plan["transposed"] = info.transposed != 0;
  plan["threads"] = info.threads;
  plan["mr"] = info.mr;
  plan["nr"] = info.nr;
  plan["mc"] = info.mc;
  plan["nc"] = info.nc;
  plan["kc"] = info.kc;
  plan["tasks"] = info.tasks;
  plan["scratch_bytes"] = info.scratch_bytes;
  plan["predicted_roof_share"] = info.predicted_roof_share;
  plan["levels"] = info.levels;
  return plan;
}

py::object activate(const py::object &name, const py::object &x) {
  const int activation = parse_activation("activate", name.ptr());
  if (activation < 0) throw py::error_already_set();
  Ref array(PyArray_FromAny(x.ptr(), nullptr, 0, 0, NPY_ARRAY_ENSUREARRAY, nullptr));
  if (!array) throw py::error_already_set();
  const int dtype = dtype_of(PyArray_TYPE(array.array()));
  if (dtype < 0) throw py::type_error("activate: x must be float32 or float64");
  const Ref copy(PyArray_NewCopy(array.array(), NPY_CORDER));
  if (!copy) throw py::error_already_set();
  const Ref native = as_native(copy.array(), type_num_of(dtype));
  if (!native) throw py::error_already_set();
  Ref result(PyArray_EMPTY(PyArray_NDIM(native.array()), PyArray_DIMS(native.array()),
                           type_num_of(dtype), 0));
  if (!result) throw py::error_already_set();
  fastla_activate(dtype, activation, PyArray_DATA(native.array()), PyArray_DATA(result.array()),
                  PyArray_SIZE(native.array()));
  return py::reinterpret_steal<py::object>(result.release());
}

}  // namespace

void bind_explain(py::module_ &m) {
  m.def("explain", &explain, py::arg("m"), py::arg("n"), py::arg("k"), py::arg("dtype"),
        py::arg("a"), py::arg("b"), py::arg("c"), py::arg("threads"), py::arg("precision"));
  m.def("activate", &activate, py::arg("name"), py::arg("x"));
}

}  // namespace fastla_py
