// Sorted records to rows of a compressed matrix; duplicates become one entry.
#pragma once
#include <stdint.h>
#include <string.h>

#include "fastla/graph.h"
#include "graph/records.hpp"

namespace fastla {

template <class Record> int64_t distinct(const Record *records, int64_t count) {
  int64_t found = count > 0;
  for (int64_t i = 1; i < count; ++i) found += records[i].key != records[i - 1].key;
  return found;
}

// The rows of a part: where they end, where the first begins, and all entries there are.
template <class Index> struct Rows {
  Index *ends;
  int64_t rows, first;
  Index *indices;
  void *weight;  // nullptr: not wanted
  bool narrow;   // floats
  KeyBits bits;

  template <class Record> void write(const Record *records, int64_t count, int duplicates) const {
    memset(ends, 0, size_t(rows) * sizeof(*ends));
    const bool all = duplicates == FASTLA_KEEP_ALL;
    int64_t at = first;
    if (weight)
      at = put_weighted(records, count, all, duplicates);
    else
      for (int64_t i = 0; i < count; ++i) {
        const uint64_t key = records[i].key;
        indices[at] = Index(bits.source(key));
        at += all || i + 1 == count || records[i + 1].key != key;
        ends[bits.target(key)] = Index(at);
      }
    // Where a row without entries ends.
    Index end = Index(first);
    for (int64_t row = 0; row < rows; ++row) ends[row] = end = ends[row] ? ends[row] : end;
  }

 private:
  template <class Record>
  int64_t put_weighted(const Record *records, int64_t count, bool all, int duplicates) const {
    int64_t at = first;
    double value = 0;
    bool fresh = true;
    for (int64_t i = 0; i < count; ++i) {
      const uint64_t key = records[i].key;
      value = fresh ? records[i].weight() : joined(value, records[i].weight(), duplicates);
      fresh = all || i + 1 == count || records[i + 1].key != key;
      if (!fresh) continue;
      indices[at] = Index(bits.source(key));
      if (narrow)
        static_cast<float *>(weight)[at] = float(value);
      else
        static_cast<double *>(weight)[at] = value;
      ends[bits.target(key)] = Index(++at);
    }
    return at;
  }
  static double joined(double a, double b, int duplicates) {
    switch (duplicates) {
      case FASTLA_SUM:
        return a + b;
      case FASTLA_LAST:
        return b;
      case FASTLA_MAX:
        return a < b ? b : a;
      case FASTLA_MIN:
        return b < a ? b : a;
      default:
        return a;
    }
  }
};

}  // namespace fastla
