// Attention: what fastla.nn has checked goes to the core.
#include <pybind11/pybind11.h>

#include "args.hpp"
#include "fastla/nn.h"
#include "kinds.hpp"
#include "operands.hpp"

namespace py = pybind11;

namespace fastla_py {
namespace {

class Attention {
 public:
  Attention(const char *function, const py::object &q, const py::object &k, const py::object &v)
      : function_(function) {
    fastla_attention_desc_init(&desc_);
    PyArrayObject *query = four("q", q), *key = four("k", k), *value = four("v", v);
    type_ = PyArray_TYPE(query);
    fastla_attention_desc &d = desc_;
    d.dtype = plain_dtype(type_);
    wide_ = d.dtype == FASTLA_F64 ? NPY_DOUBLE : NPY_FLOAT;
    d.batch = PyArray_DIM(query, 0);
    d.heads = PyArray_DIM(query, 1);
    d.queries = PyArray_DIM(query, 2);
    d.size = PyArray_DIM(query, 3);
    d.kv_heads = PyArray_DIM(key, 1);
    d.keys = PyArray_DIM(key, 2);
    d.value_size = PyArray_DIM(value, 3);
    place("q", q, d.heads, d.queries, d.size, &d.q);
    place("k", k, d.kv_heads, d.keys, d.size, &d.k);
    place("v", v, d.kv_heads, d.keys, d.value_size, &d.v);
  }

  // An array of q's dtype, rows contiguous.
  void place(const char *name, const py::object &x, int64_t heads, int64_t rows, int64_t cols,
             fastla_heads *to) const {
    PyArrayObject *array = check(name, x, heads, rows, cols, type_, to);
    if (array && cols > 1 && PyArray_SIZE(array) && to->strides[3] != PyArray_ITEMSIZE(array))
      refuse(function_, name, "of contiguous rows");
  }
  void place_written(const char *name, const py::object &x, int64_t heads, int64_t rows,
                     int64_t cols, fastla_heads *to) const {
    place(name, x, heads, rows, cols, to);
    if (!to->data || !PyArray_ISWRITEABLE(reinterpret_cast<PyArrayObject *>(x.ptr())))
      refuse(function_, name, "a writeable array");
  }
  void others(const py::object &bias, const py::object &mask, const py::object &slopes,
              const py::object &lse, const py::tuple &numbers, int threads) {
    fastla_attention_desc &d = desc_;
    check("bias", bias, d.heads, d.queries, d.keys, wide_, &d.bias);
    check("mask", mask, d.heads, d.queries, d.keys, NPY_BOOL, &d.mask);
    d.slopes = static_cast<const double *>(
        contiguous_vector(function_, "slopes", slopes, NPY_DOUBLE, d.heads));
    d.lse = contiguous_vector(function_, "lse", lse, wide_, d.batch * d.heads * d.queries);
    d.scale = numbers[0].cast<double>();
    d.softcap = numbers[1].cast<double>();
    d.left = numbers[2].cast<int64_t>();
    d.right = numbers[3].cast<int64_t>();
    d.offset = numbers[4].cast<int64_t>();
    d.dropout = numbers[5].cast<double>();
    d.seed = numbers[6].cast<uint64_t>();
    d.num_threads = threads;
  }
  template <class Run> void run(Run &&call) const {
    fastla_status status;
    {
      const py::gil_scoped_release release;
      status = call();
    }
    require_status(function_, status);
  }

  fastla_attention_desc desc_;

 private:
  PyArrayObject *four(const char *name, const py::object &x) const {
    PyArrayObject *array = array_or_none(function_, name, x);
    if (!array || PyArray_NDIM(array) != 4) refuse(function_, name, "of four axes");
    return array;
  }
  PyArrayObject *check(const char *name, const py::object &x, int64_t heads, int64_t rows,
                       int64_t cols, int type, fastla_heads *to) const {
    if (x.is_none()) return nullptr;
    PyArrayObject *array = four(name, x);
    const int64_t shape[] = {desc_.batch, heads, rows, cols};
    if (PyArray_TYPE(array) != type) refuse(function_, name, "of the right dtype");
    for (int i = 0; i < 4; ++i) {
      if (PyArray_DIM(array, i) != shape[i]) refuse(function_, name, "of the right shape");
      to->strides[i] = PyArray_STRIDE(array, i);
    }
    to->data = PyArray_DATA(array);
    return array;
  }

  const char *function_;
  int type_, wide_;
};

void attention(const py::object &q, const py::object &k, const py::object &v, const py::object &out,
               const py::object &bias, const py::object &mask, const py::object &slopes,
               const py::object &lse, const py::tuple &numbers, int threads) {
  Attention asked("attention", q, k, v);
  fastla_attention_desc &d = asked.desc_;
  asked.place_written("out", out, d.heads, d.queries, d.value_size, &d.out);
  asked.others(bias, mask, slopes, lse, numbers, threads);
  asked.run([&] { return fastla_attention(&d); });
}

void attention_backward(const py::tuple &gradients, const py::object &q, const py::object &k,
                        const py::object &v, const py::object &out, const py::object &bias,
                        const py::object &mask, const py::object &slopes, const py::object &lse,
                        const py::tuple &numbers, int threads) {
  Attention asked("attention_backward", q, k, v);
  fastla_attention_desc &d = asked.desc_;
  asked.place("out", out, d.heads, d.queries, d.value_size, &d.out);
  asked.others(bias, mask, slopes, lse, numbers, threads);
  fastla_attention_gradients g;
  fastla_attention_gradients_init(&g);
  asked.place("dout", gradients[0], d.heads, d.queries, d.value_size, &g.out);
  asked.place_written("dq", gradients[1], d.heads, d.queries, d.size, &g.q);
  asked.place_written("dk", gradients[2], d.kv_heads, d.keys, d.size, &g.k);
  asked.place_written("dv", gradients[3], d.kv_heads, d.keys, d.value_size, &g.v);
  if (!g.out.data || !d.out.data) refuse("attention_backward", "out and dout", "given");
  asked.run([&] { return fastla_attention_backward(&d, &g); });
}

}  // namespace

void bind_attention(py::module_ &m) {
  m.def("attention", &attention, py::arg("q"), py::arg("k"), py::arg("v"), py::arg("out"),
        py::arg("bias"), py::arg("mask"), py::arg("slopes"), py::arg("lse"), py::arg("numbers"),
        py::arg("threads"));
  m.def("attention_backward", &attention_backward, py::arg("gradients"), py::arg("q"), py::arg("k"),
        py::arg("v"), py::arg("out"), py::arg("bias"), py::arg("mask"), py::arg("slopes"),
        py::arg("lse"), py::arg("numbers"), py::arg("threads"));
}

}  // namespace fastla_py
