// The epilogue of an affine product and where its result goes.
#include "affine.hpp"

namespace fastla_py {

bool Affine::number(const char *name, PyObject *object, double *value) const {
  if (!object) return true;
  *value = PyFloat_AsDouble(object);
  if (*value != -1 || !PyErr_Occurred()) return true;
  if (PyErr_ExceptionMatches(PyExc_TypeError))
    PyErr_Format(PyExc_TypeError, "%s: %s must be a real number, not %.100s", call_.function, name,
                 Py_TYPE(object)->tp_name);
  return false;
}

bool Affine::wrong_shape(const char *name, const Ref &array, const Ref &wanted) const {
  const Ref have = shape_text(array.array());
  if (have && wanted)
    PyErr_Format(PyExc_ValueError, "%s: %s is %U; it must be %U", call_.function, name, have.get(),
                 wanted.get());
  return false;
}

bool Affine::vector(const char *name, Ref &array, int64_t length, fastla_vector *result) {
  if (!array) return true;
  const npy_intp wanted = length;
  if (PyArray_NDIM(array.array()) != 1 || PyArray_DIM(array.array(), 0) != length)
    return wrong_shape(name, array, shape_text(1, &wanted));
  array = as_native(array.array(), wide_);
  if (!array) return false;
  *result = {PyArray_DATA(array.array()), PyArray_STRIDE(array.array(), 0)};
  return true;
}

bool Affine::matrix(const char *name, Ref &array, fastla_matrix *result) {
  if (!array) return true;
  if (PyArray_NDIM(array.array()) != ndim_ ||
      !PyArray_CompareLists(PyArray_DIMS(array.array()), dims_, ndim_))
    return wrong_shape(name, array, shape_text(ndim_, dims_));
  array = as_native(array.array(), wide_);
  Rows rows;
  if (array && !collapse(array.array(), &rows)) {
    array = Ref(PyArray_NewCopy(array.array(), NPY_CORDER));
    if (array) collapse(array.array(), &rows);
  }
  if (!array) return false;
  *result = {PyArray_DATA(array.array()), rows.row_stride, rows.col_stride, 0};
  return true;
}

bool Affine::epilogue() {
  Epilogue &e = epilogue_;
  const int activation = parse_activation(call_.function, call_.activation);
  if (activation < 0) return false;
  e.activation = activation;
  if (!number("alpha", call_.alpha, &e.alpha) || !number("beta", call_.beta, &e.beta)) return false;
  if (e.beta != 0 && !extra_[kC]) {
    PyErr_Format(PyExc_ValueError, "%s: beta is %R, but c is not given", call_.function,
                 call_.beta);
    return false;
  }
  return matrix("c", extra_[kC], &e.c) &&
         vector("row_scale", extra_[kRowScale], desc_.m, &e.row_scale) &&
         vector("col_scale", extra_[kColScale], desc_.n, &e.col_scale) &&
         vector(call_.w_transposed ? "b" : "bias", extra_[kBias], desc_.n, &e.col_bias) &&
         vector("row_bias", extra_[kRowBias], desc_.m, &e.row_bias) &&
         matrix("gate", extra_[kGate], &e.gate) &&
         matrix("residual", extra_[kResidual], &e.residual);
}

bool Affine::safe(PyArrayObject *out, const Rows &rows) const {
  if (may_overlap(out, x_.array()) || (w_ && may_overlap(out, w_.array()))) return false;
  for (int i = 0; i < kExtra; ++i) {
    if (!extra_[i] || !may_overlap(out, extra_[i].array())) continue;
    const fastla_matrix *same = i == kC          ? &epilogue_.c
                                : i == kGate     ? &epilogue_.gate
                                : i == kResidual ? &epilogue_.residual
                                                 : nullptr;
    if (!same || same->data != PyArray_DATA(out) || same->row_stride != rows.row_stride ||
        same->col_stride != rows.col_stride)
      return false;
  }
  return true;
}

bool Affine::check_out() const {
  PyObject *out = call_.out;
  if (!PyArray_Check(out)) {
    PyErr_Format(PyExc_TypeError, "%s: out must be an array, not %.100s", call_.function,
                 Py_TYPE(out)->tp_name);
    return false;
  }
  auto *array = reinterpret_cast<PyArrayObject *>(out);
  if (PyArray_NDIM(array) != ndim_ || !PyArray_CompareLists(PyArray_DIMS(array), dims_, ndim_))
    return wrong_shape("out", Ref::borrow(out), shape_text(ndim_, dims_));
  if (!PyArray_ISWRITEABLE(array)) {
    const Ref o = shape_text(array);
    if (o) PyErr_Format(PyExc_ValueError, "%s: out %U is read-only", call_.function, o.get());
    return false;
  }
  if (PyArray_TYPE(array) == type_) return true;
  PyArray_Descr *descr = PyArray_DescrFromType(type_);
  const bool castable = PyArray_CanCastTypeTo(descr, PyArray_DESCR(array), NPY_SAME_KIND_CASTING);
  if (!castable)
    PyErr_Format(PyExc_TypeError,
                 "%s: the result is %R, which cannot be cast to out's %R by 'same_kind'",
                 call_.function, descr, PyArray_DESCR(array));
  Py_DECREF(descr);
  return castable;
}

bool Affine::target() {
  target_.out = given(call_.out) ? call_.out : nullptr;
  Rows rows{};
  bool direct = false;
  if (target_.out) {
    if (!check_out()) return false;
    auto *out = reinterpret_cast<PyArrayObject *>(target_.out);
    direct = is_direct(out, type_) && collapse(out, &rows) && safe(out, rows);
  }
  target_.array = direct ? Ref::borrow(target_.out) : Ref(PyArray_SimpleNew(ndim_, dims_, type_));
  if (!target_.array) return false;
  if (!direct) collapse(target_.array.array(), &rows);
  desc_.c = PyArray_DATA(target_.array.array());
  desc_.c_row_stride =
      rows.m > 1 ? rows.row_stride : desc_.n * PyArray_ITEMSIZE(target_.array.array());
  desc_.c_col_stride = rows.col_stride;
  return true;
}

}  // namespace fastla_py
