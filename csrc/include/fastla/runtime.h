/* The process the library lives in: CPU, kernel rows, threads, and the measured roof. */
#ifndef FASTLA_RUNTIME_H
#define FASTLA_RUNTIME_H

#include <stdint.h>

#include "fastla/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Threads. The count of a call is its num_threads, else the thread's context, else the process-wide
 * setting, else FASTLA_NUM_THREADS, else OMP_NUM_THREADS, else the smaller of affinity and CPU quota. */
int32_t fastla_get_num_threads(void);
/* Process-wide; n <= 0 goes back to the environment's count. */
void fastla_set_num_threads(int32_t n);
/* The calling thread's context; n <= 0 removes it. Returns the previous one (0: none). */
int32_t fastla_thread_context(int32_t n);
/* 1 once the library has started a team of threads in this process. */
int32_t fastla_team_started(void);

/* CPUs that the cgroup quota grants, rounded up, or 0 for no limit; v1, v2 and hybrid hierarchies. root
 * stands before every path that is read ("" on a live system; tests give a fixture tree). */
int32_t fastla_cgroup_cpus(const char *root);
/* CPUs in the affinity mask of the calling thread. */
int32_t fastla_affinity_cpus(void);

/* Kernel rows, best first (zen4: on that CPU). */
typedef struct fastla_row_info {
  const char *isa;
  int32_t dtype; /* a fastla_dtype */
  int32_t mr, nr, vector_bytes;
  int32_t usable; /* this CPU can run it */
  int32_t chosen; /* it is the one in force */
} fastla_row_info;
int32_t fastla_row_count(void);
fastla_status fastla_get_row(int32_t index, fastla_row_info *info);
/* Forces one instruction set ("avx2"), or with NULL the best usable one. FASTLA_UNSUPPORTED when this CPU
 * cannot run it, FASTLA_INVALID when there is none of that name. FASTLA_ISA does the same at start. */
fastla_status fastla_use_isa(const char *isa);
/* What FASTLA_ISA asked for and could not be had, or NULL. */
const char *fastla_isa_env_error(void);
/* Forces a fastla_path where the shape allows it; FASTLA_PATH_AUTO (0) ends that. For tests. */
fastla_status fastla_force_path(int32_t path);
/* Strassen-Winograd down to halves of this size, wherever it may be used and no path is forced; 0 ends that. For tests. */
void fastla_force_strassen(int64_t least);

const char *fastla_cpu_name(void);
/* Feature names separated by blanks, of those the kernel rows ask for. */
const char *fastla_cpu_features(void);
int64_t fastla_cache_bytes(int32_t level); /* 1, 2 or 3; per core for 1 and 2 */

/* Activations on an array, with the bits the epilogue gives them. activation is a fastla_activation. */
fastla_status fastla_activate(int32_t dtype, int32_t activation, const void *x, void *y,
                              int64_t count);

/* The roof: operations per second of independent fused multiply-adds held in registers (2 operations
 * each), and bytes per second read from memory, on so many threads, over about so many seconds: the
 * median of rounds, so that neither one that a neighbour disturbed nor a lucky one sets it. rounds, 1 to 15: how many;
 * a single one is the rate over the whole stretch, with whatever interrupted it, as a call of that length has it. */
fastla_status fastla_roof_fma(int32_t dtype, int32_t threads, double seconds, int32_t rounds,
                              double *flops);
fastla_status fastla_roof_read(int32_t threads, double seconds, double *bytes_per_second);

/* Frees cached scratch memory. */
void fastla_release_workspace(void);
/* Bytes of scratch memory now held. */
int64_t fastla_workspace_bytes(void);

#ifdef __cplusplus
}
#endif
#endif
