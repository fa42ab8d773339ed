/* BLAS routines under the names that the wheels of NumPy and SciPy call, answered by the core.
 *
 * Loaded with RTLD_GLOBAL before NumPy, this library is where their extension modules find the routines. It knows
 * nothing of Python and computes nothing: an argument list becomes a fastla_gemm_desc. Whose a call is depends on the
 * routine, its dtype and, for what the core does not do, on alpha, beta and conjugation; never on a shape. The rest,
 * and what is empty or invalid, goes to the routine that the caller would have found without this library. */
#ifndef FASTLA_BLAS_H
#define FASTLA_BLAS_H

#include <stdint.h>

#include "capi.h"

enum { kGemm, kGemv, kSyrk, kRoutines };
enum { kS, kD, kC, kZ, kTypes };
enum { kRowMajor = 101, kColumnMajor = 102 }; /* as in CBLAS */

/* The routines, with Fortran's letters for op() and the triangle, and BLAS's meaning of everything else. 0: nothing
 * has been done, and the old routine is to be called. */
int gemm(const fastla_capi *api, int type, int order, int letter_a, int letter_b, int64_t m,
         int64_t n, int64_t k, const void *alpha, const void *a, int64_t lda, const void *b,
         int64_t ldb, const void *beta, void *c, int64_t ldc);
int gemv(const fastla_capi *api, int type, int order, int letter, int64_t m, int64_t n,
         const void *alpha, const void *a, int64_t lda, const void *x, int64_t incx,
         const void *beta, void *y, int64_t incy);
int syrk(const fastla_capi *api, int type, int order, int uplo, int letter, int64_t n, int64_t k,
         const void *alpha, const void *a, int64_t lda, const void *beta, void *c, int64_t ldc);

/* The function of this name in a loaded library, not counting ours; NULL: there is none. */
typedef void (*Function)(void);
Function look_up(const char *name, Function ours);

#endif
