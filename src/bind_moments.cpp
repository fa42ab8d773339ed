// Sums of rows and of their products.
#include <pybind11/pybind11.h>

#include "args.hpp"
#include "fastla/moments.h"
#include "operands.hpp"

namespace py = pybind11;

namespace fastla_py {
namespace {

PyArrayObject *plain(const py::object &x, int ndim, int type) {
  if (!PyArray_Check(x.ptr())) return nullptr;
  auto *a = reinterpret_cast<PyArrayObject *>(x.ptr());
  return PyArray_NDIM(a) == ndim && is_native(a, type) && PyArray_IS_C_CONTIGUOUS(a) ? a : nullptr;
}

// False: these arrays do not lie so that the core can go through them; nothing is changed.
bool moments(const py::object &x, const py::object &shift, const py::object &sums,
             const py::object &scatter) {
  if (!PyArray_Check(x.ptr())) return false;
  auto *rows = reinterpret_cast<PyArrayObject *>(x.ptr());
  const int type = PyArray_TYPE(rows), dtype = dtype_of(type);
  if (PyArray_NDIM(rows) != 2 || (dtype != FASTLA_F32 && dtype != FASTLA_F64)) return false;
  const npy_intp cols = PyArray_DIM(rows, 1), size = PyArray_ITEMSIZE(rows);
  PyArrayObject *less = plain(shift, 1, type), *to = plain(sums, 1, NPY_DOUBLE),
                *square = plain(scatter, 2, NPY_DOUBLE);
  if (!less || !to || !square || !is_native(rows, type) || !PyArray_ISALIGNED(rows)) return false;
  if (cols > 1 && PyArray_STRIDE(rows, 1) != size) return false;
  if (cols > fastla_moments_cols(dtype) || PyArray_DIM(less, 0) != cols ||
      PyArray_DIM(to, 0) != cols || PyArray_DIM(square, 0) != cols ||
      PyArray_DIM(square, 1) != cols || !PyArray_ISWRITEABLE(to) || !PyArray_ISWRITEABLE(square))
    return false;
  if (may_overlap(rows, to) || may_overlap(rows, square)) return false;
  fastla_moments_desc desc;
  fastla_moments_desc_init(&desc);
  desc.dtype = dtype;
  desc.rows = PyArray_DIM(rows, 0);
  desc.cols = cols;
  desc.x = PyArray_DATA(rows);
  desc.row_stride = PyArray_STRIDE(rows, 0);
  desc.shift = PyArray_DATA(less);
  desc.sums = static_cast<double *>(PyArray_DATA(to));
  desc.scatter = static_cast<double *>(PyArray_DATA(square));
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_moments(&desc);
  }
  require_status("moments", status);
  return true;
}

}  // namespace

void bind_moments(py::module_ &m) {
  m.def("moments", &moments, py::arg("x"), py::arg("shift"), py::arg("sums"), py::arg("scatter"));
}

}  // namespace fastla_py
