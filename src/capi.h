/* The versioned function table that fastla._core exports as the PyCapsule fastla._core._C_API, for other
 * extension modules: include Python.h first, then fastla_import() finds the table.
 *
 * Entries are only ever appended, and version grows when one is. What an entry does to a struct is settled when
 * it is appended: an init entry fills the struct of that version, and a struct that grew later has a new one. */
#ifndef FASTLA_CAPI_H
#define FASTLA_CAPI_H

#include <stdint.h>

#include "fastla/gemm.h"

#define FASTLA_CAPI_VERSION 1
#define FASTLA_CAPI_NAME "fastla._core._C_API"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fastla_capi {
  int32_t version;
  void (*gemm_desc_init)(fastla_gemm_desc *desc);
  void (*epilogue_init)(fastla_epilogue *epilogue);
  fastla_status (*gemm)(const fastla_gemm_desc *desc, uint32_t *fp_flags);
} fastla_capi;

#ifdef __cplusplus
}
#endif

#ifdef Py_PYTHON_H
/* The table; NULL with an ImportError set where fastla is missing or older than this header. Needs the GIL; the
 * table itself does not, and stays where it is until the process ends. */
static inline const fastla_capi *fastla_import(void) {
  const fastla_capi *table = (const fastla_capi *)PyCapsule_Import(FASTLA_CAPI_NAME, 0);
  if (table && table->version < FASTLA_CAPI_VERSION) {
    PyErr_Format(PyExc_ImportError, "fastla has C API version %d, %d is needed",
                 (int)table->version, FASTLA_CAPI_VERSION);
    return NULL;
  }
  return table;
}
#endif
#endif
