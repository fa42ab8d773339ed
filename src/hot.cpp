// fastla.matmul: numpy.matmul's semantics around one call of the core.
#include "hot.hpp"

#include <cstring>

#include "fastla/runtime.h"
#include "packed.hpp"

namespace fastla_py {
namespace {

enum Slot { kX1, kX2, kOut, kDtype, kPrecision, kThreads, kSlots };
const char *const kNames[kSlots] = {"x1", "x2", "out", "dtype", "precision", "num_threads"};

// What only the ufunc machinery understands.
bool is_ufunc_keyword(const char *name) {
  static const char *const names[] = {"casting",   "order", "subok",    "axes", "axis",
                                      "signature", "sig",   "keepdims", "where"};
  for (const char *known : names)
    if (std::strcmp(name, known) == 0) return true;
  return false;
}

const Signature kSignature{"matmul", Names(kNames), 2, 2, 3, is_ufunc_keyword};

// numpy.matmul with the same arguments, less ours.
PyObject *delegate(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
  Ref keywords(PyDict_New()), positional(PyTuple_New(nargs));
  if (!keywords || !positional) return nullptr;
  for (Py_ssize_t i = 0; i < nargs; ++i) {
    Py_INCREF(args[i]);
    PyTuple_SET_ITEM(positional.get(), i, args[i]);
  }
  const Py_ssize_t count = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject *name = PyTuple_GET_ITEM(kwnames, i);
    if (PyUnicode_CompareWithASCIIString(name, "precision") == 0 ||
        PyUnicode_CompareWithASCIIString(name, "num_threads") == 0)
      continue;
    if (PyDict_SetItem(keywords.get(), name, args[nargs + i]) < 0) return nullptr;
  }
  return PyObject_Call(numpy_matmul(), positional.get(), keywords.get());
}

// An operand as an exact array. *foreign: NumPy must see the object itself: subclasses, and
// objects that override ufuncs or wrap their results.
Ref as_array(PyObject *object, bool *foreign) {
  if (PyArray_CheckExact(object)) return Ref::borrow(object);
  *foreign = PyArray_Check(object);
  if (!*foreign && !PyList_CheckExact(object) && !PyTuple_CheckExact(object)) {
    auto *type = reinterpret_cast<PyObject *>(Py_TYPE(object));
    *foreign = PyObject_HasAttrString(type, "__array_ufunc__") ||
               PyObject_HasAttrString(type, "__array_wrap__");
  }
  if (*foreign) return Ref();
  return Ref(PyArray_FromAny(object, nullptr, 0, 0, 0, nullptr));
}

// The fastla_dtype of the product by NumPy's promotion, -1 when it is not ours; -2 with an error set.
int product_dtype(PyArrayObject *a, PyArrayObject *b, PyObject *asked) {
  PyArray_Descr *descr = nullptr;
  if (asked && asked != Py_None) {
    if (!PyArray_DescrConverter(asked, &descr)) return -2;
  } else if (PyArray_TYPE(a) == PyArray_TYPE(b)) {
    return dtype_of(PyArray_TYPE(a));
  } else {
    PyArrayObject *both[2] = {a, b};
    descr = PyArray_ResultType(2, both, 0, nullptr);
    if (!descr) {
      PyErr_Clear();  // no common dtype: numpy.matmul says so in its own words
      return -1;
    }
  }
  int dtype = PyArray_ISNBO(descr->byteorder) ? dtype_of(descr->type_num) : -1;
  if (dtype >= 0 && asked && asked != Py_None &&
      !(PyArray_CanCastArrayTo(a, descr, NPY_SAME_KIND_CASTING) &&
        PyArray_CanCastArrayTo(b, descr, NPY_SAME_KIND_CASTING)))
    dtype = -1;
  Py_DECREF(descr);
  return dtype;
}

struct Shapes {
  int64_t m, n, k;
  bool a_vector, b_vector;
  int batch_ndim, ndim;
  npy_intp dims[NPY_MAXDIMS + 2];  // of the result: the stack's axes, then m and n where they exist
  npy_intp a_strides[NPY_MAXDIMS], b_strides[NPY_MAXDIMS];  // of the stack
};

bool mismatch(PyArrayObject *a, PyArrayObject *b, const char *what) {
  const Ref x = shape_text(a), y = shape_text(b);
  if (x && y)
    PyErr_Format(PyExc_ValueError, "matmul: a is %U, b is %U; %s", x.get(), y.get(), what);
  return false;
}

// Broadcasts the stack; false with a ValueError set.
bool resolve(PyArrayObject *a, PyArrayObject *b, Shapes *s) {
  const int an = PyArray_NDIM(a), bn = PyArray_NDIM(b);
  if (an == 0 || bn == 0)
    return mismatch(a, b,
                    "each operand must have at least one dimension (multiply by a scalar with *)");
  s->a_vector = an == 1;
  s->b_vector = bn == 1;
  s->m = s->a_vector ? 1 : PyArray_DIM(a, an - 2);
  s->n = s->b_vector ? 1 : PyArray_DIM(b, bn - 1);
  s->k = PyArray_DIM(a, an - 1);
  const int64_t kb = PyArray_DIM(b, s->b_vector ? 0 : bn - 2);
  if (s->k != kb) {
    char text[160];
    PyOS_snprintf(text, sizeof text, "a.shape[-1]=%lld must equal b.shape[%d]=%lld",
                  static_cast<long long>(s->k), s->b_vector ? -1 : -2, static_cast<long long>(kb));
    return mismatch(a, b, text);
  }
  const int as = s->a_vector ? 0 : an - 2, bs = s->b_vector ? 0 : bn - 2;
  s->batch_ndim = as > bs ? as : bs;
  for (int i = 0; i < s->batch_ndim; ++i) {
    const int ai = i - (s->batch_ndim - as), bi = i - (s->batch_ndim - bs);
    const npy_intp da = ai < 0 ? 1 : PyArray_DIM(a, ai), db = bi < 0 ? 1 : PyArray_DIM(b, bi);
    if (da != db && da != 1 && db != 1)
      return mismatch(a, b, "the leading dimensions cannot be broadcast together");
    s->dims[i] = da == 1 ? db : da;
    s->a_strides[i] = da == 1 ? 0 : PyArray_STRIDE(a, ai);
    s->b_strides[i] = db == 1 ? 0 : PyArray_STRIDE(b, bi);
  }
  s->ndim = s->batch_ndim;
  if (!s->a_vector) s->dims[s->ndim++] = s->m;
  if (!s->b_vector) s->dims[s->ndim++] = s->n;
  return true;
}

// Widens the stack to the axes of `out`, along which NumPy broadcasts the operands too. False when out's
// shape cannot be had that way.
bool widen(PyArrayObject *out, Shapes *s) {
  const int extra = PyArray_NDIM(out) - s->ndim, core = s->ndim - s->batch_ndim;
  if (extra < 0 || PyArray_NDIM(out) > NPY_MAXDIMS) return false;
  for (int i = 0; i < s->ndim; ++i) {
    const npy_intp dim = PyArray_DIM(out, extra + i);
    if (dim != s->dims[i] && (i >= s->batch_ndim || s->dims[i] != 1)) return false;
  }
  for (int i = s->batch_ndim - 1; i >= 0; --i) {
    const bool repeated = s->dims[i] != PyArray_DIM(out, extra + i);
    s->a_strides[extra + i] = repeated ? 0 : s->a_strides[i];
    s->b_strides[extra + i] = repeated ? 0 : s->b_strides[i];
  }
  for (int i = 0; i < extra; ++i) s->a_strides[i] = s->b_strides[i] = 0;
  s->batch_ndim += extra;
  s->ndim = s->batch_ndim + core;
  for (int i = 0; i < s->ndim; ++i) s->dims[i] = PyArray_DIM(out, i);
  return true;
}

enum OutKind { kError = -1, kOurs, kNumPys };

// Whether `out`, an exact array, can be served; NumPy says in its own words when a cast is not allowed.
OutKind check_out(PyArrayObject *a, PyArrayObject *b, PyObject *out, int dtype, Shapes *shapes) {
  auto *array = reinterpret_cast<PyArrayObject *>(out);
  const Shapes &s = *shapes;
  const bool same = widen(array, shapes);
  if (!same) {
    const Ref x = shape_text(a), y = shape_text(b), o = shape_text(array),
              r = shape_text(s.ndim, s.dims);
    if (x && y && o && r)
      PyErr_Format(PyExc_ValueError,
                   "matmul: non-broadcastable out: it is %U, but a %U times b %U is %U", o.get(),
                   x.get(), y.get(), r.get());
    return kError;
  }
  if (!PyArray_ISWRITEABLE(array)) {
    const Ref o = shape_text(array);
    if (o) PyErr_Format(PyExc_ValueError, "matmul: out %U is read-only", o.get());
    return kError;
  }
  if (PyArray_TYPE(array) == type_num_of(dtype)) return kOurs;
  PyArray_Descr *descr = PyArray_DescrFromType(type_num_of(dtype));
  const bool castable = PyArray_CanCastTypeTo(descr, PyArray_DESCR(array), NPY_SAME_KIND_CASTING);
  Py_DECREF(descr);
  return castable ? kOurs : kNumPys;
}

fastla_matrix left(PyArrayObject *a, bool vector) {
  const int n = PyArray_NDIM(a);
  return {PyArray_DATA(a), vector ? 0 : PyArray_STRIDE(a, n - 2), PyArray_STRIDE(a, n - 1),
          !PyArray_ISNOTSWAPPED(a)};
}
fastla_matrix right(PyArrayObject *b, bool vector) {
  const int n = PyArray_NDIM(b);
  return {PyArray_DATA(b), PyArray_STRIDE(b, vector ? 0 : n - 2),
          vector ? 0 : PyArray_STRIDE(b, n - 1), !PyArray_ISNOTSWAPPED(b)};
}

bool multiply(PyArrayObject *a, PyArrayObject *b, PyArrayObject *c, const Shapes &s, int dtype,
              int threads) {
  fastla_gemm_desc desc;
  fastla_gemm_desc_init(&desc);
  desc.dtype = dtype;
  desc.m = s.m;
  desc.n = s.n;
  desc.k = s.k;
  desc.a = left(a, s.a_vector);
  desc.b = right(b, s.b_vector);
  desc.c = PyArray_DATA(c);
  int axis = s.batch_ndim;
  desc.c_row_stride = s.a_vector ? item_size(dtype) * s.n : PyArray_STRIDE(c, axis++);
  desc.c_col_stride = s.b_vector ? item_size(dtype) : PyArray_STRIDE(c, axis);
  desc.num_threads = threads;
  int64_t shape[NPY_MAXDIMS], as[NPY_MAXDIMS], bs[NPY_MAXDIMS], cs[NPY_MAXDIMS];
  double count = 1;
  for (int i = 0; i < s.batch_ndim; ++i) {
    shape[i] = s.dims[i];
    as[i] = s.a_strides[i];
    bs[i] = s.b_strides[i];
    cs[i] = PyArray_STRIDE(c, i);
    count *= static_cast<double>(shape[i]);
  }
  desc.batch_ndim = s.batch_ndim;
  desc.batch_shape = shape;
  desc.a_batch_strides = as;
  desc.b_batch_strides = bs;
  desc.c_batch_strides = cs;
  const double work =
      static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k) * count;
  uint32_t flags = 0;
  const fastla_status status = run_gemm(desc, work, &flags);
  if (status == FASTLA_OK) return report_flags(flags);
  const Ref x = shape_text(a), y = shape_text(b);
  if (x && y) {
    Ref text(PyUnicode_FromFormat("a is %U, b is %U", x.get(), y.get()));
    if (text) set_status_error(status, "matmul", text.get());
  }
  return false;
}

}  // namespace

PyObject *finish(Target &target) {
  if (!target.out) return PyArray_Return(reinterpret_cast<PyArrayObject *>(target.array.release()));
  if (target.array.get() != target.out &&
      PyArray_CopyInto(reinterpret_cast<PyArrayObject *>(target.out), target.array.array()) < 0)
    return nullptr;
  Py_INCREF(target.out);
  return target.out;
}

PyObject *matmul(PyObject *, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
  PyObject *slot[kSlots];
  int extras = 0;
  if (!sort_arguments(kSignature, args, nargs, kwnames, slot, &extras)) return nullptr;
  if (!parse_precision("matmul", slot[kPrecision])) return nullptr;
  const int threads = parse_threads("matmul", slot[kThreads]);
  if (threads < 0) return nullptr;
  PyObject *out = slot[kOut];
  // As a keyword, out may be a tuple of one.
  if (out && nargs <= kOut && PyTuple_CheckExact(out) && PyTuple_GET_SIZE(out) == 1)
    out = PyTuple_GET_ITEM(out, 0);
  if (out == Py_None) out = nullptr;
  if (as_packed(slot[kX2])) {
    if (!extras) return matmul_packed(slot[kX1], slot[kX2], out, slot[kDtype], threads);
    PyErr_SetString(PyExc_TypeError, "matmul: a PackedMatrix takes no ufunc keywords");
    return nullptr;
  }
  // NumPy knows what ufunc keywords mean and which objects can take part in a ufunc.
  if (extras || (out && !PyArray_CheckExact(out))) return delegate(args, nargs, kwnames);

  bool foreign = false;
  Ref a = as_array(slot[kX1], &foreign);
  if (!a) return foreign ? delegate(args, nargs, kwnames) : nullptr;
  Ref b = as_array(slot[kX2], &foreign);
  if (!b) return foreign ? delegate(args, nargs, kwnames) : nullptr;
  const int dtype = product_dtype(a.array(), b.array(), slot[kDtype]);
  if (dtype == -2) return nullptr;
  if (dtype < 0) return delegate(args, nargs, kwnames);
  Shapes shapes;
  if (!resolve(a.array(), b.array(), &shapes)) return nullptr;
  if (out) {
    const OutKind kind = check_out(a.array(), b.array(), out, dtype, &shapes);
    if (kind == kError) return nullptr;
    if (kind == kNumPys) return delegate(args, nargs, kwnames);
  }
  auto *given = reinterpret_cast<PyArrayObject *>(out);
  const bool direct = out && is_direct(given, dtype) && !may_overlap(given, a.array()) &&
                      !may_overlap(given, b.array());
  const bool cast = PyArray_TYPE(a.array()) != type_num_of(dtype) ||
                    PyArray_TYPE(b.array()) != type_num_of(dtype);
  if (cast) {
    a = as_dtype(a.array(), dtype);
    b = as_dtype(b.array(), dtype);
    if (!a || !b || !resolve(a.array(), b.array(), &shapes)) return nullptr;
    if (out && !widen(given, &shapes)) return nullptr;  // it did before
  }
  Target target{direct ? Ref::borrow(out)
                       : Ref(PyArray_SimpleNew(shapes.ndim, shapes.dims, type_num_of(dtype))),
                out};
  if (!target.array) return nullptr;
  if (!multiply(a.array(), b.array(), target.array.array(), shapes, dtype, threads)) return nullptr;
  return finish(target);
}

}  // namespace fastla_py
