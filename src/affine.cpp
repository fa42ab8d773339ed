// linear, gemm, and matmul with a PackedMatrix: one product of two matrices with an epilogue.
//
// The left operand's leading dimensions are rows of one matrix: by the contract a row has the same bits
// whatever rows stand beside it.
#include <cstring>

#include "hot.hpp"
#include "packed.hpp"

namespace fastla_py {
namespace {

// What the three functions ask for; borrowed, nullptr or None: absent.
struct Call {
  const char *function;
  PyObject *x, *w, *out;
  bool w_transposed;  // w is (out, in)
  PyObject *alpha, *beta, *c, *row_scale, *col_scale, *bias, *row_bias, *activation, *gate, *residual;
  int threads;
  int x_ndim;      // required dimensions of x; 0: any but none
  PyObject *dtype; // asked for (matmul only)
};

bool given(PyObject *object) { return object && object != Py_None; }

struct Rows {
  int64_t m, row_stride, col_stride;
};

// (..., columns) as rows of one matrix; false when the strides do not allow it.
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

Ref any_array(PyObject *object) {
  return Ref(PyArray_FromAny(object, nullptr, 0, 0, NPY_ARRAY_ENSUREARRAY, nullptr));
}

class Affine {
 public:
  explicit Affine(const Call &call) : call_(call), packed_(as_packed(call.w)) {
    fastla_gemm_desc_init(&desc_);
    fastla_epilogue_init(&epilogue_);
  }

  PyObject *run() {
    if (!operands() || !shapes() || !epilogue() || !target()) return nullptr;
    desc_.epilogue = plain() ? nullptr : &epilogue_;
    desc_.num_threads = call_.threads;
    std::shared_ptr<fastla_packed> panels;
    fastla_status status = FASTLA_OK;
    if (packed_) {
      Py_BEGIN_ALLOW_THREADS;
      status = packed_->store->panels(packed_->transposed != call_.w_transposed, &panels);
      Py_END_ALLOW_THREADS;
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

 private:
  bool plain() const {
    const Epilogue &e = epilogue_;
    return e.alpha == 1 && e.beta == 0 && !e.activation && !e.row_scale.data && !e.col_scale.data &&
           !e.col_bias.data && !e.row_bias.data && !e.gate.data && !e.residual.data;
  }
  using Epilogue = fastla_epilogue;

  Ref describe() const {
    const Ref x = shape_text(x_.array());
    const npy_intp dims[2] = {w_rows_, w_cols_};
    const Ref w = shape_text(2, dims);
    if (!x || !w) return Ref();
    return Ref(PyUnicode_FromFormat("the left operand is %U, the right one %U", x.get(), w.get()));
  }

  bool fail(const char *format) const {
    const Ref text = describe();
    if (text) PyErr_Format(PyExc_ValueError, format, call_.function, text.get());
    return false;
  }

  // Arrays of every operand, and the one dtype of the product.
  bool operands() {
    x_ = any_array(call_.x);
    if (!x_) return false;
    if (!packed_) {
      w_ = any_array(call_.w);
      if (!w_) return false;
      if (PyArray_NDIM(w_.array()) != 2) {
        const Ref w = shape_text(w_.array());
        if (w)
          PyErr_Format(PyExc_ValueError, "%s: the right operand is %U; it must be a matrix", call_.function,
                       w.get());
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
    return choose_dtype();
  }

  bool choose_dtype() {
    PyArrayObject *arrays[kExtra + 2];
    PyArray_Descr *descrs[2] = {nullptr, nullptr};
    int n = 0, d = 0;
    arrays[n++] = x_.array();
    if (w_) arrays[n++] = w_.array();
    for (const Ref &extra : extra_)
      if (extra) arrays[n++] = extra.array();
    if (packed_) descrs[d++] = PyArray_DescrFromType(type_num_of(packed_->store->dtype()));
    PyArray_Descr *result = nullptr;
    if (given(call_.dtype))
      PyArray_DescrConverter(call_.dtype, &result);
    else
      result = PyArray_ResultType(n, arrays, d, descrs);
    for (int i = 0; i < d; ++i) Py_DECREF(descrs[i]);
    if (!result) return false;
    desc_.dtype = dtype_of(result->type_num);
    const bool ours = desc_.dtype >= 0 && (!packed_ || desc_.dtype == packed_->store->dtype());
    if (!ours) {
      PyErr_Format(PyExc_TypeError, "%s: the operands promote to %R; %s", call_.function, result,
                   packed_ ? "that must be the dtype of the PackedMatrix" : "float32 and float64 are supported");
    }
    Py_DECREF(result);
    return ours;
  }

  bool shapes() {
    const int ndim = PyArray_NDIM(x_.array());
    if (ndim == 0 || (call_.x_ndim && ndim != call_.x_ndim))
      return fail(call_.x_ndim ? "%s: %U; both must have two dimensions"
                               : "%s: %U; the left one must have at least one dimension");
    desc_.n = call_.w_transposed ? w_rows_ : w_cols_;
    desc_.k = call_.w_transposed ? w_cols_ : w_rows_;
    if (PyArray_DIM(x_.array(), ndim - 1) != desc_.k)
      return fail(call_.w_transposed ? "%s: %U; their last dimensions must be equal"
                                     : "%s: %U; the left one's last dimension must equal the right one's first");
    x_ = as_dtype(x_.array(), desc_.dtype);
    if (!x_) return false;
    Rows rows;
    if (!collapse(x_.array(), &rows)) {
      x_ = Ref(PyArray_NewCopy(x_.array(), NPY_CORDER));
      if (!x_) return false;
      collapse(x_.array(), &rows);
    }
    desc_.m = rows.m;
    desc_.a = {PyArray_DATA(x_.array()), rows.row_stride, rows.col_stride, !PyArray_ISNOTSWAPPED(x_.array())};
    ndim_ = ndim;
    for (int i = 0; i + 1 < ndim; ++i) dims_[i] = PyArray_DIM(x_.array(), i);
    dims_[ndim - 1] = desc_.n;
    if (packed_) return true;
    w_ = as_dtype(w_.array(), desc_.dtype);
    if (!w_) return false;
    const int64_t s0 = PyArray_STRIDE(w_.array(), 0), s1 = PyArray_STRIDE(w_.array(), 1);
    desc_.b = {PyArray_DATA(w_.array()), call_.w_transposed ? s1 : s0, call_.w_transposed ? s0 : s1,
               !PyArray_ISNOTSWAPPED(w_.array())};
    return true;
  }

  bool number(const char *name, PyObject *object, double *value) const {
    if (!object) return true;
    *value = PyFloat_AsDouble(object);
    if (*value != -1 || !PyErr_Occurred()) return true;
    if (PyErr_ExceptionMatches(PyExc_TypeError))
      PyErr_Format(PyExc_TypeError, "%s: %s must be a real number, not %.100s", call_.function, name,
                   Py_TYPE(object)->tp_name);
    return false;
  }

  bool wrong_shape(const char *name, const Ref &array, const Ref &wanted) const {
    const Ref have = shape_text(array.array());
    if (have && wanted)
      PyErr_Format(PyExc_ValueError, "%s: %s is %U; it must be %U", call_.function, name, have.get(),
                   wanted.get());
    return false;
  }

  bool vector(const char *name, Ref &array, int64_t length, fastla_vector *result) {
    if (!array) return true;
    const npy_intp wanted = length;
    if (PyArray_NDIM(array.array()) != 1 || PyArray_DIM(array.array(), 0) != length)
      return wrong_shape(name, array, shape_text(1, &wanted));
    array = as_native(array.array(), desc_.dtype);
    if (!array) return false;
    *result = {PyArray_DATA(array.array()), PyArray_STRIDE(array.array(), 0)};
    return true;
  }

  bool matrix(const char *name, Ref &array, fastla_matrix *result) {
    if (!array) return true;
    if (PyArray_NDIM(array.array()) != ndim_ || !PyArray_CompareLists(PyArray_DIMS(array.array()), dims_, ndim_))
      return wrong_shape(name, array, shape_text(ndim_, dims_));
    array = as_native(array.array(), desc_.dtype);
    Rows rows;
    if (array && !collapse(array.array(), &rows)) {
      array = Ref(PyArray_NewCopy(array.array(), NPY_CORDER));
      if (array) collapse(array.array(), &rows);
    }
    if (!array) return false;
    *result = {PyArray_DATA(array.array()), rows.row_stride, rows.col_stride, 0};
    return true;
  }

  bool epilogue() {
    Epilogue &e = epilogue_;
    const int activation = parse_activation(call_.function, call_.activation);
    if (activation < 0) return false;
    e.activation = activation;
    if (!number("alpha", call_.alpha, &e.alpha) || !number("beta", call_.beta, &e.beta)) return false;
    if (e.beta != 0 && !extra_[kC]) {
      PyErr_Format(PyExc_ValueError, "%s: beta is %R, but c is not given", call_.function, call_.beta);
      return false;
    }
    return matrix("c", extra_[kC], &e.c) && vector("row_scale", extra_[kRowScale], desc_.m, &e.row_scale) &&
           vector("col_scale", extra_[kColScale], desc_.n, &e.col_scale) &&
           vector(call_.w_transposed ? "b" : "bias", extra_[kBias], desc_.n, &e.col_bias) &&
           vector("row_bias", extra_[kRowBias], desc_.m, &e.row_bias) &&
           matrix("gate", extra_[kGate], &e.gate) && matrix("residual", extra_[kResidual], &e.residual);
  }

  // The output may be c, gate or residual itself, element for element; any other overlap needs a copy.
  bool safe(PyArrayObject *out, const Rows &rows) const {
    if (may_overlap(out, x_.array()) || (w_ && may_overlap(out, w_.array()))) return false;
    for (int i = 0; i < kExtra; ++i) {
      if (!extra_[i] || !may_overlap(out, extra_[i].array())) continue;
      const fastla_matrix *same = i == kC ? &epilogue_.c : i == kGate ? &epilogue_.gate
                                  : i == kResidual ? &epilogue_.residual : nullptr;
      if (!same || same->data != PyArray_DATA(out) || same->row_stride != rows.row_stride ||
          same->col_stride != rows.col_stride)
        return false;
    }
    return true;
  }

  bool check_out() const {
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
    PyArray_Descr *descr = PyArray_DescrFromType(type_num_of(desc_.dtype));
    const bool castable = PyArray_CanCastTypeTo(descr, PyArray_DESCR(array), NPY_SAME_KIND_CASTING);
    if (!castable)
      PyErr_Format(PyExc_TypeError, "%s: the result is %R, which cannot be cast to out's %R by 'same_kind'",
                   call_.function, descr, PyArray_DESCR(array));
    Py_DECREF(descr);
    return castable;
  }

  bool target() {
    target_.out = given(call_.out) ? call_.out : nullptr;
    Rows rows{};
    bool direct = false;
    if (target_.out) {
      if (!check_out()) return false;
      auto *out = reinterpret_cast<PyArrayObject *>(target_.out);
      direct = is_direct(out, desc_.dtype) && collapse(out, &rows) && safe(out, rows);
    }
    target_.array = direct ? Ref::borrow(target_.out)
                           : Ref(PyArray_EMPTY(ndim_, dims_, type_num_of(desc_.dtype), 0));
    if (!target_.array) return false;
    if (!direct) collapse(target_.array.array(), &rows);
    desc_.c = PyArray_DATA(target_.array.array());
    desc_.c_row_stride = rows.m > 1 ? rows.row_stride : desc_.n * item_size(desc_.dtype);
    desc_.c_col_stride = rows.col_stride;
    return true;
  }

  enum Extra { kC, kRowScale, kColScale, kBias, kRowBias, kGate, kResidual, kExtra };
  const Call &call_;
  const Packed *packed_;
  fastla_gemm_desc desc_;
  fastla_epilogue epilogue_;
  Ref x_, w_, extra_[kExtra];
  npy_intp w_rows_ = 0, w_cols_ = 0;
  int ndim_ = 0;
  npy_intp dims_[NPY_MAXDIMS];
  Target target_{Ref(), nullptr};
};

// Fills what all functions share; false with an error set.
bool common(Call *call, PyObject *precision, PyObject *threads) {
  if (!parse_precision(call->function, precision)) return false;
  call->threads = parse_threads(call->function, threads);
  return call->threads >= 0;
}

}  // namespace

PyObject *linear(PyObject *, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
  enum Slot { kX, kW, kB, kActivation, kGate, kResidual, kOut, kPrecision, kThreads, kSlots };
  static const char *const names[kSlots] = {"x",        "w",   "b",         "activation", "gate",
                                            "residual", "out", "precision", "num_threads"};
  static const Signature signature{"linear", names, kSlots, 2, 0, 3, nullptr};
  PyObject *slot[kSlots];
  int extras = 0;
  if (!sort_arguments(signature, args, nargs, kwnames, slot, &extras)) return nullptr;
  Call call{};
  call.function = "linear";
  call.x = slot[kX];
  call.w = slot[kW];
  call.w_transposed = true;
  call.bias = slot[kB];
  call.activation = slot[kActivation];
  call.gate = slot[kGate];
  call.residual = slot[kResidual];
  call.out = slot[kOut];
  if (!common(&call, slot[kPrecision], slot[kThreads])) return nullptr;
  return Affine(call).run();
}

PyObject *gemm(PyObject *, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
  enum Slot {
    kA, kB, kAlpha, kBeta, kC, kRowScale, kColScale, kBias, kRowBias, kActivation, kGate, kResidual, kOut,
    kPrecision, kThreads, kSlots
  };
  static const char *const names[kSlots] = {
      "a",          "b",    "alpha",    "beta", "c",         "row_scale", "col_scale", "bias", "row_bias",
      "activation", "gate", "residual", "out",  "precision", "num_threads"};
  static const Signature signature{"gemm", names, kSlots, 2, 0, 2, nullptr};
  PyObject *slot[kSlots];
  int extras = 0;
  if (!sort_arguments(signature, args, nargs, kwnames, slot, &extras)) return nullptr;
  Call call{};
  call.function = "gemm";
  call.x = slot[kA];
  call.w = slot[kB];
  call.x_ndim = 2;
  call.alpha = slot[kAlpha];
  call.beta = slot[kBeta];
  call.c = slot[kC];
  call.row_scale = slot[kRowScale];
  call.col_scale = slot[kColScale];
  call.bias = slot[kBias];
  call.row_bias = slot[kRowBias];
  call.activation = slot[kActivation];
  call.gate = slot[kGate];
  call.residual = slot[kResidual];
  call.out = slot[kOut];
  if (!common(&call, slot[kPrecision], slot[kThreads])) return nullptr;
  return Affine(call).run();
}

PyObject *matmul_packed(PyObject *x, PyObject *packed, PyObject *out, PyObject *dtype, int threads) {
  Call call{};
  call.function = "matmul";
  call.x = x;
  call.w = packed;
  call.out = out;
  call.dtype = dtype;
  call.threads = threads;
  return Affine(call).run();
}

}  // namespace fastla_py
