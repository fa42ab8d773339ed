// Numbers in text, at most one branch for each of eight digits.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <charconv>

namespace fastla {

// How many of the eight bytes at p are digits before the first that is none, and what they say.
inline int eight_digits(const char *p, uint64_t *value) {
  uint64_t bytes;
  memcpy(&bytes, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  bytes = __builtin_bswap64(bytes);
#endif
  const uint64_t digits = bytes ^ 0x3030303030303030u;  // 0 to 9, where there were digits
  const uint64_t others = ((digits + 0x7676767676767676u) | digits) & 0x8080808080808080u;
  const int count = others ? __builtin_ctzll(others) / 8 : 8;
  if (count == 0) return 0;
  // Zeros in front, then pairs, fours and eight are added up.
  uint64_t x = digits << (64 - 8 * count);
  x = x * 10 + (x >> 8);
  x = ((x & 0x000000ff000000ffu) * 0x000f424000000064u +
       ((x >> 16) & 0x000000ff000000ffu) * 0x0000271000000001u) >>
      32;
  *value = x;
  return count;
}

// A number from 0 to 2^63 - 1; where it ends, or nullptr: there is none.
inline const char *scan_number(const char *p, int64_t *value) {
  uint64_t part;
  int count = eight_digits(p, &part);
  if (count == 0) return nullptr;
  p += count;
  if (count < 8) {
    *value = int64_t(part);
    return p;
  }
  constexpr uint64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
  uint64_t total = part;
  while ((count = eight_digits(p, &part)) > 0) {
    if (__builtin_mul_overflow(total, powers[count], &total) || total > uint64_t(INT64_MAX) - part)
      return nullptr;
    total += part;
    p += count;
    if (count < 8) break;
  }
  *value = int64_t(total);
  return p;
}

// A number that is finite and not negative; where it ends, or nullptr.
inline const char *scan_weight(const char *p, const char *end, double *value) {
  if (*p == '+') ++p;
  const std::from_chars_result read = std::from_chars(p, end, *value);
  return read.ec == std::errc() && *value >= 0 && *value < HUGE_VAL ? read.ptr : nullptr;
}

}  // namespace fastla
