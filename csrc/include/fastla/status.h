/* Status codes: how every call of the C ABI reports what happened. Nothing throws, prints or aborts. */
#ifndef FASTLA_STATUS_H
#define FASTLA_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fastla_status {
  FASTLA_OK = 0,
  FASTLA_INVALID = 1,     /* an argument contradicts another, or a size overflows int64 */
  FASTLA_NO_MEMORY = 2,   /* workspace could not be had; nothing was stored in the output */
  FASTLA_UNSUPPORTED = 3, /* no kernel row of this library serves the request on this CPU */
} fastla_status;

#ifdef __cplusplus
}
#endif
#endif
