// Rotary positions: heads and the tables of their rows go to the core.
#include <pybind11/pybind11.h>

#include "args.hpp"
#include "fastla/nn.h"
#include "kinds.hpp"
#include "operands.hpp"

namespace py = pybind11;

namespace fastla_py {
namespace {

// An array of up to four axes, the last of `cols` contiguous elements, seen as of the sizes given: missing axes and those
// of one element are repeated.
fastla_heads place(const char *name, const py::object &x, int type, const int64_t *sizes,
                   int64_t cols) {
  PyArrayObject *array = array_or_none("turn", name, x);
  if (!array || PyArray_TYPE(array) != type) refuse("turn", name, "an array of the right dtype");
  const int ndim = PyArray_NDIM(array);
  if (ndim < 1 || ndim > 4 || PyArray_DIM(array, ndim - 1) != cols)
    refuse("turn", name, "of the right shape");
  if (cols > 1 && PyArray_SIZE(array) && PyArray_STRIDE(array, ndim - 1) != PyArray_ITEMSIZE(array))
    refuse("turn", name, "of contiguous rows");
  fastla_heads found{PyArray_DATA(array), {0, 0, 0, PyArray_ITEMSIZE(array)}};
  for (int i = 0; i < 3; ++i) {
    const int axis = i + ndim - 4;
    if (axis < 0 || PyArray_DIM(array, axis) == 1) continue;
    if (PyArray_DIM(array, axis) != sizes[i]) refuse("turn", name, "of the right shape");
    found.strides[i] = PyArray_STRIDE(array, axis);
  }
  return found;
}

void turn(const py::object &x, const py::object &cos, const py::object &sin, const py::object &out,
          bool interleaved, bool back, int threads) {
  PyArrayObject *array = array_or_none("turn", "x", x);
  if (!array || PyArray_NDIM(array) < 1 || PyArray_NDIM(array) > 4)
    refuse("turn", "x", "of one to four axes");
  const int ndim = PyArray_NDIM(array), type = PyArray_TYPE(array);
  int64_t sizes[4] = {1, 1, 1, 1};
  for (int i = 0; i < ndim; ++i) sizes[4 - ndim + i] = PyArray_DIM(array, i);
  fastla_turn_desc d;
  fastla_turn_desc_init(&d);
  d.dtype = plain_dtype(type);
  d.batch = sizes[0];
  d.heads = sizes[1];
  d.rows = sizes[2];
  d.half = sizes[3] / 2;
  const int wide = type == NPY_DOUBLE ? NPY_DOUBLE : NPY_FLOAT;
  d.x = place("x", x, type, sizes, sizes[3]);
  d.cos = place("cos", cos, wide, sizes, d.half);
  d.sin = place("sin", sin, wide, sizes, d.half);
  d.out = place("out", out, type, sizes, sizes[3]);
  PyArrayObject *to = reinterpret_cast<PyArrayObject *>(out.ptr());
  bool fits = PyArray_ISWRITEABLE(to) && PyArray_NDIM(to) == ndim && sizes[3] % 2 == 0;
  for (int i = 0; fits && i < ndim; ++i) fits = PyArray_DIM(to, i) == PyArray_DIM(array, i);
  if (!fits) refuse("turn", "out", "writeable, of x's shape, with an even size");
  d.interleaved = interleaved;
  d.back = back;
  d.num_threads = threads;
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_turn(&d);
  }
  require_status("turn", status);
}

}  // namespace

void bind_turn(py::module_ &m) {
  m.def("turn", &turn, py::arg("x"), py::arg("cos"), py::arg("sin"), py::arg("out"),
        py::arg("interleaved"), py::arg("back"), py::arg("threads"));
}

}  // namespace fastla_py
