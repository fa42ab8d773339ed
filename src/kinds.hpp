// Which product of the core two arrays take.
#pragma once
#include "args.hpp"

namespace fastla_py {

struct Kind {
  int dtype;  // a fastla_dtype; -1: none of them
  int a, b,
      c;  // NumPy's type numbers: what the operands have to be cast to, and the result's, also of none
};

// The fastla_dtype of a product all of one type; -1: that is none of ours.
int plain_dtype(int type);
// Bytes of an element of one of NumPy's own types.
int64_t type_size(int type);

// By NumPy's promotion, or the dtype asked for (nullptr, None: none is). False with an error set.
bool choose_any_kind(PyArrayObject *a, PyArrayObject *b, PyObject *asked, Kind *kind);
inline bool choose_kind(PyArrayObject *a, PyArrayObject *b, PyObject *asked, Kind *kind) {
  const int type = PyArray_TYPE(a), dtype = dtype_of(type);
  if (asked || dtype < 0 || PyArray_TYPE(b) != type) return choose_any_kind(a, b, asked, kind);
  *kind = {dtype, type, type, type};  // as a rule
  return true;
}

// The name of a fastla_dtype: NumPy's, or of A's and B's, and C's where that is another. And back, from any integers'
// name too; -1: there is none.
const char *dtype_name(int dtype);
int dtype_named(const char *name);

}  // namespace fastla_py
