// Sparse matrices in compressed rows: three arrays and a shape go to the core.
#include <pybind11/pybind11.h>

#include "args.hpp"
#include "fastla/sparse.h"
#include "kinds.hpp"
#include "operands.hpp"

namespace py = pybind11;

namespace fastla_py {
namespace {

using Shape = std::pair<int64_t, int64_t>;

py::object text_of(PyArrayObject *array) {
  Ref text = shape_text(array);
  if (!text) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(text.release());
}
PyObject *dtype_of_array(PyArrayObject *array) {
  return reinterpret_cast<PyObject *>(PyArray_DESCR(array));
}

// A vector that the core can read where it is.
PyArrayObject *vector(const char *function, const char *name, const py::object &x) {
  PyArrayObject *array = array_or_none(function, name, x);
  if (!array) refuse(function, name, "an array");
  if (PyArray_NDIM(array) != 1 || !PyArray_IS_C_CONTIGUOUS(array)) {
    PyErr_Format(PyExc_ValueError, "%s: %s is %S; it must be a contiguous vector", function, name,
                 text_of(array).ptr());
    throw py::error_already_set();
  }
  return array;
}

class Sparse {
 public:
  Sparse(const char *function, const py::object &indptr, const py::object &indices,
         const py::object &data, Shape shape, const py::object &threads)
      : function_(function),
        starts_(vector(function, "indptr", indptr)),
        indices_(vector(function, "indices", indices)) {
    fastla_sparse_desc_init(&desc_);
    desc_.num_threads = parse_threads(function, threads.ptr());
    if (desc_.num_threads < 0) throw py::error_already_set();
    desc_.rows = shape.first;
    desc_.cols = shape.second;
    desc_.entries = PyArray_DIM(indices_, 0);
    desc_.index_bytes = PyArray_ITEMSIZE(indices_) == 4 ? 4 : 8;
    desc_.starts = PyArray_DATA(starts_);
    desc_.indices = PyArray_DATA(indices_);
    check_indices();
    if (!data.is_none()) take_values(data);
  }

  fastla_sparse_desc desc_;
  const char *function_;
  PyArrayObject *starts_, *indices_, *values_ = nullptr;

 private:
  void check_indices() const {
    const int type = PyArray_TYPE(indices_);
    const bool wide = PyArray_EquivTypenums(type, NPY_INT64);
    if ((!wide && !PyArray_EquivTypenums(type, NPY_INT32)) ||
        !PyArray_EquivTypenums(PyArray_TYPE(starts_), type)) {
      PyErr_Format(PyExc_TypeError,
                   "%s: indptr is of dtype %S, indices of dtype %S; both must be int32 or int64",
                   function_, dtype_of_array(starts_), dtype_of_array(indices_));
      throw py::error_already_set();
    }
    if (desc_.rows < 0 || desc_.cols < 0 || PyArray_DIM(starts_, 0) != desc_.rows + 1) {
      PyErr_Format(PyExc_ValueError,
                   "%s: indptr is %S; for the shape (%lld, %lld) it must be (%lld,)", function_,
                   text_of(starts_).ptr(), (long long)desc_.rows, (long long)desc_.cols,
                   (long long)desc_.rows + 1);
      throw py::error_already_set();
    }
  }
  void take_values(const py::object &data) {
    values_ = vector(function_, "data", data);
    if (PyArray_DIM(values_, 0) != desc_.entries) {
      PyErr_Format(PyExc_ValueError, "%s: data is %S, indices is %S; they must be alike", function_,
                   text_of(values_).ptr(), text_of(indices_).ptr());
      throw py::error_already_set();
    }
    desc_.dtype = plain_dtype(PyArray_TYPE(values_));
    if (desc_.dtype != FASTLA_F32 && desc_.dtype != FASTLA_F64 && desc_.dtype != FASTLA_C64 &&
        desc_.dtype != FASTLA_C128) {
      PyErr_Format(PyExc_TypeError,
                   "%s: data is of dtype %S; it must be float32, float64, complex64 or complex128",
                   function_, dtype_of_array(values_));
      throw py::error_already_set();
    }
    desc_.values = PyArray_DATA(values_);
  }
};

py::object new_array(int ndim, npy_intp *dims, int type) {
  PyObject *made = PyArray_SimpleNew(ndim, dims, type);
  if (!made) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(made);
}
PyArrayObject *as_array(const py::object &x) { return reinterpret_cast<PyArrayObject *>(x.ptr()); }

// Rows of contiguous elements of a type.
bool has_rows(PyArrayObject *x, int type) {
  return is_native(x, type) && (PyArray_DIM(x, 1) <= 1 || PyArray_SIZE(x) == 0 ||
                                PyArray_STRIDE(x, 1) == PyArray_ITEMSIZE(x));
}

void check(const py::object &indptr, const py::object &indices, Shape shape,
           const py::object &threads) {
  const char *const function = "csr_check";
  const Sparse a(function, indptr, indices, py::none(), shape, threads);
  int64_t row = -1, entry = -1;
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_sparse_check(&a.desc_, &row, &entry);
  }
  if (status == FASTLA_OK) return;
  const auto at = [](const py::object &x, int64_t i) { return x[py::int_(i)]; };
  if (entry >= 0)
    PyErr_Format(
        PyExc_ValueError,
        "%s: indices of shape %S, dtype %S has %S at %lld; for the shape (%lld, %lld) it must "
        "be from 0 to %lld",
        function, text_of(a.indices_).ptr(), dtype_of_array(a.indices_),
        py::object(at(indices, entry)).ptr(), (long long)entry, (long long)shape.first,
        (long long)shape.second, (long long)shape.second - 1);
  else if (row >= 0)
    PyErr_Format(
        PyExc_ValueError,
        "%s: indptr of shape %S, dtype %S has %S at %lld and %S after it; it must rise from 0 "
        "to at most %lld, the length of indices",
        function, text_of(a.starts_).ptr(), dtype_of_array(a.starts_),
        py::object(at(indptr, row)).ptr(), (long long)row,
        shape.first ? py::object(at(indptr, row + 1)).ptr() : Py_None, (long long)a.desc_.entries);
  else
    require_status(function, status);
  throw py::error_already_set();
}

py::object matmul(const py::object &indptr, const py::object &indices, const py::object &data,
                  Shape shape, const py::object &b, const py::object &out,
                  const py::object &threads) {
  const char *const function = "csr_matmul";
  Sparse a(function, indptr, indices, data, shape, threads);
  if (!PyArray_Check(b.ptr())) refuse(function, "b", "an array");
  PyArrayObject *from = as_array(b);
  const int type = PyArray_TYPE(from);
  if (PyArray_NDIM(from) != 2 || PyArray_DIM(from, 0) != shape.second) {
    PyErr_Format(PyExc_ValueError, "%s: a is (%lld, %lld), b is %S; b must have %lld rows",
                 function, (long long)shape.first, (long long)shape.second, text_of(from).ptr(),
                 (long long)shape.second);
    throw py::error_already_set();
  }
  if (dtype_of(type) < 0 || (a.values_ && PyArray_TYPE(a.values_) != type)) {
    PyErr_Format(PyExc_TypeError,
                 "%s: data is of dtype %S, b of dtype %S; both must be float32 or float64",
                 function, a.values_ ? dtype_of_array(a.values_) : Py_None, dtype_of_array(from));
    throw py::error_already_set();
  }
  a.desc_.dtype = dtype_of(type);
  npy_intp dims[2] = {npy_intp(shape.first), PyArray_DIM(from, 1)};
  PyArrayObject *to = out.is_none() ? nullptr : as_array(out);
  if (to) {
    if (!PyArray_Check(out.ptr())) refuse(function, "out", "an array");
    if (PyArray_NDIM(to) != 2 || PyArray_DIM(to, 0) != dims[0] || PyArray_DIM(to, 1) != dims[1] ||
        !PyArray_EquivTypenums(PyArray_TYPE(to), type) || !PyArray_ISWRITEABLE(to)) {
      PyErr_Format(PyExc_ValueError,
                   "%s: out is %S of dtype %S; it must be (%lld, %lld) of dtype %S, and writeable",
                   function, text_of(to).ptr(), dtype_of_array(to), (long long)dims[0],
                   (long long)dims[1], dtype_of_array(from));
      throw py::error_already_set();
    }
  }
  py::object read = b;
  if (!has_rows(from, type)) {
    PyObject *copy = PyArray_FromArray(from, PyArray_DescrFromType(type), NPY_ARRAY_CARRAY);
    if (!copy) throw py::error_already_set();
    read = py::reinterpret_steal<py::object>(copy);
  }
  const bool direct = to && has_rows(to, type) && !may_overlap(to, from) &&
                      !(a.values_ && may_overlap(to, a.values_)) && !may_overlap(to, a.starts_) &&
                      !may_overlap(to, a.indices_);
  const py::object result = direct ? out : new_array(2, dims, type);
  PyArrayObject *const x = as_array(read), *const y = as_array(result);
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_sparse_matmul(&a.desc_, PyArray_DATA(x), PyArray_STRIDE(x, 0), PyArray_DATA(y),
                                  PyArray_STRIDE(y, 0), dims[1]);
  }
  require_status(function, status);
  if (to && !direct && PyArray_CopyInto(to, y) < 0) throw py::error_already_set();
  return to ? out : result;
}

py::tuple transpose(const py::object &indptr, const py::object &indices, const py::object &data,
                    Shape shape, const py::object &threads) {
  const char *const function = "csr_transpose";
  const Sparse a(function, indptr, indices, data, shape, threads);
  npy_intp starts = npy_intp(shape.second) + 1, entries = 0;
  {
    const py::object last = indptr[py::int_(shape.first)];
    entries = npy_intp(last.cast<int64_t>());
  }
  if (entries < 0 || entries > a.desc_.entries)
    refuse(function, "indptr", "what csr_check has found good");
  const int index = PyArray_TYPE(a.indices_);
  const py::object to = new_array(1, &starts, index), at = new_array(1, &entries, index);
  const py::object values =
      a.values_ ? new_array(1, &entries, PyArray_TYPE(a.values_)) : py::object(py::none());
  void *const moved = a.values_ ? PyArray_DATA(as_array(values)) : nullptr;
  fastla_status status;
  {
    const py::gil_scoped_release release;
    status = fastla_sparse_transpose(&a.desc_, PyArray_DATA(as_array(to)),
                                     PyArray_DATA(as_array(at)), moved);
  }
  require_status(function, status);
  return py::make_tuple(to, at, values);
}

}  // namespace

void bind_sparse(py::module_ &m) {
  m.def("csr_check", &check, py::arg("indptr"), py::arg("indices"), py::arg("shape"),
        py::arg("num_threads") = py::none());
  m.def("csr_matmul", &matmul, py::arg("indptr"), py::arg("indices"), py::arg("data"),
        py::arg("shape"), py::arg("b"), py::arg("out") = py::none(),
        py::arg("num_threads") = py::none());
  m.def("csr_transpose", &transpose, py::arg("indptr"), py::arg("indices"), py::arg("data"),
        py::arg("shape"), py::arg("num_threads") = py::none());
}

}  // namespace fastla_py
