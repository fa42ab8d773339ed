#include "gemm/valid.hpp"

#include "gemm/prepack.hpp"
#include "gemm/stacked.hpp"

namespace fastla {

bool valid(const GemmDesc &d) noexcept {
  if (d.struct_size < sizeof(GemmDesc) || d.dtype < 0 || d.dtype >= FASTLA_ALL_DTYPES) return false;
  if (d.m < 0 || d.n < 0 || d.k < 0 || d.num_threads < 0) return false;
  if (d.batch_ndim < 0 || d.batch_ndim > kMaxBatchDims) return false;
  for (int i = 0; i < d.batch_ndim; ++i)
    if (d.batch_shape[i] < 0) return false;
  if (d.packed_b && (d.packed_b->k != d.k || d.packed_b->n != d.n ||
                     d.packed_b->row->dtype != d.dtype || !fastla_packed_current(d.packed_b)))
    return false;
  if (d.flags > (FASTLA_CONJ_A | FASTLA_CONJ_B | FASTLA_SYMMETRIC | FASTLA_FAST)) return false;
  const bool is_complex = d.dtype == FASTLA_C64 || d.dtype == FASTLA_C128;
  if (d.flags & (FASTLA_CONJ_A | FASTLA_CONJ_B) && !is_complex) return false;
  if (d.flags & FASTLA_SYMMETRIC && (d.m != d.n || d.epilogue || d.batch_ndim || d.packed_b))
    return false;
  if (d.dtype >= FASTLA_DTYPES && (d.packed_b || d.flags)) return false;
  const Epilogue *e = d.epilogue;
  if (!e) return true;
  const bool real = d.dtype < FASTLA_FLOATS || (d.dtype >= FASTLA_F16 && d.dtype < FASTLA_DTYPES);
  return real && e->struct_size >= sizeof(Epilogue) && d.batch_ndim == 0 && e->activation >= 0 &&
         e->activation < FASTLA_ACTIVATIONS && (e->beta == 0 || e->c.data);
}

}  // namespace fastla
