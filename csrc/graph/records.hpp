// Edges while they are sorted: one number that orders them, and a weight where there is one.
#pragma once
#include <stdint.h>
#include <string.h>

#include "runtime/workspace.hpp"

namespace fastla {

// A key is the target, counted from its part's first, above the source's bits.
struct KeyBits {
  int source_bits;
  uint64_t join(uint64_t target, uint64_t source) const { return target << source_bits | source; }
  uint64_t source(uint64_t key) const { return key & ((uint64_t{1} << source_bits) - 1); }
  uint64_t target(uint64_t key) const { return key >> source_bits; }
};
struct PlainRecord {
  static constexpr bool weighted = false;
  uint64_t key;
  void set_weight(double) {}
  double weight() const { return 1; }
};
struct WeightedRecord {
  static constexpr bool weighted = true;
  uint64_t key;
  double value;
  void set_weight(double w) { value = w; }
  double weight() const { return value; }
};

// Counters of a digit take 16 KiB: half of a small L1. Passes by less take longer in all.
constexpr int kDigitBits = 11;

// One stable pass by `bits` bits from `shift` on; false: they are all alike, and nothing was moved.
template <class Record>
bool sort_by_digit(const Record *from, Record *to, int64_t count, int shift, int bits) {
  int64_t places[1 << kDigitBits];
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  memset(places, 0, sizeof(places[0]) << bits);
  for (int64_t i = 0; i < count; ++i) ++places[from[i].key >> shift & mask];
  if (places[from[0].key >> shift & mask] == count) return false;
  int64_t next = 0;
  for (uint64_t digit = 0; digit <= mask; ++digit) {
    const int64_t here = places[digit];
    places[digit] = next;
    next += here;
  }
  for (int64_t i = 0; i < count; ++i) to[places[from[i].key >> shift & mask]++] = from[i];
  return true;
}

// Stable, by the low `bits` bits of the keys. The result is in records.
template <class Record>
void sort_records(Record *records, Record *buffer, int64_t count, int bits) {
  if (count < 2) return;
  Record *from = records, *to = buffer;
  const int passes = (bits + kDigitBits - 1) / kDigitBits;
  for (int pass = 0; pass < passes; ++pass) {
    const int begin = bits * pass / passes, end = bits * (pass + 1) / passes;
    if (!sort_by_digit(from, to, count, begin, end - begin)) continue;
    Record *const other = from;
    from = to;
    to = other;
  }
  if (from != records) memcpy(records, from, size_t(count) * sizeof(Record));
}

}  // namespace fastla
