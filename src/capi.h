/* The versioned function table that fastla._core exports as the PyCapsule fastla._core._C_API.
 * Entries are only ever appended; version grows when one is. */
#ifndef FASTLA_CAPI_H
#define FASTLA_CAPI_H

#include <stdint.h>

#include "fastla/gemm.h"

#define FASTLA_CAPI_VERSION 1
#define FASTLA_CAPI_NAME "fastla._core._C_API"

typedef struct fastla_capi {
  int32_t version;
  void (*gemm_desc_init)(fastla_gemm_desc *desc);
  void (*epilogue_init)(fastla_epilogue *epilogue);
  fastla_status (*gemm)(const fastla_gemm_desc *desc, uint32_t *fp_flags);
} fastla_capi;

#endif
