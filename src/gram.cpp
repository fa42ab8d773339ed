// fastla.gram: a matrix times its own (conjugate) transpose.
#include <cstring>

#include "hot.hpp"
#include "kinds.hpp"
#include "shapes.hpp"

namespace fastla_py {
namespace {

enum Slot { kA, kSide, kOut, kDtype, kThreads, kSlots };
const char *const kNames[kSlots] = {"a", "side", "out", "dtype", "num_threads"};
const Signature kSignature{"gram", Names(kNames), 1, 0, 1, nullptr};

enum Side { kLeft, kRight };
// -1 with an error set.
int parse_side(PyObject *value) {
  static const char *const text[] = {"left", "right"};
  static const Names names(text);
  const int side = value ? names.find(value) : kLeft;
  if (side < 0)
    PyErr_Format(PyExc_ValueError, "gram: side is %R; it must be 'left' or 'right'", value);
  return side;
}

// The operand in the dtype asked for, of two dimensions at least; empty with an error set.
Ref operand(PyObject *object, PyObject *asked) {
  const char *const type = Py_TYPE(object)->tp_name;
  const bool file = std::strcmp(type, "memmap") == 0 || std::strcmp(type, "numpy.memmap") == 0;
  if (PyArray_Check(object) && !PyArray_CheckExact(object) && !file) {
    PyErr_Format(PyExc_TypeError,
                 "gram: a is %.100s; it must be an array (numpy.asarray makes one of a subclass)",
                 Py_TYPE(object)->tp_name);
    return Ref();
  }
  Ref a(PyArray_FromAny(object, nullptr, 0, 0, NPY_ARRAY_ENSUREARRAY, nullptr));
  if (!a) return a;
  if (asked && asked != Py_None) {
    PyArray_Descr *descr = nullptr;
    if (!PyArray_DescrConverter(asked, &descr)) return Ref();
    if (!PyArray_CanCastArrayTo(a.array(), descr, NPY_SAME_KIND_CASTING)) {
      PyErr_Format(PyExc_TypeError, "gram: a is %S, which cannot be cast to %S by 'same_kind'",
                   PyArray_DESCR(a.array()), descr);
      Py_DECREF(descr);
      return Ref();
    }
    a = Ref(PyArray_FromArray(a.array(), descr, NPY_ARRAY_FORCECAST));
  }
  if (!a || PyArray_NDIM(a.array()) >= 2) return a;
  const Ref text = shape_text(a.array());
  if (text)
    PyErr_Format(PyExc_ValueError, "gram: a is %U; it must have two dimensions at least",
                 text.get());
  return Ref();
}

// False with an error set.
bool check_out(PyObject *out, const Shapes &shapes, int type) {
  if (!PyArray_CheckExact(out)) {
    PyErr_Format(PyExc_TypeError, "gram: out is %.100s; it must be an array",
                 Py_TYPE(out)->tp_name);
    return false;
  }
  auto *array = reinterpret_cast<PyArrayObject *>(out);
  if (PyArray_NDIM(array) != shapes.ndim ||
      !PyArray_CompareLists(PyArray_DIMS(array), shapes.dims, shapes.ndim)) {
    const Ref is = shape_text(array), must = shape_text(shapes.ndim, shapes.dims);
    if (is && must)
      PyErr_Format(PyExc_ValueError, "gram: out is %U; it must be %U", is.get(), must.get());
    return false;
  }
  if (!PyArray_ISWRITEABLE(array)) {
    const Ref is = shape_text(array);
    if (is) PyErr_Format(PyExc_ValueError, "gram: out %U is read-only", is.get());
    return false;
  }
  if (PyArray_TYPE(array) == type) return true;
  const Ref must(reinterpret_cast<PyObject *>(PyArray_DescrFromType(type)));
  if (must)
    PyErr_Format(PyExc_TypeError, "gram: out is %S; the result is %S", PyArray_DESCR(array),
                 must.get());
  return false;
}

}  // namespace

PyObject *gram(PyObject *, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
  PyObject *slot[kSlots];
  int extras = 0;
  if (!sort_arguments(kSignature, args, nargs, kwnames, slot, &extras)) return nullptr;
  PyObject *made = nullptr;
  if (computed_on_gpu("gram", slot[kA], nullptr, args, nargs, kwnames, &made)) return made;
  const int threads = parse_threads("gram", slot[kThreads]);
  const int side = threads < 0 ? -1 : parse_side(slot[kSide]);
  if (side < 0) return nullptr;
  PyObject *out = slot[kOut] == Py_None ? nullptr : slot[kOut];
  const Ref a = operand(slot[kA], slot[kDtype]);
  if (!a) return nullptr;
  const int ndim = PyArray_NDIM(a.array());
  const Ref turned(PyArray_SwapAxes(a.array(), ndim - 2, ndim - 1));
  if (!turned) return nullptr;
  PyArrayObject *first = (side == kRight ? a : turned).array(),
                *second = (side == kRight ? turned : a).array();
  Shapes shapes;
  Kind kind;
  if (!resolve(first, second, &shapes) || !choose_kind(first, second, slot[kDtype], &kind))
    return nullptr;
  if (kind.dtype < 0) {
    PyErr_Format(PyExc_TypeError, "gram: a is %S; there are no products of it here",
                 PyArray_DESCR(a.array()));
    return nullptr;
  }
  if (out && !check_out(out, shapes, kind.c)) return nullptr;
  const bool symmetric = ndim == 2 && kind.dtype < FASTLA_DTYPES;
  uint32_t flags = symmetric ? FASTLA_SYMMETRIC : 0;
  if (PyTypeNum_ISCOMPLEX(kind.c)) flags |= side == kRight ? FASTLA_CONJ_B : FASTLA_CONJ_A;
  auto *given = reinterpret_cast<PyArrayObject *>(out);
  const bool direct = out && is_direct(given, kind.c) && !may_overlap(given, a.array());
  Target target{
      direct ? Ref::borrow(out) : Ref(PyArray_SimpleNew(shapes.ndim, shapes.dims, kind.c)), out};
  if (!target.array ||
      !multiply("gram", first, second, target.array.array(), shapes, kind.dtype, threads, flags))
    return nullptr;
  return finish(target);
}

}  // namespace fastla_py
