// Transposition by counting: pieces of rows count their columns, learn where their entries go, and put them there.
#include <string.h>

#include "fastla/runtime.h"
#include "graph/csr.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

// Counts that each piece keeps cost about as much as entries: no more pieces than so.
int64_t pieces_of(const SparseDesc &d, int64_t entries) {
  const int threads = d.num_threads ? d.num_threads : fastla_get_num_threads();
  const int64_t worth = entries / (d.cols + 1) / 2 + 1, most = threads < worth ? threads : worth;
  return most < d.rows ? most : d.rows > 0 ? d.rows : 1;
}

template <class I, class Value> class Transposition {
 public:
  Transposition(const SparseDesc &d, int64_t pieces, I *places, I *indices, void *values)
      : d_(d),
        pieces_(pieces),
        from_(static_cast<const I *>(d.indices)),
        places_(places),
        to_(indices),
        values_(static_cast<Value *>(values)) {}

  void run(I *starts) const noexcept {
    const int threads = int(pieces_);
    parallel_for(pieces_, threads, [&](int64_t piece, int) {
      I *const count = places_ + piece * d_.cols;
      memset(count, 0, size_t(d_.cols) * sizeof(*count));
      for (int64_t p = start_of(d_, first(piece)); p < start_of(d_, first(piece + 1)); ++p)
        ++count[from_[p]];
    });
    I next = 0;
    for (int64_t j = 0; j < d_.cols; ++j) {
      starts[j] = next;
      for (int64_t piece = 0; piece < pieces_; ++piece) {
        I &place = places_[piece * d_.cols + j];
        const I count = place;
        place = next;
        next += count;
      }
    }
    starts[d_.cols] = next;
    parallel_for(pieces_, threads, [&](int64_t piece, int) { put(piece); });
  }

 private:
  int64_t first(int64_t piece) const { return d_.rows / pieces_ * piece + rest(piece); }
  int64_t rest(int64_t piece) const { return d_.rows % pieces_ * piece / pieces_; }
  void put(int64_t piece) const {
    I *const place = places_ + piece * d_.cols;
    const Value *const old = static_cast<const Value *>(d_.values);
    for (int64_t i = first(piece); i < first(piece + 1); ++i)
      for (int64_t p = start_of(d_, i), end = start_of(d_, i + 1); p < end; ++p) {
        const int64_t to = int64_t(place[from_[p]]++);
        to_[to] = I(i);
        if (old) values_[to] = old[p];
      }
  }

  const SparseDesc &d_;
  int64_t pieces_;
  const I *from_;
  I *places_;  // of each piece, of each column
  I *to_;
  Value *values_;
};

struct Pair {
  uint64_t parts[2];
};

template <class I> void transpose(const SparseDesc &d, int64_t pieces, char *scratch, void *starts,
                                  void *indices, void *values) {
  I *const places = reinterpret_cast<I *>(scratch), *const to = static_cast<I *>(indices),
           *const at = static_cast<I *>(starts);
  if (value_size(d) == 4)
    Transposition<I, uint32_t>(d, pieces, places, to, values).run(at);
  else if (value_size(d) == 8)
    Transposition<I, uint64_t>(d, pieces, places, to, values).run(at);
  else
    Transposition<I, Pair>(d, pieces, places, to, values).run(at);
}

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" fastla_status fastla_sparse_transpose(const fastla_sparse_desc *desc, void *starts,
                                                 void *indices, void *values) {
  const SparseDesc &d = *desc;
  if (!valid(d) || !starts) return FASTLA_INVALID;
  const int64_t entries = start_of(d, d.rows), pieces = pieces_of(d, entries);
  if ((entries && !indices) || (entries && d.values && !values)) return FASTLA_INVALID;
  // The new indices are old rows.
  if (d.index_bytes == 4 && d.rows > INT32_MAX) return FASTLA_INVALID;
  const Workspace places{size_t(pieces) * size_t(d.cols) * size_t(d.index_bytes) + 64};
  if (!places.data()) return FASTLA_NO_MEMORY;
  d.index_bytes == 4 ? transpose<int32_t>(d, pieces, places.data(), starts, indices, values)
                     : transpose<int64_t>(d, pieces, places.data(), starts, indices, values);
  return FASTLA_OK;
}
