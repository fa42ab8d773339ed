/* The routines under their names. Whoever calls them finds these; what is not for the core goes on to the old ones. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "blas.h"

#define EXPORT __attribute__((visibility("default")))

static _Atomic(const fastla_capi *) core; /* NULL: everything goes to the old routines */
static atomic_llong calls[kRoutines][kTypes], delegated[kRoutines][kTypes];

static Function old_routine(_Atomic(Function) *known, const char *name, Function ours) {
  Function found = atomic_load_explicit(known, memory_order_acquire);
  if (found) return found;
  found = look_up(name, ours);
  if (!found) { /* who calls it has been linked with a library that has it */
    fprintf(stderr, "fastla: no library of this process has %s\n", name);
    abort();
  }
  atomic_store_explicit(known, found, memory_order_release);
  return found;
}

/* CBLAS's enumerations as Fortran's letters. */
static int transposition_letter(int value) {
  return value >= 111 && value <= 113 ? "NTC"[value - 111] : 0;
}
static int triangle_letter(int value) { return value == 121 ? 'U' : value == 122 ? 'L' : 0; }

/* Calls ROUTINE with what follows; returns from the caller when that was all. */
#define TRY(ROUTINE, INDEX, TYPE, ...)                                           \
  const fastla_capi *api = atomic_load_explicit(&core, memory_order_acquire);    \
  if (api) {                                                                     \
    atomic_fetch_add_explicit(&calls[INDEX][TYPE], 1, memory_order_relaxed);     \
    if (ROUTINE(api, TYPE, __VA_ARGS__)) return;                                 \
    atomic_fetch_add_explicit(&delegated[INDEX][TYPE], 1, memory_order_relaxed); \
  }
#define OLD(NAME)                 \
  static _Atomic(Function) known; \
  const Function old = old_routine(&known, #NAME, (Function) & NAME)

/* CBLAS passes real alpha and beta as values, complex ones by address (AT is & or nothing). */
#define CBLAS_GEMM(NAME, INT, TYPE, SCALAR, AT)                                                    \
  EXPORT void NAME(int order, int ta, int tb, INT m, INT n, INT k, SCALAR alpha, const void *a,    \
                   INT lda, const void *b, INT ldb, SCALAR beta, void *c, INT ldc) {               \
    if (order == kRowMajor || order == kColumnMajor) {                                             \
      TRY(gemm, kGemm, TYPE, order, transposition_letter(ta), transposition_letter(tb), m, n, k,   \
          AT alpha, a, lda, b, ldb, AT beta, c, ldc)                                               \
    }                                                                                              \
    OLD(NAME);                                                                                     \
    ((void (*)(int, int, int, INT, INT, INT, SCALAR, const void *, INT, const void *, INT, SCALAR, \
               void *, INT))old)(order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);     \
  }
#define CBLAS_GEMV(NAME, INT, TYPE, SCALAR, AT)                                                  \
  EXPORT void NAME(int order, int ta, INT m, INT n, SCALAR alpha, const void *a, INT lda,        \
                   const void *x, INT incx, SCALAR beta, void *y, INT incy) {                    \
    if (order == kRowMajor || order == kColumnMajor) {                                           \
      TRY(gemv, kGemv, TYPE, order, transposition_letter(ta), m, n, AT alpha, a, lda, x, incx,   \
          AT beta, y, incy)                                                                      \
    }                                                                                            \
    OLD(NAME);                                                                                   \
    ((void (*)(int, int, INT, INT, SCALAR, const void *, INT, const void *, INT, SCALAR, void *, \
               INT))old)(order, ta, m, n, alpha, a, lda, x, incx, beta, y, incy);                \
  }
#define CBLAS_SYRK(NAME, INT, TYPE, SCALAR, AT)                                               \
  EXPORT void NAME(int order, int uplo, int ta, INT n, INT k, SCALAR alpha, const void *a,    \
                   INT lda, SCALAR beta, void *c, INT ldc) {                                  \
    if (order == kRowMajor || order == kColumnMajor) {                                        \
      TRY(syrk, kSyrk, TYPE, order, triangle_letter(uplo), transposition_letter(ta), n, k,    \
          AT alpha, a, lda, AT beta, c, ldc)                                                  \
    }                                                                                         \
    OLD(NAME);                                                                                \
    ((void (*)(int, int, int, INT, INT, SCALAR, const void *, INT, SCALAR, void *, INT))old)( \
        order, uplo, ta, n, k, alpha, a, lda, beta, c, ldc);                                  \
  }

/* Fortran passes addresses, and the lengths of texts behind all else. */
#define FORTRAN_GEMM(NAME, INT, TYPE, SCALAR, AT)                                                 \
  EXPORT void NAME(const char *ta, const char *tb, const INT *m, const INT *n, const INT *k,      \
                   const void *alpha, const void *a, const INT *lda, const void *b,               \
                   const INT *ldb, const void *beta, void *c, const INT *ldc) {                   \
    TRY(gemm, kGemm, TYPE, kColumnMajor, *ta, *tb, *m, *n, *k, alpha, a, *lda, b, *ldb, beta, c,  \
        *ldc)                                                                                     \
    OLD(NAME);                                                                                    \
    ((void (*)(const char *, const char *, const INT *, const INT *, const INT *, const void *,   \
               const void *, const INT *, const void *, const INT *, const void *, void *,        \
               const INT *, size_t, size_t))old)(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, \
                                                 ldc, 1, 1);                                      \
  }
#define FORTRAN_GEMV(NAME, INT, TYPE, SCALAR, AT)                                                \
  EXPORT void NAME(const char *ta, const INT *m, const INT *n, const void *alpha, const void *a, \
                   const INT *lda, const void *x, const INT *incx, const void *beta, void *y,    \
                   const INT *incy) {                                                            \
    TRY(gemv, kGemv, TYPE, kColumnMajor, *ta, *m, *n, alpha, a, *lda, x, *incx, beta, y, *incy)  \
    OLD(NAME);                                                                                   \
    ((void (*)(const char *, const INT *, const INT *, const void *, const void *, const INT *,  \
               const void *, const INT *, const void *, void *, const INT *, size_t))old)(       \
        ta, m, n, alpha, a, lda, x, incx, beta, y, incy, 1);                                     \
  }
#define FORTRAN_SYRK(NAME, INT, TYPE, SCALAR, AT)                                                \
  EXPORT void NAME(const char *uplo, const char *ta, const INT *n, const INT *k,                 \
                   const void *alpha, const void *a, const INT *lda, const void *beta, void *c,  \
                   const INT *ldc) {                                                             \
    TRY(syrk, kSyrk, TYPE, kColumnMajor, *uplo, *ta, *n, *k, alpha, a, *lda, beta, c, *ldc)      \
    OLD(NAME);                                                                                   \
    ((void (*)(const char *, const char *, const INT *, const INT *, const void *, const void *, \
               const INT *, const void *, void *, const INT *, size_t, size_t))old)(             \
        uplo, ta, n, k, alpha, a, lda, beta, c, ldc, 1, 1);                                      \
  }

#define TYPES(ROUTINE, PREFIX, NAME, INT)           \
  ROUTINE(PREFIX##s##NAME, INT, kS, float, &)       \
  ROUTINE(PREFIX##d##NAME, INT, kD, double, &)      \
  ROUTINE(PREFIX##c##NAME, INT, kC, const void *, ) \
  ROUTINE(PREFIX##z##NAME, INT, kZ, const void *, )

/* Only names that say how long an integer is: dgemm_ and cblas_dgemm have it from whoever built them. */
#define ROUTINES(KIND, PREFIX, SUFFIX, INT)     \
  TYPES(KIND##_GEMM, PREFIX, gemm##SUFFIX, INT) \
  TYPES(KIND##_GEMV, PREFIX, gemv##SUFFIX, INT) \
  TYPES(KIND##_SYRK, PREFIX, syrk##SUFFIX, INT)

ROUTINES(CBLAS, scipy_cblas_, 64_, int64_t) /* NumPy 2 */
ROUTINES(CBLAS, cblas_, 64_, int64_t)       /* NumPy 1.26 */
ROUTINES(FORTRAN, scipy_, _, int32_t)       /* SciPy */
ROUTINES(FORTRAN, scipy_, _64_, int64_t)

/* For fastla._blas. NULL: off. */
EXPORT void fastla_blas_set(const fastla_capi *api) {
  atomic_store_explicit(&core, api, memory_order_release);
}

/* Whether a loaded library has one of these routines, so that somebody may call it by such a name. */
EXPORT int fastla_blas_reaches(void) {
  return look_up("scipy_cblas_dgemm64_", (Function)&scipy_cblas_dgemm64_) ||
         look_up("cblas_dgemm64_", (Function)&cblas_dgemm64_) ||
         look_up("scipy_dgemm_", (Function)&scipy_dgemm_) ||
         look_up("scipy_dgemm_64_", (Function)&scipy_dgemm_64_);
}

EXPORT int64_t fastla_blas_calls(int routine, int type) { return calls[routine][type]; }
EXPORT int64_t fastla_blas_delegated(int routine, int type) { return delegated[routine][type]; }
