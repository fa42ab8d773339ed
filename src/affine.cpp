// The operands of an affine product: their dtype, their shapes, and the call of the core.
#include "affine.hpp"

#include "kinds.hpp"

namespace fastla_py {

bool collapse(PyArrayObject *a, Rows *rows) {
  const int last = PyArray_NDIM(a) - 1;
  rows->m = 1;
  rows->row_stride = 0;
  rows->col_stride = PyArray_STRIDE(a, last);
  for (int i = last - 1; i >= 0; --i) {
    const npy_intp dim = PyArray_DIM(a, i), stride = PyArray_STRIDE(a, i);
    if (dim == 1) continue;
    if (rows->m == 1)
      rows->row_stride = stride;
    else if (stride != rows->row_stride * rows->m && dim != 0)
      return false;
    rows->m *= dim;
  }
  return true;
}

namespace {

Ref any_array(PyObject *object) {
  if (PyArray_CheckExact(object)) return Ref::borrow(object);
  return Ref(PyArray_FromAny(object, nullptr, 0, 0, NPY_ARRAY_ENSUREARRAY, nullptr));
}

}  // namespace

PyObject *Affine::run() {
  if (!operands() || !shapes() || !epilogue() || !target()) return nullptr;
  desc_.epilogue = plain() ? nullptr : &epilogue_;
  desc_.num_threads = call_.threads;
  std::shared_ptr<fastla_packed> panels;
  fastla_status status = FASTLA_OK;
  if (packed_) {
    const bool transposed = packed_->transposed != call_.w_transposed;
    if (!packed_->store->ready(transposed, &panels)) {
      Py_BEGIN_ALLOW_THREADS;
      status = packed_->store->panels(transposed, &panels);
      Py_END_ALLOW_THREADS;
    }
    desc_.packed_b = panels.get();
  }
  const double work =
      static_cast<double>(desc_.m) * static_cast<double>(desc_.n) * static_cast<double>(desc_.k);
  uint32_t flags = 0;
  if (status == FASTLA_OK) status = run_gemm(desc_, work, &flags);
  if (status != FASTLA_OK) {
    const Ref text = describe();
    if (text) set_status_error(status, call_.function, text.get());
    return nullptr;
  }
  return report_flags(flags) ? finish(target_) : nullptr;
}

bool Affine::plain() const {
  const Epilogue &e = epilogue_;
  return e.alpha == 1 && e.beta == 0 && !e.activation && !e.row_scale.data && !e.col_scale.data &&
         !e.col_bias.data && !e.row_bias.data && !e.gate.data && !e.residual.data;
}

Ref Affine::describe() const {
  const Ref x = shape_text(x_.array());
  const npy_intp dims[2] = {w_rows_, w_cols_};
  const Ref w = shape_text(2, dims);
  if (!x || !w) return Ref();
  return Ref(PyUnicode_FromFormat("the left operand is %U, the right one %U", x.get(), w.get()));
}

bool Affine::fail(const char *format) const {
  const Ref text = describe();
  if (text) PyErr_Format(PyExc_ValueError, format, call_.function, text.get());
  return false;
}

bool Affine::operands() {
  x_ = any_array(call_.x);
  if (!x_) return false;
  if (!packed_) {
    w_ = any_array(call_.w);
    if (!w_) return false;
    if (PyArray_NDIM(w_.array()) != 2) {
      const Ref w = shape_text(w_.array());
      if (w)
        PyErr_Format(PyExc_ValueError, "%s: the right operand is %U; it must be a matrix",
                     call_.function, w.get());
      return false;
    }
    w_rows_ = PyArray_DIM(w_.array(), 0);
    w_cols_ = PyArray_DIM(w_.array(), 1);
  } else {
    w_rows_ = packed_->rows();
    w_cols_ = packed_->cols();
  }
  PyObject *const optional[kExtra] = {call_.c,        call_.row_scale, call_.col_scale, call_.bias,
                                      call_.row_bias, call_.gate,      call_.residual};
  for (int i = 0; i < kExtra; ++i)
    if (given(optional[i]) && !(extra_[i] = any_array(optional[i]))) return false;
  return choose_halves() || choose_dtype();
}

// Of two float16 or two bfloat16 so is the result; whatever else there is, is float32.
bool Affine::choose_halves() {
  if (packed_ || given(call_.dtype) || PyArray_TYPE(x_.array()) != PyArray_TYPE(w_.array()))
    return false;
  const int type = PyArray_TYPE(x_.array()), dtype = plain_dtype(type);
  if (dtype != FASTLA_F16 && dtype != FASTLA_BF16) return false;
  const Ref wide(reinterpret_cast<PyObject *>(PyArray_DescrFromType(NPY_FLOAT)));
  for (const Ref &extra : extra_)
    if (extra &&
        !PyArray_CanCastArrayTo(extra.array(), reinterpret_cast<PyArray_Descr *>(wide.get()),
                                NPY_SAME_KIND_CASTING))
      return false;
  desc_.dtype = dtype;
  type_ = type;
  wide_ = NPY_FLOAT;
  return true;
}

bool Affine::choose_dtype() {
  PyArrayObject *arrays[kExtra + 2];
  PyArray_Descr *descrs[1] = {nullptr};
  int n = 0, d = 0;
  arrays[n++] = x_.array();
  if (w_) arrays[n++] = w_.array();
  for (const Ref &extra : extra_)
    if (extra) arrays[n++] = extra.array();
  if (!given(call_.dtype)) {
    // All of one dtype of ours, as a rule: nothing to promote or to cast.
    int type = PyArray_TYPE(arrays[0]);
    for (int i = 1; i < n; ++i)
      if (PyArray_TYPE(arrays[i]) != type) type = NPY_NOTYPE;
    desc_.dtype = dtype_of(type);
    type_ = wide_ = type;
    if (desc_.dtype >= 0 && (!packed_ || packed_->store->dtype() == desc_.dtype)) return true;
  }
  if (packed_) descrs[d++] = PyArray_DescrFromType(type_num_of(packed_->store->dtype()));
  PyArray_Descr *result = nullptr;
  if (given(call_.dtype))
    PyArray_DescrConverter(call_.dtype, &result);
  else
    result = PyArray_ResultType(n, arrays, d, descrs);
  for (int i = 0; i < d; ++i) Py_DECREF(descrs[i]);
  if (!result) return false;
  desc_.dtype = PyArray_ISNBO(result->byteorder) ? dtype_of(result->type_num) : -1;
  bool ours = desc_.dtype >= 0;
  if (ours)
    type_ = wide_ = type_num_of(desc_.dtype);
  else
    PyErr_Format(PyExc_TypeError,
                 "%s: the operands promote to %R; float32, float64, and float16 or bfloat16 of "
                 "both matrices are supported",
                 call_.function, result);
  for (int i = 0; ours && i < n; ++i)
    if (!PyArray_CanCastArrayTo(arrays[i], result, NPY_SAME_KIND_CASTING)) {
      PyErr_Format(PyExc_TypeError, "%s: cannot cast an operand from %R to %R by 'same_kind'",
                   call_.function, PyArray_DESCR(arrays[i]), result);
      ours = false;
    }
  Py_DECREF(result);
  return ours && (!packed_ || packed_->store->dtype() == desc_.dtype || unpack());
}

bool Affine::unpack() {
  npy_intp dims[2] = {packed_->store->rows(), packed_->store->cols()};
  Ref array(PyArray_EMPTY(2, dims, type_num_of(packed_->store->dtype()), 0));
  if (!array) return false;
  char *data = PyArray_BYTES(array.array());
  Py_BEGIN_ALLOW_THREADS;
  packed_->store->copy_to(data);
  Py_END_ALLOW_THREADS;
  w_ = packed_->transposed ? Ref(PyArray_Transpose(array.array(), nullptr)) : std::move(array);
  packed_ = nullptr;
  return static_cast<bool>(w_);
}

bool Affine::shapes() {
  const int ndim = PyArray_NDIM(x_.array());
  if (ndim == 0 || (call_.x_ndim && ndim != call_.x_ndim))
    return fail(call_.x_ndim ? "%s: %U; both must have two dimensions"
                             : "%s: %U; the left one must have at least one dimension");
  desc_.n = call_.w_transposed ? w_rows_ : w_cols_;
  desc_.k = call_.w_transposed ? w_cols_ : w_rows_;
  if (PyArray_DIM(x_.array(), ndim - 1) != desc_.k)
    return fail(call_.w_transposed
                    ? "%s: %U; their last dimensions must be equal"
                    : "%s: %U; the left one's last dimension must equal the right one's first");
  x_ = as_type(x_.array(), type_);
  if (!x_) return false;
  Rows rows;
  if (!collapse(x_.array(), &rows)) {
    x_ = Ref(PyArray_NewCopy(x_.array(), NPY_CORDER));
    if (!x_) return false;
    collapse(x_.array(), &rows);
  }
  desc_.m = rows.m;
  desc_.a = {PyArray_DATA(x_.array()), rows.row_stride, rows.col_stride,
             !PyArray_ISNOTSWAPPED(x_.array())};
  ndim_ = ndim;
  for (int i = 0; i + 1 < ndim; ++i) dims_[i] = PyArray_DIM(x_.array(), i);
  dims_[ndim - 1] = desc_.n;
  if (packed_) return true;
  w_ = as_type(w_.array(), type_);
  if (!w_) return false;
  const int64_t s0 = PyArray_STRIDE(w_.array(), 0), s1 = PyArray_STRIDE(w_.array(), 1);
  desc_.b = {PyArray_DATA(w_.array()), call_.w_transposed ? s1 : s0, call_.w_transposed ? s0 : s1,
             !PyArray_ISNOTSWAPPED(w_.array())};
  return true;
}

}  // namespace fastla_py
