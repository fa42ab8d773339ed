// Operations on rows: what fastla.nn has checked goes to the core. Counts of these and all other calls.
#include <pybind11/pybind11.h>

#include "args.hpp"
#include "fastla/calls.h"
#include "fastla/nn.h"
#include "kinds.hpp"
#include "operands.hpp"

namespace py = pybind11;

namespace fastla_py {
namespace {

const char *const kRowOps[] = {"softmax",
                               "log_softmax",
                               "softmax_backward",
                               "log_softmax_backward",
                               "cross_entropy",
                               "cross_entropy_backward",
                               "layer_norm",
                               "rms_norm",
                               "layer_norm_backward",
                               "rms_norm_backward",
                               "activation",
                               "activation_backward",
                               "swiglu",
                               "swiglu_backward"};
static_assert(sizeof(kRowOps) / sizeof(kRowOps[0]) == FASTLA_ROW_OPS);

class RowOp {
 public:
  RowOp(const std::string &op, const py::object &x) : function_(op.c_str()) {
    fastla_row_op_desc_init(&desc_);
    desc_.op = -1;
    for (int i = 0; i < FASTLA_ROW_OPS; ++i)
      if (op == kRowOps[i]) desc_.op = i;
    if (desc_.op < 0) refuse(function_, "op", "a row operation");
    PyArrayObject *array = array_or_none(function_, "x", x);
    if (!array || PyArray_NDIM(array) != 2) refuse(function_, "x", "a matrix");
    type_ = PyArray_TYPE(array);
    desc_.dtype = plain_dtype(type_);
    wide_ = desc_.dtype == FASTLA_F64 ? NPY_DOUBLE : NPY_FLOAT;
    if (desc_.dtype != FASTLA_F32 && desc_.dtype != FASTLA_F64 && desc_.dtype != FASTLA_F16 &&
        desc_.dtype != FASTLA_BF16)
      refuse(function_, "x", "float32, float64, float16 or bfloat16");
    desc_.rows = PyArray_DIM(array, 0);
    desc_.cols = PyArray_DIM(array, 1);
  }

  void lines(const char *name, const py::object &x, fastla_lines *to, bool written) const {
    PyArrayObject *array = array_or_none(function_, name, x);
    if (!array) return;
    if (PyArray_NDIM(array) != 2 || PyArray_DIM(array, 0) != desc_.rows ||
        PyArray_DIM(array, 1) != desc_.cols || PyArray_TYPE(array) != type_)
      refuse(function_, name, "of x's shape and dtype");
    if (desc_.cols > 1 && desc_.rows && PyArray_STRIDE(array, 1) != PyArray_ITEMSIZE(array))
      refuse(function_, name, "of contiguous rows");
    if (written && !PyArray_ISWRITEABLE(array)) refuse(function_, name, "writeable");
    *to = {PyArray_DATA(array), PyArray_STRIDE(array, 0)};
  }
  void *vector(const char *name, const py::object &x, int type, int64_t length) const {
    return contiguous_vector(function_, name, x, type, length);
  }
  void run() const {
    fastla_status status;
    {
      const py::gil_scoped_release release;
      status = fastla_row_op(&desc_);
    }
    require_status(function_, status);
  }

  const char *function_;
  int type_, wide_;
  fastla_row_op_desc desc_;
};

void row_op(const std::string &op, const py::object &x, const py::object &other,
            const py::object &out, const py::object &weight, const py::object &bias,
            const py::tuple &stats, const py::tuple &sums, const py::object &target, double param,
            const py::object &activation, int threads, const py::object &third,
            const py::object &more) {
  RowOp asked(op, x);
  fastla_row_op_desc &d = asked.desc_;
  asked.lines("x", x, &d.in[0], false);
  asked.lines("other", other, &d.in[1], false);
  asked.lines("out", out, &d.out, true);
  asked.lines("third", third, &d.in[2], false);
  asked.lines("more", more, &d.more, true);
  d.weight = asked.vector("weight", weight, asked.wide_, d.cols);
  d.bias = asked.vector("bias", bias, asked.wide_, d.cols);
  for (size_t i = 0; i < 2; ++i) {
    d.stat[i] = asked.vector("stats", stats[i], asked.wide_, d.rows);
    d.sums[i] = asked.vector("sums", sums[i], asked.wide_, d.cols);
  }
  d.target = static_cast<const int64_t *>(asked.vector("target", target, NPY_INT64, d.rows));
  d.param = param;
  d.activation = parse_activation("activation", activation.ptr());
  if (d.activation < 0) throw py::error_already_set();
  d.num_threads = threads;
  asked.run();
}

// Classes as the core takes them, -1 for those that are ignored: how many there are else, or -1 - the place of the first
// that does not exist.
int64_t classes(const py::object &target, int64_t columns, int64_t ignored, const py::object &to) {
  const int64_t length = PyArray_Check(to.ptr()) ? py::len(to) : 0;
  const auto *from = static_cast<const int64_t *>(
      contiguous_vector("classes", "target", target, NPY_INT64, length));
  auto *made = static_cast<int64_t *>(contiguous_vector("classes", "to", to, NPY_INT64, length));
  if (!from || !made) refuse("classes", "target and to", "arrays");
  int64_t count = 0;
  for (int64_t i = 0; i < length; ++i) {
    const bool kept = from[i] != ignored;
    if (kept && (from[i] < 0 || from[i] >= columns)) return -1 - i;
    made[i] = kept ? from[i] : -1;
    count += kept;
  }
  return count;
}

// Whether an array may have memory of the other that is not that of the same elements.
bool interferes(const py::object &x, const py::object &out) {
  auto *a = array_or_none("interferes", "x", x), *b = array_or_none("interferes", "out", out);
  if (!a || !b) refuse("interferes", "x and out", "arrays");
  bool same = PyArray_DATA(a) == PyArray_DATA(b) && PyArray_NDIM(a) == PyArray_NDIM(b);
  for (int i = 0; same && i < PyArray_NDIM(a); ++i)
    same = PyArray_STRIDE(a, i) == PyArray_STRIDE(b, i);
  return !same && may_overlap(a, b);
}

py::dict call_counts() {
  const char *const others[] = {"gemm", "gemv", "gemm_batched", "attention", "attention_backward"};
  static_assert(sizeof(others) / sizeof(others[0]) == FASTLA_CALL_ROW_OP);
  py::dict counts;
  for (int i = 0; i < FASTLA_CALLS; ++i)
    counts[i < FASTLA_CALL_ROW_OP ? others[i] : kRowOps[i - FASTLA_CALL_ROW_OP]] =
        fastla_call_count(i);
  return counts;
}

}  // namespace

void bind_nn(py::module_ &m) {
  m.def("call_counts", &call_counts);
  m.def("row_op", &row_op, py::arg("op"), py::arg("x"), py::arg("other") = py::none(),
        py::arg("out") = py::none(), py::kw_only(), py::arg("weight") = py::none(),
        py::arg("bias") = py::none(), py::arg("stats") = py::make_tuple(py::none(), py::none()),
        py::arg("sums") = py::make_tuple(py::none(), py::none()), py::arg("target") = py::none(),
        py::arg("param") = 0.0, py::arg("activation") = py::none(), py::arg("threads") = 0,
        py::arg("third") = py::none(), py::arg("more") = py::none());
  m.def("classes", &classes, py::arg("target"), py::arg("columns"), py::arg("ignored"),
        py::arg("to"));
  m.def("interferes", &interferes, py::arg("x"), py::arg("out"));
}

}  // namespace fastla_py
