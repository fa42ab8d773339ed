// How NumPy describes a product to a loop; and the loops of bfloat16.
#include <cstdlib>
#include <cstring>

#include "kinds.hpp"
#include "numpy_patch.hpp"

#define PY_UFUNC_UNIQUE_SYMBOL fastla_ufunc_api
#define NO_IMPORT_UFUNC
#include <numpy/ufuncobject.h>

namespace fastla_py {

void describe_loop(Function function, int dtype, char **args, const npy_intp *dims,
                   const npy_intp *steps, int64_t size, int64_t result_size, LoopProduct *product) {
  fastla_gemm_desc *const d = &product->desc;
  fastla_gemm_desc_init(d);
  d->dtype = dtype;
  product->count = dims[0];
  product->a = steps[0];
  product->b = steps[1];
  product->c = steps[2];
  d->batch_ndim = dims[0] != 1;
  d->batch_shape = &product->count;
  d->a_batch_strides = &product->a;
  d->b_batch_strides = &product->b;
  d->c_batch_strides = &product->c;
  const npy_intp *axes = steps + 3;
  d->m = d->n = 1;
  int64_t a_row = 0, b_col = 0;
  d->c_row_stride = d->c_col_stride = result_size;
  switch (function) {
    case kMatmul:  // (m,k),(k,n)->(m,n)
      d->m = dims[1];
      d->k = dims[2];
      d->n = dims[3];
      a_row = axes[0];
      d->a.col_stride = axes[1];
      d->b.row_stride = axes[2];
      b_col = axes[3];
      d->c_row_stride = axes[4];
      d->c_col_stride = axes[5];
      break;
    case kMatvec:  // (m,k),(k)->(m)
      d->m = dims[1];
      d->k = dims[2];
      a_row = axes[0];
      d->a.col_stride = axes[1];
      d->b.row_stride = axes[2];
      d->c_row_stride = axes[3];
      break;
    case kVecmat:  // (k),(k,n)->(n)
      d->k = dims[1];
      d->n = dims[2];
      d->a.col_stride = axes[0];
      d->b.row_stride = axes[1];
      b_col = axes[2];
      d->c_col_stride = axes[3];
      break;
    default:  // (k),(k)->()
      d->k = dims[1];
      d->a.col_stride = axes[0];
      d->b.row_stride = axes[1];
      break;
  }
  // The stride of an axis of one is whatever it is; the core's fast paths ask for contiguous ones.
  d->a.row_stride = d->m == 1 ? 0 : a_row;
  d->b.col_stride = d->n == 1 ? size : b_col;
  if (d->m == 1) d->c_row_stride = d->n * result_size;
  if (d->n == 1) d->c_col_stride = result_size;
  d->a.data = args[0];
  d->b.data = args[1];
  d->c = args[2];
}

namespace {

using LoopFn = NumpyLoop;

struct Bfloat16Loop {
  bool registered = false;
  LoopFn under = nullptr;  // of float32
  std::atomic<int64_t> calls{0}, delegated{0};
};
Bfloat16Loop bfloats[kFunctions];
std::atomic<bool> bfloats_on{false};

// An operand of one item, as float32, row after row.
struct Widened {
  float *data;
  Widened(const fastla_matrix &m, const char *item, int64_t rows, int64_t cols)
      : data(static_cast<float *>(std::malloc(size_t(rows * cols + 1) * sizeof(float)))) {
    if (!data) return;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < cols; ++j) {
        uint16_t half;
        std::memcpy(&half, item + i * m.row_stride + j * m.col_stride, 2);
        const uint32_t bits = uint32_t(half) << 16;
        std::memcpy(&data[i * cols + j], &bits, 4);
      }
  }
  ~Widened() { std::free(data); }
  Widened(const Widened &) = delete;
  Widened &operator=(const Widened &) = delete;
};

// What NumPy did: the operands as float32, to its own loop. One item at a time.
void as_float32(Function function, LoopFn under, char **args, const npy_intp *dims,
                const npy_intp *steps, void *data) {
  LoopProduct product;
  describe_loop(function, FASTLA_BF16_F32, args, dims, steps, 2, 4, &product);
  const fastla_gemm_desc &d = product.desc;
  constexpr npy_intp size = sizeof(float);
  const npy_intp one[4] = {1, dims[1], function == kVecdot ? 0 : dims[2],
                           function == kMatmul ? dims[3] : 0};
  for (npy_intp i = 0; i < dims[0]; ++i) {
    const Widened a(d.a, args[0] + i * steps[0], d.m, d.k),
        b(d.b, args[1] + i * steps[1], d.k, d.n);
    if (!a.data || !b.data) {
      PyGILState_STATE state = PyGILState_Ensure();
      PyErr_NoMemory();
      PyGILState_Release(state);
      return;
    }
    char *item[3] = {reinterpret_cast<char *>(a.data), reinterpret_cast<char *>(b.data),
                     args[2] + i * steps[2]};
    // Of one item, contiguous: the axes in the order of the signature.
    const npy_intp k = d.k * size, n = d.n * size;
    const npy_intp c_row = function == kMatmul ? steps[7] : 0;
    const npy_intp c_col = function == kMatmul ? steps[8] : function == kVecdot ? 0 : steps[6];
    const npy_intp matmul[9] = {0, 0, 0, k, size, n, size, c_row, c_col},
                   matvec[7] = {0, 0, 0, k, size, size, c_col},
                   vecmat[7] = {0, 0, 0, size, n, size, c_col}, vecdot[5] = {0, 0, 0, size, size};
    const npy_intp *const all[kFunctions] = {matmul, matvec, vecmat, vecdot};
    under(item, one, all[function], data);
  }
}

template <Function function>
void bfloat16_loop(char **args, const npy_intp *dims, const npy_intp *steps, void *) {
  Bfloat16Loop &loop = bfloats[function];
  loop.calls.fetch_add(1, std::memory_order_relaxed);
  if (bfloats_on.load(std::memory_order_relaxed)) {
    LoopProduct product;
    describe_loop(function, FASTLA_BF16_F32, args, dims, steps, 2, 4, &product);
    if (fastla_gemm(&product.desc, nullptr) == FASTLA_OK) return;
  }
  loop.delegated.fetch_add(1, std::memory_order_relaxed);
  as_float32(function, loop.under, args, dims, steps, nullptr);
}

}  // namespace

bool register_bfloat16_loops(PyObject *const *functions, const NumpyLoop *under) {
  static const LoopFn ours[kFunctions] = {&bfloat16_loop<kMatmul>, &bfloat16_loop<kMatvec>,
                                          &bfloat16_loop<kVecmat>, &bfloat16_loop<kVecdot>};
  PyObject *modules = PyImport_GetModuleDict();  // borrowed
  PyObject *ml_dtypes = PyDict_GetItemString(modules, "ml_dtypes");
  if (!ml_dtypes || ml_dtypes == Py_None) return true;  // None: its import is barred
  const Ref type(PyObject_GetAttrString(ml_dtypes, "bfloat16"));
  if (!type) {  // half imported
    PyErr_Clear();
    return true;
  }
  PyArray_Descr *descr = nullptr;
  if (!PyArray_DescrConverter(type.get(), &descr)) return false;
  const int number = descr->type_num;
  Py_DECREF(descr);
  if (plain_dtype(number) != FASTLA_BF16) return true;
  const int types[3] = {number, number, NPY_FLOAT};
  for (int f = 0; f < kFunctions; ++f) {
    if (bfloats[f].registered || !functions[f] || !under[f]) continue;
    bfloats[f].under = under[f];
    auto *function = reinterpret_cast<PyUFuncObject *>(functions[f]);
    if (PyUFunc_RegisterLoopForType(function, number, ours[f], types, nullptr) < 0) return false;
    bfloats[f].registered = true;
  }
  return true;
}

void set_bfloat16_loops(bool on) { bfloats_on.store(on); }

bool bfloat16_status(int function, bool *on, int64_t *calls, int64_t *delegated) {
  const Bfloat16Loop &loop = bfloats[function];
  *on = loop.registered && bfloats_on.load();
  *calls = loop.calls.load();
  *delegated = loop.delegated.load();
  return loop.registered;
}

}  // namespace fastla_py
