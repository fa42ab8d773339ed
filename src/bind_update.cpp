// Steps of optimizers: a parameter, its gradient and what is kept for it, where they are.
#include <pybind11/pybind11.h>

#include "args.hpp"
#include "fastla/nn.h"
#include "operands.hpp"

namespace py = pybind11;

namespace fastla_py {
namespace {

// Arrays that the core can go through side by side, and change.
class Update {
 public:
  Update(int rule, const py::object &parameter, const py::object &gradient) {
    fastla_update_desc_init(&desc_);
    desc_.rule = rule;
    first_ = array(parameter);
    if (!first_) return;
    desc_.dtype = dtype_of(PyArray_TYPE(first_));
    desc_.count = PyArray_SIZE(first_);
    contiguous_ = PyArray_IS_C_CONTIGUOUS(first_) || PyArray_IS_F_CONTIGUOUS(first_);
    gradient_ = beside(gradient);
    if (gradient_) desc_.gradient = PyArray_DATA(gradient_);
    desc_.parameter = written(first_);
  }
  void state(int i, const py::object &x) { desc_.state[i] = written(beside(x)); }

  // False: they do not lie so.
  bool run() const {
    if (!fits_ || !gradient_ || !contiguous_ || desc_.dtype < 0) return false;
    fastla_status status;
    {
      const py::gil_scoped_release release;
      status = fastla_update(&desc_);
    }
    require_status("step", status);
    return true;
  }

  fastla_update_desc desc_;

 private:
  static PyArrayObject *array(const py::object &x) {
    return PyArray_Check(x.ptr()) ? reinterpret_cast<PyArrayObject *>(x.ptr()) : nullptr;
  }
  // An array whose elements lie as the parameter's do.
  PyArrayObject *beside(const py::object &x) const {
    PyArrayObject *a = array(x);
    if (!first_ || !a || !is_native(a, PyArray_TYPE(first_))) return nullptr;
    if (PyArray_NDIM(a) != PyArray_NDIM(first_)) return nullptr;
    for (int i = 0; i < PyArray_NDIM(a); ++i)
      if (PyArray_DIM(a, i) != PyArray_DIM(first_, i)) return nullptr;
    const bool c = PyArray_IS_C_CONTIGUOUS(a) && PyArray_IS_C_CONTIGUOUS(first_);
    return c || (PyArray_IS_F_CONTIGUOUS(a) && PyArray_IS_F_CONTIGUOUS(first_)) ? a : nullptr;
  }
  void *written(PyArrayObject *a) {
    fits_ = fits_ && a && PyArray_ISBEHAVED(a) &&
            (PyArray_DATA(a) == desc_.gradient || !gradient_ || !may_overlap(a, gradient_));
    return fits_ ? PyArray_DATA(a) : nullptr;
  }

  PyArrayObject *first_ = nullptr, *gradient_ = nullptr;
  bool fits_ = true, contiguous_ = false;
};

bool sgd(const py::object &parameter, const py::object &gradient, const py::object &velocity,
         double rate, double decay, double momentum, bool nesterov) {
  Update asked(FASTLA_SGD, parameter, gradient);
  if (!velocity.is_none()) asked.state(0, velocity);
  fastla_update_desc &d = asked.desc_;
  d.rate = rate;
  d.decay = decay;
  d.beta[0] = momentum;
  d.nesterov = nesterov;
  return asked.run();
}

bool adam(const py::object &parameter, const py::object &gradient, const py::object &mean,
          const py::object &square, double rate, double shrink, double decay, double first,
          double second, double eps) {
  Update asked(FASTLA_ADAM, parameter, gradient);
  asked.state(0, mean);
  asked.state(1, square);
  fastla_update_desc &d = asked.desc_;
  d.rate = rate;
  d.shrink = shrink;
  d.decay = decay;
  d.beta[0] = first;
  d.beta[1] = second;
  d.epsilon = eps;
  return asked.run();
}

}  // namespace

void bind_update(py::module_ &m) {
  m.def("sgd", &sgd, py::arg("parameter"), py::arg("gradient"), py::arg("velocity"),
        py::arg("rate"), py::arg("decay"), py::arg("momentum"), py::arg("nesterov"));
  m.def("adam", &adam, py::arg("parameter"), py::arg("gradient"), py::arg("mean"),
        py::arg("square"), py::arg("rate"), py::arg("shrink"), py::arg("decay"), py::arg("first"),
        py::arg("second"), py::arg("eps"));
}

}  // namespace fastla_py
