// linear, gemm, and matmul with a PackedMatrix: arguments to a Call.
#include "affine.hpp"

namespace fastla_py {
namespace {

// Fills what all functions share; false with an error set.
bool common(Call *call, PyObject *precision, PyObject *threads) {
  if (parse_precision(call->function, precision) < 0) return false;
  call->threads = parse_threads(call->function, threads);
  return call->threads >= 0;
}

}  // namespace

PyObject *linear(PyObject *, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
  enum Slot { kX, kW, kB, kActivation, kGate, kResidual, kOut, kPrecision, kThreads, kSlots };
  static const char *const names[kSlots] = {"x",        "w",   "b",         "activation", "gate",
                                            "residual", "out", "precision", "num_threads"};
  static const Signature signature{"linear", Names(names), 2, 0, 3, nullptr};
  PyObject *slot[kSlots];
  int extras = 0;
  if (!sort_arguments(signature, args, nargs, kwnames, slot, &extras)) return nullptr;
  PyObject *made = nullptr;
  if (computed_on_gpu("linear", slot[kX], slot[kW], args, nargs, kwnames, &made)) return made;
  Call call{};
  call.function = "linear";
  call.x = slot[kX];
  call.w = slot[kW];
  call.w_transposed = true;
  call.bias = slot[kB];
  call.activation = slot[kActivation];
  call.gate = slot[kGate];
  call.residual = slot[kResidual];
  call.out = slot[kOut];
  if (!common(&call, slot[kPrecision], slot[kThreads])) return nullptr;
  return Affine(call).run();
}

PyObject *gemm(PyObject *, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
  enum Slot {
    kA,
    kB,
    kAlpha,
    kBeta,
    kC,
    kRowScale,
    kColScale,
    kBias,
    kRowBias,
    kActivation,
    kGate,
    kResidual,
    kOut,
    kPrecision,
    kThreads,
    kSlots
  };
  static const char *const names[kSlots] = {
      "a",        "b",          "alpha", "beta",     "c",   "row_scale", "col_scale",  "bias",
      "row_bias", "activation", "gate",  "residual", "out", "precision", "num_threads"};
  static const Signature signature{"gemm", Names(names), 2, 0, 2, nullptr};
  PyObject *slot[kSlots];
  int extras = 0;
  if (!sort_arguments(signature, args, nargs, kwnames, slot, &extras)) return nullptr;
  PyObject *made = nullptr;
  if (computed_on_gpu("gemm", slot[kA], slot[kB], args, nargs, kwnames, &made)) return made;
  Call call{};
  call.function = "gemm";
  call.x = slot[kA];
  call.w = slot[kB];
  call.x_ndim = 2;
  call.alpha = slot[kAlpha];
  call.beta = slot[kBeta];
  call.c = slot[kC];
  call.row_scale = slot[kRowScale];
  call.col_scale = slot[kColScale];
  call.bias = slot[kBias];
  call.row_bias = slot[kRowBias];
  call.activation = slot[kActivation];
  call.gate = slot[kGate];
  call.residual = slot[kResidual];
  call.out = slot[kOut];
  if (!common(&call, slot[kPrecision], slot[kThreads])) return nullptr;
  return Affine(call).run();
}

PyObject *matmul_packed(PyObject *x, PyObject *packed, PyObject *out, PyObject *dtype,
                        int threads) {
  Call call{};
  call.function = "matmul";
  call.x = x;
  call.w = packed;
  call.out = out;
  call.dtype = dtype;
  call.threads = threads;
  return Affine(call).run();
}

}  // namespace fastla_py
