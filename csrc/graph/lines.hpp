// Records on their way to many places far apart, gathered to whole lines, which go past the caches: half the time.
#pragma once
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace fastla {

constexpr int64_t kLineBytes = 64;

inline void store_line(void *to, const void *from) {
#if defined(__x86_64__)
  for (int i = 0; i < 4; ++i)
    _mm_stream_si128(static_cast<__m128i *>(to) + i, static_cast<const __m128i *>(from)[i]);
#else
  memcpy(to, from, kLineBytes);
#endif
}

// to: aligned to lines. places: of each part, where its next record goes; firsts: the same, for good. lines: space for a
// line of each part, aligned.
template <class Record> class Lines {
 public:
  static constexpr int64_t kLength = kLineBytes / int64_t(sizeof(Record));

  Lines(Record *to, int64_t *places, const int64_t *firsts, Record *lines)
      : to_(to), places_(places), firsts_(firsts), lines_(lines) {}

  void put(int64_t part, const Record &record) const {
    const int64_t place = places_[part]++;
    lines_[part * kLength + place % kLength] = record;
    if (place % kLength != kLength - 1) return;
    const int64_t line = place - (kLength - 1);
    if (line >= firsts_[part])
      store_line(to_ + line, lines_ + part * kLength);
    else
      copy(part, firsts_[part], place + 1);
  }

  // What stands in lines that are not full.
  void finish(int64_t parts) const {
    for (int64_t part = 0; part < parts; ++part) {
      const int64_t end = places_[part], line = end / kLength * kLength;
      copy(part, line < firsts_[part] ? firsts_[part] : line, end);
    }
#if defined(__x86_64__)
    _mm_sfence();
#endif
  }

 private:
  void copy(int64_t part, int64_t begin, int64_t end) const {
    for (int64_t place = begin; place < end; ++place)
      to_[place] = lines_[part * kLength + place % kLength];
  }

  Record *to_;
  int64_t *places_;
  const int64_t *firsts_;
  Record *lines_;
};

}  // namespace fastla
