/* GEMM, GEMV and SYRK as products of the core. */
#include <string.h>

#include "blas.h"

static const int kDtypes[kTypes] = {FASTLA_F32, FASTLA_F64, FASTLA_C64, FASTLA_C128};
static const int64_t kSizes[kTypes] = {4, 8, 8, 16};

/* Whether op(X) is X ('N'), its transpose ('T'; conjugated: 'C', for reals the same) or invalid. */
enum { kPlain, kTransposed, kNotOurs };
static int transposition(int type, int letter) {
  switch (letter) {
    case 'N':
    case 'n':
      return kPlain;
    case 'T':
    case 't':
      return kTransposed;
    case 'C':
    case 'c':
      return type < kC ? kTransposed : kNotOurs;
  }
  return kNotOurs;
}

typedef struct Scale {
  double alpha, beta;
} Scale;

/* 0: the core has no such scaling. Nothing is multiplied by an alpha of 0, whatever is in A and B. */
static int read_scale(int type, const void *alpha, const void *beta, Scale *scale) {
  const float *const s[2] = {alpha, beta};
  const double *const d[2] = {alpha, beta};
  const int single = type == kS || type == kC;
  scale->alpha = single ? s[0][0] : d[0][0];
  scale->beta = single ? s[1][0] : d[1][0];
  if (type < kC) return scale->alpha != 0;
  const double imaginary[2] = {single ? s[0][1] : d[0][1], single ? s[1][1] : d[1][1]};
  return scale->alpha == 1 && scale->beta == 0 && imaginary[0] == 0 && imaginary[1] == 0;
}

/* op(X), which has this many rows and columns; 0: the leading dimension is too small. */
static int read_matrix(int type, int order, int op, int64_t rows, int64_t columns, const void *data,
                       int64_t leading, fastla_matrix *x) {
  const int by_rows = (order == kRowMajor) != (op == kTransposed);
  x->data = data;
  x->row_stride = by_rows ? leading * kSizes[type] : kSizes[type];
  x->col_stride = by_rows ? kSizes[type] : leading * kSizes[type];
  x->swapped = 0;
  return leading >= (by_rows ? columns : rows);
}

/* C (its strides are c's) = alpha A B + beta C; 0: there is no memory, and C is as it was. */
static int multiply(const fastla_capi *api, int type, int64_t m, int64_t n, int64_t k,
                    fastla_matrix a, fastla_matrix b, fastla_matrix c, Scale scale) {
  fastla_gemm_desc desc;
  fastla_epilogue epilogue;
  api->gemm_desc_init(&desc);
  /* The stride of an axis of one is whatever it is; the core's fast paths ask for contiguous ones. */
  if (m == 1) a.row_stride = 0, c.row_stride = n * kSizes[type];
  if (n == 1) b.col_stride = c.col_stride = kSizes[type];
  desc.dtype = kDtypes[type];
  desc.m = m;
  desc.n = n;
  desc.k = k;
  desc.a = a;
  desc.b = b;
  desc.c = (void *)c.data;
  desc.c_row_stride = c.row_stride;
  desc.c_col_stride = c.col_stride;
  if (scale.alpha != 1 || scale.beta != 0) {
    api->epilogue_init(&epilogue);
    epilogue.alpha = scale.alpha;
    epilogue.beta = scale.beta;
    if (scale.beta != 0) epilogue.c = c;
    desc.epilogue = &epilogue;
  }
  return api->gemm(&desc, NULL) == FASTLA_OK;
}

int gemm(const fastla_capi *api, int type, int order, int letter_a, int letter_b, int64_t m,
         int64_t n, int64_t k, const void *alpha, const void *a, int64_t lda, const void *b,
         int64_t ldb, const void *beta, void *c, int64_t ldc) {
  const int op_a = transposition(type, letter_a), op_b = transposition(type, letter_b);
  fastla_matrix x, y, z;
  Scale scale;
  return op_a != kNotOurs && op_b != kNotOurs && m > 0 && n > 0 && k > 0 &&
         read_scale(type, alpha, beta, &scale) &&
         read_matrix(type, order, op_a, m, k, a, lda, &x) &&
         read_matrix(type, order, op_b, k, n, b, ldb, &y) &&
         read_matrix(type, order, kPlain, m, n, c, ldc, &z) &&
         multiply(api, type, m, n, k, x, y, z, scale);
}

/* With a negative increment a vector begins at its end. */
static fastla_matrix read_vector(int type, int64_t length, const void *data, int64_t increment) {
  const int64_t stride = increment * kSizes[type];
  const char *first = (const char *)data - (increment < 0 ? (length - 1) * stride : 0);
  return (fastla_matrix){first, stride, kSizes[type], 0};
}

/* A is m x n, its op(A) what multiplies x. */
int gemv(const fastla_capi *api, int type, int order, int letter, int64_t m, int64_t n,
         const void *alpha, const void *a, int64_t lda, const void *x, int64_t incx,
         const void *beta, void *y, int64_t incy) {
  const int op = transposition(type, letter);
  const int64_t rows = op == kTransposed ? n : m, columns = op == kTransposed ? m : n;
  fastla_matrix matrix;
  Scale scale;
  return op != kNotOurs && m > 0 && n > 0 && incx != 0 && incy != 0 &&
         read_scale(type, alpha, beta, &scale) &&
         read_matrix(type, order, op, rows, columns, a, lda, &matrix) &&
         multiply(api, type, rows, 1, columns, matrix, read_vector(type, columns, x, incx),
                  read_vector(type, rows, y, incy), scale);
}

typedef struct Triangle {
  const fastla_capi *api;
  int type, upper;
  int64_t k;
  fastla_matrix a, c; /* of the whole: n x k and n x n */
  Scale scale;
} Triangle;

enum { kLeaf = 32 };

static const char *element(const fastla_matrix *x, int64_t row, int64_t column) {
  return (const char *)x->data + row * x->row_stride + column * x->col_stride;
}

/* `rows` rows of A from `row` on by `columns` of them from `column` on, transposed. */
static int multiply_rows(const Triangle *t, int64_t row, int64_t rows, int64_t column,
                         int64_t columns, fastla_matrix c) {
  fastla_matrix a = t->a, b = t->a;
  a.data = element(&t->a, row, 0);
  b.data = element(&t->a, column, 0);
  b.row_stride = t->a.col_stride;
  b.col_stride = t->a.row_stride;
  return multiply(t->api, t->type, rows, columns, t->k, a, b, c, t->scale);
}

/* Halves: two smaller triangles and the rectangle between them. The other triangle of C is not ours to write. */
static int triangle(const Triangle *t, int64_t first, int64_t n) {
  const int64_t size = kSizes[t->type];
  if (n <= kLeaf) {
    double square[kLeaf * kLeaf * 2];
    const fastla_matrix whole = {square, n * size, size, 0};
    if (!multiply_rows(t, first, n, first, n, whole)) return 0;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = t->upper ? i : 0; j < (t->upper ? n : i + 1); ++j)
        memcpy((char *)element(&t->c, first + i, first + j), element(&whole, i, j), (size_t)size);
    return 1;
  }
  const int64_t half = (n / 2 + kLeaf - 1) / kLeaf * kLeaf, middle = first + half;
  const int64_t row = t->upper ? first : middle, column = t->upper ? middle : first;
  const int64_t rows = t->upper ? half : n - half, columns = n - rows;
  fastla_matrix between = t->c;
  between.data = element(&t->c, row, column);
  return triangle(t, first, half) && triangle(t, middle, n - half) &&
         multiply_rows(t, row, rows, column, columns, between);
}

/* C is n x n, op(A) n x k. Only without beta: when memory runs out half way, the old routine begins anew. */
int syrk(const fastla_capi *api, int type, int order, int uplo, int letter, int64_t n, int64_t k,
         const void *alpha, const void *a, int64_t lda, const void *beta, void *c, int64_t ldc) {
  Triangle t = {.api = api, .type = type, .upper = uplo == 'U' || uplo == 'u', .k = k};
  const int op = transposition(type, letter);
  return op != kNotOurs && (t.upper || uplo == 'L' || uplo == 'l') && n > 0 && k > 0 &&
         read_scale(type, alpha, beta, &t.scale) && t.scale.beta == 0 &&
         read_matrix(type, order, op, n, k, a, lda, &t.a) &&
         read_matrix(type, order, kPlain, n, n, c, ldc, &t.c) && triangle(&t, 0, n);
}
