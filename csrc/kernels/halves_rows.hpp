// The generic source of the rows for float16: packed tiles of float32.
#pragma once
#define FASTLA_STORES_HALVES
#include "kernels/halves.hpp"

#include "kernels/pack_words.hpp"
#include "kernels/rows.hpp"
#include "kernels/tables.hpp"

namespace {

template <int MR, int NV> constexpr KernelRow make_half_row(const char *isa) {
  KernelRow row{};
  row.isa = isa;
  row.dtype = FASTLA_F16;
  row.element_size = sizeof(float);
  row.input_size = row.output_size = 2;
  row.group = 1;
  row.mr = MR;
  row.nr = NV * Simd<float>::lanes;
  row.vector_bytes = FASTLA_VECTOR_BYTES;
  row.pack_a = &pack_words_a<uint16_t, float, MR, 0>;
  row.pack_b = &pack_words_b<uint16_t, float, 0, NV>;
  row.block = &run_packed<float, MR, NV>;
  row.fma_loop = &fma_loop<float, 12>;
  row.fma_loop_flops = 2.0 * 12 * Simd<float>::lanes;
  row.family = fastla::Family::halves;
  return row;
}

}  // namespace
