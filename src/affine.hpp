// One product of two matrices with an epilogue, as linear, gemm and matmul with a PackedMatrix ask for it.
//
// The left operand's leading dimensions are rows of one matrix: by the contract a row has the same bits
// whatever rows stand beside it.
#pragma once
#include "hot.hpp"
#include "packed.hpp"

namespace fastla_py {

// What the three functions ask for; borrowed, nullptr or None: absent.
struct Call {
  const char *function;
  PyObject *x, *w, *out;
  bool w_transposed;  // w is (out, in)
  PyObject *alpha, *beta, *c, *row_scale, *col_scale, *bias, *row_bias, *activation, *gate,
      *residual;
  int threads;
  int x_ndim;       // required dimensions of x; 0: any but none
  PyObject *dtype;  // asked for (matmul only)
};

inline bool given(PyObject *object) { return object && object != Py_None; }

struct Rows {
  int64_t m, row_stride, col_stride;
};

// (..., columns) as rows of one matrix; false when the strides do not allow it.
bool collapse(PyArrayObject *a, Rows *rows);

class Affine {
 public:
  explicit Affine(const Call &call) : call_(call), packed_(as_packed(call.w)) {
    fastla_gemm_desc_init(&desc_);
    fastla_epilogue_init(&epilogue_);
  }

  PyObject *run();

 private:
  using Epilogue = fastla_epilogue;

  bool plain() const;

  Ref describe() const;

  bool fail(const char *format) const;

  // Arrays of every operand, and the one dtype of the product.
  bool operands();

  bool choose_dtype();
  bool choose_halves();

  // A PackedMatrix of another dtype takes part as the array it was made from.
  bool unpack();

  bool shapes();

  bool number(const char *name, PyObject *object, double *value) const;

  bool wrong_shape(const char *name, const Ref &array, const Ref &wanted) const;

  bool vector(const char *name, Ref &array, int64_t length, fastla_vector *result);

  bool matrix(const char *name, Ref &array, fastla_matrix *result);

  bool epilogue();

  // The output may be c, gate or residual itself, element for element; any other overlap needs a copy.
  bool safe(PyArrayObject *out, const Rows &rows) const;

  bool check_out() const;

  bool target();

  enum Extra { kC, kRowScale, kColScale, kBias, kRowBias, kGate, kResidual, kExtra };
  const Call &call_;
  const Packed *packed_;
  int type_ = NPY_NOTYPE, wide_ = NPY_NOTYPE;  // of the operands and the result; of the epilogue's
  fastla_gemm_desc desc_;
  fastla_epilogue epilogue_;
  Ref x_, w_, extra_[kExtra];
  npy_intp w_rows_ = 0, w_cols_ = 0;
  int ndim_ = 0;
  npy_intp dims_[NPY_MAXDIMS];
  Target target_{Ref(), nullptr};
};

}  // namespace fastla_py
