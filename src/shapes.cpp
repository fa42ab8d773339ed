#include "shapes.hpp"

namespace fastla_py {
namespace {

bool mismatch(PyArrayObject *a, PyArrayObject *b, const char *what) {
  const Ref x = shape_text(a), y = shape_text(b);
  if (x && y)
    PyErr_Format(PyExc_ValueError, "matmul: a is %U, b is %U; %s", x.get(), y.get(), what);
  return false;
}

}  // namespace

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

void describe(PyArrayObject *a, PyArrayObject *b, PyArrayObject *c, const Shapes &s, int dtype,
              int threads, Product *product) {
  fastla_gemm_desc &desc = product->desc;
  fastla_gemm_desc_init(&desc);
  desc.dtype = dtype;
  desc.m = s.m;
  desc.n = s.n;
  desc.k = s.k;
  desc.a = left(a, s.a_vector);
  desc.b = right(b, s.b_vector);
  desc.c = PyArray_DATA(c);
  int axis = s.batch_ndim;
  const int64_t size = PyArray_ITEMSIZE(c);
  desc.c_row_stride = s.a_vector ? size * s.n : PyArray_STRIDE(c, axis++);
  desc.c_col_stride = s.b_vector ? size : PyArray_STRIDE(c, axis);
  desc.num_threads = threads;
  double count = 1;
  for (int i = 0; i < s.batch_ndim; ++i) {
    product->shape[i] = s.dims[i];
    product->a_strides[i] = s.a_strides[i];
    product->b_strides[i] = s.b_strides[i];
    product->c_strides[i] = PyArray_STRIDE(c, i);
    count *= static_cast<double>(product->shape[i]);
  }
  desc.batch_ndim = s.batch_ndim;
  desc.batch_shape = product->shape;
  desc.a_batch_strides = product->a_strides;
  desc.b_batch_strides = product->b_strides;
  desc.c_batch_strides = product->c_strides;
  product->work =
      static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k) * count;
}

bool multiply(const char *function, PyArrayObject *a, PyArrayObject *b, PyArrayObject *c,
              const Shapes &s, int dtype, int threads, uint32_t flags) {
  Product product;
  describe(a, b, c, s, dtype, threads, &product);
  product.desc.flags = flags;
  uint32_t raised = 0;
  const fastla_status status = run_gemm(product.desc, product.work, &raised);
  if (status == FASTLA_OK) return report_flags(raised);
  const Ref x = shape_text(a), y = shape_text(b);
  if (x && y) {
    Ref text(PyUnicode_FromFormat("a is %U, b is %U", x.get(), y.get()));
    if (text) set_status_error(status, function, text.get());
  }
  return false;
}

}  // namespace fastla_py
