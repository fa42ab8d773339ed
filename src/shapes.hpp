// How the shapes of a matrix product fit together, by numpy.matmul's rules.
#pragma once
#include "args.hpp"

namespace fastla_py {

struct Shapes {
  int64_t m, n, k;
  bool a_vector, b_vector;
  int batch_ndim, ndim;
  npy_intp dims[NPY_MAXDIMS + 2];  // of the result: the stack's axes, then m and n where they exist
  npy_intp a_strides[NPY_MAXDIMS], b_strides[NPY_MAXDIMS];  // of the stack
};

// Broadcasts the stack; false with a ValueError set.
bool resolve(PyArrayObject *a, PyArrayObject *b, Shapes *s);
// Widens the stack to the axes of `out`, along which NumPy broadcasts the operands too. False when out's
// shape cannot be had that way.
bool widen(PyArrayObject *out, Shapes *s);

fastla_matrix left(PyArrayObject *a, bool vector);
fastla_matrix right(PyArrayObject *b, bool vector);

}  // namespace fastla_py
