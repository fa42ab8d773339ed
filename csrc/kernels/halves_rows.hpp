// The generic source of the rows for float16, or (FASTLA_BFLOATS) bfloat16: packed tiles of float32, or
// (FASTLA_PAIRS) of pairs of bfloat16.
#pragma once
#define FASTLA_STORES_HALVES
#ifdef FASTLA_BFLOATS
#include "kernels/bfloats.hpp"
#else
#include "kernels/halves.hpp"
#endif

#include "kernels/pack_words.hpp"
#include "kernels/rows.hpp"
#include "kernels/tables.hpp"

namespace {

#ifdef FASTLA_PAIRS
// The instruction computes the fused multiply-add of the odd elements, then that of the even ones: in words packed with
// the first step in the upper half that is the contract's order.
template <> struct Chain<float> {
  static constexpr bool apart = false;
  static FASTLA_INLINE Vec<float> add(Vec<float> a, Vec<float> b, Vec<float> c) {
    return (Vec<float>)_mm512_dpbf16_ps((__m512)c, (__m512bh)a, (__m512bh)b);
  }
};
#endif

FASTLA_INLINE float fused(float a, float b, float c) {
  if constexpr (kFused)
    return __builtin_fmaf(a, b, c);
  else
    return fma(Vec<float>{a}, Vec<float>{b}, Vec<float>{c})[0];
}

// A product that is not worth packing, with operands in place.
inline void run_tiny_halves(const Block &block) {
  const auto at = [](const char *p) {
    uint16_t h;
    float x;
    __builtin_memcpy(&h, p, 2);
    const uint32_t u = Halves<Half16>::bits(h);
    __builtin_memcpy(&x, &u, 4);
    return x;
  };
  for (int64_t i = 0; i < block.m; ++i)
    for (int64_t j = 0; j < block.n; ++j) {
      const char *a = block.a + i * block.a_row_stride, *b = block.b + j * block.b_col_stride;
      float sum = 0;
      for (int64_t k0 = 0; k0 < block.k; k0 += fastla::kBlockLength) {
        const int64_t left = block.k - k0;
        float s = 0;
        for (int64_t k = 0; k < left && k < fastla::kBlockLength; ++k) {
          s = fused(at(a), at(b), s);
          a += block.a_col_stride;
          b += block.b_step;
        }
        sum += s;
      }
      char *const c = block.c + i * block.c_row_stride + j * block.c_col_stride;
      if (block.c_size == sizeof(sum))
        store_scalar<float>(c, sum);
      else
        put_halves(&sum, c, 0, 1);
    }
}

template <int MR, int NV> void run_halves(const Block &block) {
  const Environment environment;
  block.packed ? run_packed<float, MR, NV>(block) : run_tiny_halves(block);
}

inline void widen_halves(const char *from, float *to, int64_t count) {
  Halves<Half16>::widen(from, count, reinterpret_cast<uint32_t *>(to));
}
inline void narrow_halves(const float *from, char *to, int64_t count) {
  put_halves(from, to, 2, count);
}

template <int MR, int NV>
constexpr KernelRow make_half_row(const char *isa, int dtype = FASTLA_F16, int output_size = 2) {
  KernelRow row{};
  row.isa = isa;
  row.dtype = dtype;
  row.element_size = sizeof(float);
  row.input_size = 2;
  row.output_size = output_size;
  row.group = kGroup<float>;
  row.mr = MR;
  row.nr = NV * Simd<float>::lanes;
  row.vector_bytes = FASTLA_VECTOR_BYTES;
  row.pack_a = &pack_words_a<Half16, float, MR, 0>;
  row.pack_b = &pack_words_b<Half16, float, 0, NV>;
  row.block = &run_halves<MR, NV>;
  row.fma_loop = &fma_loop<float, 12>;
  row.fma_loop_flops = 2.0 * 12 * Simd<float>::lanes * kGroup<float>;
  row.family = fastla::Family::halves;
  row.to_floats = &widen_halves;
  row.from_floats = &narrow_halves;
  return row;
}

#ifdef FASTLA_BFLOATS
template <int MR, int NV> constexpr fastla::BfloatRows make_bfloat_rows(const char *isa) {
  return {
      {make_half_row<MR, NV>(isa, FASTLA_BF16), make_half_row<MR, NV>(isa, FASTLA_BF16_F32, 4)}};
}
#endif

}  // namespace
