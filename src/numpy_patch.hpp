// What the files about NumPy's loops share.
#pragma once
#include "args.hpp"

namespace fastla_py {

enum Function { kMatmul, kMatvec, kVecmat, kVecdot, kFunctions };
inline const char *const kFunctionNames[kFunctions] = {"matmul", "matvec", "vecmat", "vecdot"};

// A product as NumPy hands it to a loop, and the one axis of its stack. It points at itself.
struct LoopProduct {
  fastla_gemm_desc desc;
  int64_t count, a, b, c;
};
// dims: the length of the stack and the core dimensions; steps: the strides of the stack, and of the operands' axes in the
// order of the function's signature. size, result_size: bytes of an element of an operand, and of the result.
void describe_loop(Function function, int dtype, char **args, const npy_intp *dims,
                   const npy_intp *steps, int64_t size, int64_t result_size, LoopProduct *product);

// Loops of ml_dtypes' bfloat16, where it has been imported: NumPy's functions get them, once and for good, with its result
// type, float32; while they are off they do what NumPy did before. functions: nullptr where this NumPy has none. under:
// NumPy's own loops of float32. False with an error set.
using NumpyLoop = void (*)(char **args, const npy_intp *dims, const npy_intp *steps, void *data);
bool register_bfloat16_loops(PyObject *const *functions, const NumpyLoop *under);
void set_bfloat16_loops(bool on);
// Whether a function has one; whether it is on, its calls, and those that went on to NumPy's loop.
bool bfloat16_status(int function, bool *on, int64_t *calls, int64_t *delegated);

}  // namespace fastla_py
