// AVX-512 with BF16, whose instruction multiplies and adds pairs.
#define FASTLA_VECTOR_BYTES 64
#define FASTLA_BFLOATS
#define FASTLA_PAIRS
#include "kernels/halves_rows.hpp"

namespace fastla {
namespace {

using Words = Simd<uint32_t>::V;

// Numbers of all kinds; of like magnitudes; whose products are about 2^-126; subnormal ones, 0 and the least normal.
constexpr uint32_t kinds = 4;
uint32_t draw(uint32_t random, uint32_t kind, uint32_t fraction) {
  constexpr uint32_t lowest[] = {0, 120, 52, 0}, exponents[] = {256, 16, 24, 3};
  const uint32_t exponent = lowest[kind] + (random >> 8) % exponents[kind];
  return (random & 0x80000000u) | exponent << 23 | ((random * 0x9e3779b1u) & fraction);
}

}  // namespace

bool avx512_pairs_hold() {
  const Environment environment;
  const auto is_nan = [](Words x) FASTLA_LAMBDA { return (x & 0x7fffffff) > 0x7f800000; };
  uint32_t random = 1;
  const auto next = [&]() FASTLA_LAMBDA { return random = random * 1664525u + 1013904223u; };
  uint32_t wrong = 0;
  for (uint32_t n = 0; n < 64; ++n) {
    constexpr uint32_t upper = 0xffff0000u, short_fraction = 0x7f0000u;
    const uint32_t kind = n % kinds;
    Words first[2], second[2], start;
    for (int i = 0; i < Simd<float>::lanes; ++i) {
      for (int s = 0; s < 2; ++s) {
        first[s][i] = draw(next(), kind, short_fraction);
        second[s][i] = draw(next(), kind, short_fraction);
      }
      start[i] = draw(next(), kind == 2 ? 3 : kind, 0x7fffff);
    }
    // Every other time a sum that begins with minus the first product, rounded: what remains is its error.
    if (n / kinds % 2)
      start = (Words)((Vec<float>)first[0] * (Vec<float>)(second[0] ^ 0x80000000u));
    Vec<float> sum = (Vec<float>)start;
    for (int s = 0; s < 2; ++s) sum = fma((Vec<float>)first[s], (Vec<float>)second[s], sum);
    const Words a = (first[0] & upper) | first[1] >> 16, b = (second[0] & upper) | second[1] >> 16;
    const Words pairs = (Words)Chain<float>::add((Vec<float>)a, (Vec<float>)b, (Vec<float>)start);
    const Words same = (Words)(pairs == (Words)sum) | (Words)(is_nan(pairs) & is_nan((Words)sum));
    for (int i = 0; i < Simd<float>::lanes; ++i) wrong |= ~same[i];
  }
  return !wrong;
}

extern const BfloatRows zen4_pairs = make_bfloat_rows<8, 3>("zen4");
extern const BfloatRows avx512_pairs = make_bfloat_rows<14, 2>("avx512");
}  // namespace fastla
