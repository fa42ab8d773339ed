// What other compiled code in the process uses: the function table behind fastla.cython_api, and plain
// symbols for threadpoolctl. One table, so that there is one thread pool and one workspace in a process.
#include <pybind11/pybind11.h>

#include "capi.h"
#include "fastla/runtime.h"

namespace py = pybind11;

extern "C" {
__attribute__((visibility("default"))) int fastla_threads_get(void) {
  return fastla_get_num_threads();
}
__attribute__((visibility("default"))) void fastla_threads_set(int n) { fastla_set_num_threads(n); }
}

namespace fastla_py {

void bind_capi(py::module_ &m) {
  static const fastla_capi table = {FASTLA_CAPI_VERSION, &fastla_gemm_desc_init,
                                    &fastla_epilogue_init, &fastla_gemm};
  m.attr("_C_API") = py::capsule(const_cast<fastla_capi *>(&table), FASTLA_CAPI_NAME);
}

}  // namespace fastla_py
