#include "kinds.hpp"

#include <atomic>
#include <cstring>

namespace fastla_py {
namespace {

const char *const kNames[FASTLA_ALL_DTYPES] = {"float32",
                                               "float64",
                                               "int8",
                                               "int16",
                                               "int32",
                                               "int64",
                                               "int8->int32",
                                               "uint8->int32",
                                               "int8,uint8->int32",
                                               "uint8,int8->int32",
                                               "int16->int32",
                                               "complex64",
                                               "complex128",
                                               "float16",
                                               "bfloat16",
                                               "bfloat16->float32",
                                               "bool",
                                               "bool xor"};

// ml_dtypes' bfloat16 has a number of its own in each process.
bool is_bfloat16(int type) {
  static std::atomic<int> known{-1};  // the last one seen to be it
  if (type < NPY_USERDEF) return false;
  if (type == known.load(std::memory_order_relaxed)) return true;
  PyArray_Descr *descr = PyArray_DescrFromType(type);
  if (!descr) {
    PyErr_Clear();
    return false;
  }
  const char *name = descr->typeobj->tp_name, *dot = std::strrchr(name, '.');
  const bool is =
      std::strcmp(dot ? dot + 1 : name, "bfloat16") == 0 && PyDataType_ELSIZE(descr) == 2;
  Py_DECREF(descr);
  if (is) known.store(type, std::memory_order_relaxed);
  return is;
}

bool is_8_bits(int type) { return type == NPY_BYTE || type == NPY_UBYTE; }

// Narrow integers as they are, with a result of 32 bits; -1: that is none of ours.
int widening_dtype(int a, int b, int c) {
  if (plain_dtype(c) != FASTLA_I32) return -1;
  if (a == NPY_SHORT && b == NPY_SHORT) return FASTLA_S16_I32;
  if (!is_8_bits(a) || !is_8_bits(b)) return -1;
  if (a == b) return a == NPY_BYTE ? FASTLA_S8_I32 : FASTLA_U8_I32;
  return a == NPY_BYTE ? FASTLA_S8U8_I32 : FASTLA_U8S8_I32;
}

}  // namespace

int64_t type_size(int type) {
  PyArray_Descr *descr = PyArray_DescrFromType(type);
  const int64_t size = PyDataType_ELSIZE(descr);
  Py_DECREF(descr);
  return size;
}

int plain_dtype(int type) {
  if (type == NPY_CFLOAT) return FASTLA_C64;
  if (type == NPY_CDOUBLE) return FASTLA_C128;
  if (type == NPY_HALF) return FASTLA_F16;
  if (type == NPY_BOOL) return FASTLA_BOOL_OR;
  if (is_bfloat16(type)) return FASTLA_BF16;
  const int dtype = dtype_of(type);
  if (dtype >= 0 || !PyTypeNum_ISINTEGER(type)) return dtype;
  switch (type_size(type)) {
    case 1:
      return FASTLA_I8;
    case 2:
      return FASTLA_I16;
    case 4:
      return FASTLA_I32;
    default:
      return FASTLA_I64;
  }
}

bool choose_any_kind(PyArrayObject *a, PyArrayObject *b, PyObject *asked, Kind *kind) {
  const int at = PyArray_TYPE(a), bt = PyArray_TYPE(b);
  const bool promoted = !asked || asked == Py_None;
  if (promoted && at == bt) {
    const int dtype = plain_dtype(at);
    *kind = dtype == FASTLA_BF16 ? Kind{FASTLA_BF16_F32, at, at, NPY_FLOAT}  // as NumPy has it
                                 : Kind{dtype, at, at, at};
    return true;
  }
  PyArray_Descr *descr = nullptr;
  *kind = {-1, NPY_NOTYPE, NPY_NOTYPE, NPY_NOTYPE};
  if (promoted) {
    PyArrayObject *both[2] = {a, b};
    descr = PyArray_ResultType(2, both, 0, nullptr);
    if (!descr) {
      PyErr_Clear();  // no common dtype: numpy.matmul says so in its own words
      return true;
    }
  } else if (!PyArray_DescrConverter(asked, &descr)) {
    return false;
  }
  const int c = descr->type_num;
  const bool ours = PyTypeNum_ISNUMBER(c) || plain_dtype(c) >= 0;
  if (PyArray_ISNBO(descr->byteorder) && ours &&
      (promoted || (PyArray_CanCastArrayTo(a, descr, NPY_SAME_KIND_CASTING) &&
                    PyArray_CanCastArrayTo(b, descr, NPY_SAME_KIND_CASTING)))) {
    const int widening = promoted ? -1 : widening_dtype(at, bt, c), plain = plain_dtype(c);
    if (promoted && plain == FASTLA_BF16)
      *kind = {FASTLA_BF16_F32, c, c, NPY_FLOAT};  // with narrow integers, whose values it holds
    else
      *kind = widening >= 0 ? Kind{widening, at, bt, c} : Kind{plain, c, c, c};
  } else {
    kind->c = c;
  }
  Py_DECREF(descr);
  return true;
}

const char *dtype_name(int dtype) { return kNames[dtype]; }

int dtype_named(const char *name) {
  if (std::strncmp(name, "uint", 4) == 0 && !std::strchr(name, '>')) ++name;
  for (int i = 0; i < FASTLA_ALL_DTYPES; ++i)
    if (std::strcmp(name, kNames[i]) == 0) return i;
  return -1;
}

}  // namespace fastla_py
