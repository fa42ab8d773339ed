// fastla.matmul: numpy.matmul's semantics around one call of the core.
#include "hot.hpp"

#include <cstring>
#include <utility>

#include "fastla/runtime.h"
#include "kinds.hpp"
#include "packed.hpp"
#include "shapes.hpp"

namespace fastla_py {
namespace {

enum Slot { kX1, kX2, kOut, kDtype, kPrecision, kOverflow, kSemiring, kVerify, kThreads, kSlots };
const char *const kNames[kSlots] = {"x1",       "x2",       "out",    "dtype",      "precision",
                                    "overflow", "semiring", "verify", "num_threads"};

// What only the ufunc machinery understands.
bool is_ufunc_keyword(const char *name) {
  static const char *const names[] = {"casting",   "order", "subok",    "axes", "axis",
                                      "signature", "sig",   "keepdims", "where"};
  for (const char *known : names)
    if (std::strcmp(name, known) == 0) return true;
  return false;
}

const Signature kSignature{"matmul", Names(kNames), 2, 2, 3, is_ufunc_keyword};

enum Overflow { kWrap, kRaise, kWiden };

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
    const int slot = kSignature.names.find(name);
    if (slot == kPrecision || slot == kOverflow || slot == kSemiring || slot == kVerify ||
        slot == kThreads)
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

enum OutKind { kError = -1, kOurs, kNumPys };

// Whether `out`, an exact array, can be served; NumPy says in its own words when a cast is not allowed.
OutKind check_out(PyArrayObject *a, PyArrayObject *b, PyObject *out, int type, Shapes *shapes) {
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
  if (PyArray_TYPE(array) == type) return kOurs;
  PyArray_Descr *descr = PyArray_DescrFromType(type);
  const bool castable = PyArray_CanCastTypeTo(descr, PyArray_DESCR(array), NPY_SAME_KIND_CASTING);
  Py_DECREF(descr);
  return castable ? kOurs : kNumPys;
}

// A product that is not the right one is an error: fastla._verify.
bool verify_product(const Ref &a, const Ref &b, const Ref &c, int threads) {
  const Ref module(PyImport_ImportModule("fastla._verify"));
  return module && Ref(PyObject_CallMethod(module.get(), "check", "OOOi", a.get(), b.get(), c.get(),
                                           threads));
}

// -1 with an error set.
int parse_overflow(PyObject *value) {
  static const char *const text[] = {"wrap", "raise", "widen"};
  static const Names names(text);
  const int i = value ? names.find(value) : kWrap;
  if (i < 0)
    PyErr_Format(PyExc_ValueError, "matmul: overflow is %R; it must be 'wrap', 'raise' or 'widen'",
                 value);
  return i;
}

// The sum of products of bool; -1 with an error set.
enum Semiring { kOr, kXor, kCount };
int parse_semiring(PyObject *value) {
  static const char *const text[] = {"or", "xor", "count"};
  static const Names names(text);
  const int i = value ? names.find(value) : kOr;
  if (i < 0)
    PyErr_Format(PyExc_ValueError, "matmul: semiring is %R; it must be 'or', 'xor' or 'count'",
                 value);
  return i;
}

// What is not 0, as 1.
Ref ones(PyArrayObject *a) {
  const Ref bytes(PyArray_View(a, PyArray_DescrFromType(NPY_UBYTE), nullptr)),
      zero(PyLong_FromLong(0));
  if (!bytes || !zero) return Ref();
  Ref result(PyObject_RichCompare(bytes.get(), zero.get(), Py_NE));
  if (!result || PyArray_Check(result.get())) return result;
  return Ref(PyArray_FromAny(result.get(), nullptr, 0, 0, 0, nullptr));
}

// Counts are exact products of bytes, with 32 bits; in the end they have NumPy's type for counts.
bool choose_semiring(int semiring, PyArrayObject *a, PyArrayObject *b, Kind *kind) {
  if (kind->dtype != FASTLA_BOOL_OR) {
    PyErr_Format(PyExc_TypeError,
                 "matmul: semiring= is for arrays of bool, without dtype=; x1 is %S, x2 is %S",
                 PyArray_DESCR(a), PyArray_DESCR(b));
    return false;
  }
  if (semiring == kXor) kind->dtype = FASTLA_BOOL_XOR;
  if (semiring == kCount) *kind = {FASTLA_U8_I32, NPY_BOOL, NPY_BOOL, NPY_INT32};
  return true;
}

// Integers that must not wrap: fastla._integers has what that takes beside products.
PyObject *multiply_checked(PyObject *a, PyObject *b, PyObject *out, int type, PyObject *overflow,
                           bool verify, int threads) {
  const Ref module(PyImport_ImportModule("fastla._integers"));
  const Ref dtype(reinterpret_cast<PyObject *>(PyArray_DescrFromType(type)));
  if (!module || !dtype) return nullptr;
  return PyObject_CallMethod(module.get(), "matmul_checked", "OOOOOOi", a, b, out ? out : Py_None,
                             dtype.get(), overflow, verify ? Py_True : Py_False, threads);
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
  PyObject *made = nullptr;
  if (computed_on_gpu("matmul", slot[kX1], slot[kX2], args, nargs, kwnames, &made)) return made;
  const int precision = parse_precision("matmul", slot[kPrecision]);
  if (precision < 0) return nullptr;
  const int threads = parse_threads("matmul", slot[kThreads]);
  if (threads < 0) return nullptr;
  const int overflow = parse_overflow(slot[kOverflow]);
  const int semiring = overflow < 0 ? -1 : parse_semiring(slot[kSemiring]);
  if (semiring < 0) return nullptr;
  const int verify = slot[kVerify] ? PyObject_IsTrue(slot[kVerify]) : 0;
  if (verify < 0) return nullptr;
  PyObject *out = slot[kOut];
  // As a keyword, out may be a tuple of one.
  if (out && nargs <= kOut && PyTuple_CheckExact(out) && PyTuple_GET_SIZE(out) == 1)
    out = PyTuple_GET_ITEM(out, 0);
  if (out == Py_None) out = nullptr;
  if (as_packed(slot[kX2])) {
    if (verify) {
      PyErr_SetString(
          PyExc_TypeError,
          "matmul: verify=True takes no PackedMatrix (numpy.asarray makes an array of it)");
      return nullptr;
    }
    if (!extras) return matmul_packed(slot[kX1], slot[kX2], out, slot[kDtype], threads);
    PyErr_SetString(PyExc_TypeError, "matmul: a PackedMatrix takes no ufunc keywords");
    return nullptr;
  }
  // NumPy knows what ufunc keywords mean and which objects can take part in a ufunc, but not what may not wrap or has
  // to be verified.
  const auto to_numpy = [&](bool may_wrap) -> PyObject * {
    if (semiring != kOr) {
      PyErr_Format(PyExc_TypeError,
                   "matmul: semiring=%R takes exact arrays of bool, no ufunc keywords, and an out "
                   "that its result can be cast to; x1 is %.100s, x2 is %.100s",
                   slot[kSemiring], Py_TYPE(slot[kX1])->tp_name, Py_TYPE(slot[kX2])->tp_name);
      return nullptr;
    }
    const bool checked = overflow != kWrap && may_wrap;
    if (!checked && !verify) return delegate(args, nargs, kwnames);
    PyErr_Format(PyExc_TypeError,
                 "matmul: %s=%R takes exact arrays %s and no ufunc keywords (numpy.asarray makes "
                 "an array of a subclass); x1 is %.100s, x2 is %.100s",
                 checked ? "overflow" : "verify", checked ? slot[kOverflow] : slot[kVerify],
                 checked ? "in native byte order" : "of dtypes that are computed here",
                 Py_TYPE(slot[kX1])->tp_name, Py_TYPE(slot[kX2])->tp_name);
    return nullptr;
  };
  if (extras || (out && !PyArray_CheckExact(out))) return to_numpy(true);

  bool foreign = false;
  Ref a = as_array(slot[kX1], &foreign);
  if (!a) return foreign ? to_numpy(true) : nullptr;
  Ref b = as_array(slot[kX2], &foreign);
  if (!b) return foreign ? to_numpy(true) : nullptr;
  Kind kind;
  if (!choose_kind(a.array(), b.array(), slot[kDtype], &kind)) return nullptr;
  if (kind.dtype < 0) return to_numpy(PyTypeNum_ISINTEGER(kind.c));
  if (semiring != kOr && !choose_semiring(semiring, a.array(), b.array(), &kind)) return nullptr;
  const bool counts = semiring == kCount;
  const uint32_t fast = kind.dtype < FASTLA_FLOATS ? static_cast<uint32_t>(precision) : 0;
  if (verify && PyTypeNum_ISBOOL(kind.a)) {
    PyErr_SetString(PyExc_TypeError, "matmul: verify= is for numbers; x1 and x2 are bool");
    return nullptr;
  }
  if (verify && fast) {
    PyErr_SetString(
        PyExc_ValueError,
        "matmul: verify= is for the bits of docs/contract.md; precision='fast' has others");
    return nullptr;
  }
  Shapes shapes;
  if (!resolve(a.array(), b.array(), &shapes)) return nullptr;
  if (out) {
    const OutKind whose = check_out(a.array(), b.array(), out, counts ? NPY_INTP : kind.c, &shapes);
    if (whose == kError) return nullptr;
    if (whose == kNumPys) return to_numpy(true);
  }
  if (overflow != kWrap && PyTypeNum_ISINTEGER(kind.c) && !counts)
    return multiply_checked(a.get(), b.get(), out, kind.c, slot[kOverflow], verify, threads);
  if (counts) {
    if (shapes.k > INT32_MAX) {
      PyErr_Format(PyExc_ValueError, "matmul: semiring='count' counts up to %d, not %lld",
                   INT32_MAX, static_cast<long long>(shapes.k));
      return nullptr;
    }
    Ref x = ones(a.array()), y = ones(b.array());
    if (!x || !y) return nullptr;
    a = std::move(x);
    b = std::move(y);
    Shapes again;
    if (!resolve(a.array(), b.array(), &again)) return nullptr;
    if (out && !widen(reinterpret_cast<PyArrayObject *>(out), &again))
      return nullptr;  // it did before
    shapes = again;
  }
  auto *given = reinterpret_cast<PyArrayObject *>(out);
  const bool direct = out && is_direct(given, kind.c) && !may_overlap(given, a.array()) &&
                      !may_overlap(given, b.array());
  if (PyArray_TYPE(a.array()) != kind.a || PyArray_TYPE(b.array()) != kind.b) {
    a = as_type(a.array(), kind.a);
    b = as_type(b.array(), kind.b);
    if (!a || !b || !resolve(a.array(), b.array(), &shapes)) return nullptr;
    if (out && !widen(given, &shapes)) return nullptr;  // it did before
  }
  Target target{
      direct ? Ref::borrow(out) : Ref(PyArray_SimpleNew(shapes.ndim, shapes.dims, kind.c)), out};
  if (!target.array) return nullptr;
  if (!multiply("matmul", a.array(), b.array(), target.array.array(), shapes, kind.dtype, threads,
                fast))
    return nullptr;
  if (verify && !verify_product(a, b, target.array, threads)) return nullptr;
  if (counts && !out) target.array = as_type(target.array.array(), NPY_INTP);
  if (!target.array) return nullptr;
  return finish(target);
}

}  // namespace fastla_py
