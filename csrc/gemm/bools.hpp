// Eight elements of bool at a time.
#pragma once
#include <stdint.h>

namespace fastla {

constexpr uint64_t kOnes = 0x0101010101010101;

// Eight elements, true where they are not 0, as bytes of 0 and 1; as bits.
inline uint64_t bools(uint64_t x) {
  constexpr uint64_t low = 0x7f * kOnes;
  return (((x & low) + low) | x) >> 7 & kOnes;
}
inline uint8_t bits_of(uint64_t bytes) { return uint8_t(bytes * 0x0102040810204080 >> 56); }
inline uint64_t bytes_of(uint8_t bits) {
  return (((bits * kOnes) & 0x8040201008040201) + 0x7f * kOnes) >> 7 & kOnes;
}
// Element r of byte c trades places with element c of byte r.
inline uint64_t turned(uint64_t x) {
  uint64_t t = (x ^ (x >> 7)) & 0x00aa00aa00aa00aa;
  x ^= t ^ (t << 7);
  t = (x ^ (x >> 14)) & 0x0000cccc0000cccc;
  x ^= t ^ (t << 14);
  t = (x ^ (x >> 28)) & 0x00000000f0f0f0f0;
  return x ^ t ^ (t << 28);
}
// Up to eight elements that lie `stride` bytes apart, as bytes of 0 and 1; the others are 0.
inline uint64_t load_bools(const char *p, int64_t stride, int64_t count) {
  uint64_t x = 0;
  if (stride == 1 && count >= 8)
    __builtin_memcpy(&x, p, 8);
  else
    for (int64_t i = 0; i < count && i < 8; ++i) x |= uint64_t(uint8_t(p[i * stride])) << (8 * i);
  return bools(x);
}
inline void store_bools(char *p, int64_t stride, int64_t count, uint64_t bytes) {
  if (stride == 1 && count >= 8)
    __builtin_memcpy(p, &bytes, 8);
  else
    for (int64_t i = 0; i < count && i < 8; ++i) p[i * stride] = char(bytes >> (8 * i) & 1);
}

}  // namespace fastla
