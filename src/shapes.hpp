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

// What the core is asked for, and how much work it is, in multiply-adds.
struct Product {
  Product() {}  // leaves everything as it is
  fastla_gemm_desc desc;
  int64_t shape[NPY_MAXDIMS], a_strides[NPY_MAXDIMS], b_strides[NPY_MAXDIMS],
      c_strides[NPY_MAXDIMS];
  double work;
};
// c: of the shape that was resolved.
void describe(PyArrayObject *a, PyArrayObject *b, PyArrayObject *c, const Shapes &s, int dtype,
              int threads, Product *product);
// The product into c, of whose dtype and shape it is; flags: FASTLA_CONJ_A and so on. False with an error set.
bool multiply(const char *function, PyArrayObject *a, PyArrayObject *b, PyArrayObject *c,
              const Shapes &shapes, int dtype, int threads, uint32_t flags = 0);

inline fastla_matrix left(PyArrayObject *a, bool vector) {
  const int n = PyArray_NDIM(a);
  return {PyArray_DATA(a), vector ? 0 : PyArray_STRIDE(a, n - 2), PyArray_STRIDE(a, n - 1),
          !PyArray_ISNOTSWAPPED(a)};
}
inline fastla_matrix right(PyArrayObject *b, bool vector) {
  const int n = PyArray_NDIM(b);
  return {PyArray_DATA(b), PyArray_STRIDE(b, vector ? 0 : n - 2),
          vector ? 0 : PyArray_STRIDE(b, n - 1), !PyArray_ISNOTSWAPPED(b)};
}

}  // namespace fastla_py
