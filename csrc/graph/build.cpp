// Edges to compressed form: parts by the targets' high bits, then each part sorted where it fits the caches.
//
//   edges -> (count, check) -> parts -> sorted parts, duplicates counted -> starts, indices, weights
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <new>

#include "fastla/graph.h"
#include "fastla/runtime.h"
#include "graph/lines.hpp"
#include "graph/merge.hpp"
#include "graph/records.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

struct fastla_sorted_edges {
  virtual ~fastla_sorted_edges() = default;
  virtual void write(int32_t index_bytes, void *starts, void *indices, void *weight) const = 0;
};

namespace fastla {
namespace {

// A part and its copy stay in an L2 of 512 KiB. One line open for each part: 2048 of them stay there too.
constexpr int64_t kPartBytes = 1 << 18;
constexpr int kMostPartBits = 11;
// Edges that are worth a thread of their own.
constexpr int64_t kPieceEdges = 1 << 16;

int bits_of(int64_t x) { return x ? 64 - __builtin_clzll(uint64_t(x)) : 0; }
int lesser(int a, int b) { return a < b ? a : b; }

void note_lower(std::atomic<int64_t> *least, int64_t found) {
  int64_t known = least->load();
  while (found < known && !least->compare_exchange_weak(known, found)) {
  }
}

// The edges with their type; a copy on the stack, which stores do not touch.
template <class Id> struct Edges {
  explicit Edges(const fastla_edges &e)
      : source(static_cast<const Id *>(e.source)),
        target(static_cast<const Id *>(e.target)),
        weights(e.weight),
        nodes(uint64_t(e.nodes)),
        narrow(e.weight_bytes == 4),
        both_ways(e.both_ways) {}

  double weight(int64_t i) const {
    return narrow ? double(static_cast<const float *>(weights)[i])
                  : static_cast<const double *>(weights)[i];
  }
  bool is_node(Id id) const { return uint64_t(id) < nodes; }
  bool outside(int64_t i) const { return !is_node(source[i]) || !is_node(target[i]); }
  bool bad_weight(int64_t i) const { return !(weight(i) >= 0 && weight(i) < HUGE_VAL); }

  const Id *const source, *const target;
  const void *const weights;
  const uint64_t nodes;
  const bool narrow, both_ways;
};

template <class Id, class Record> class Sorted final : public fastla_sorted_edges {
 public:
  Sorted(const fastla_edges &edges, int64_t records, int threads)
      : e_(edges),
        threads_(threads),
        node_bits_(bits_of(edges.nodes ? edges.nodes - 1 : 0)),
        shift_(node_bits_ - lesser(bits_of(records * int64_t(sizeof(Record)) / kPartBytes),
                                   lesser(node_bits_, kMostPartBits))),
        parts_(edges.nodes ? ((edges.nodes - 1) >> shift_) + 1 : 0),
        pieces_(edges.count / kPieceEdges < threads ? edges.count / kPieceEdges + 1 : threads),
        places_space_(size_t((2 * pieces_ + 2) * (parts_ + 1)) * sizeof(int64_t)),
        records_space_(size_t(records) * sizeof(Record)),
        records_(reinterpret_cast<Record *>(records_space_.data())) {}

  fastla_status run(fastla_edges_report *report) noexcept {
    if (!places_space_.data() || !records_) return FASTLA_NO_MEMORY;
    places_ = reinterpret_cast<int64_t *>(places_space_.data());
    begins_ = places_ + pieces_ * parts_;
    firsts_ = begins_ + pieces_ * parts_;
    stored_ = firsts_ + parts_ + 1;
    count(report);
    if (report->what) return FASTLA_INVALID;
    report->given = arrange();
    const Workspace lines(size_t(pieces_ * parts_ * kLineBytes));
    if (!lines.data()) return FASTLA_NO_MEMORY;
    parallel_for(pieces_, threads_, [&](int64_t piece, int) {
      char *const own = lines.data() + piece * parts_ * kLineBytes;
      scatter(piece, reinterpret_cast<Record *>(own));
    });
    return sort_parts(report);
  }

  void write(int32_t index_bytes, void *starts, void *indices, void *weight) const override {
    index_bytes == 4
        ? write_as(static_cast<int32_t *>(starts), static_cast<int32_t *>(indices), weight)
        : write_as(static_cast<int64_t *>(starts), static_cast<int64_t *>(indices), weight);
  }

 private:
  int64_t first_of(int64_t piece) const { return int64_t(__int128(e_.count) * piece / pieces_); }
  // How many records each piece has for each part; the first edge that is wrong.
  void count(fastla_edges_report *report) const {
    std::atomic<int64_t> wrong{e_.count};
    parallel_for(pieces_, threads_, [&](int64_t piece, int) {
      const Edges<Id> edges{e_};
      const int shift = shift_;
      int64_t *const counts = places_ + piece * parts_;
      memset(counts, 0, size_t(parts_) * sizeof(*counts));
      for (int64_t i = first_of(piece), end = first_of(piece + 1); i < end; ++i) {
        if (edges.outside(i) || (Record::weighted && edges.bad_weight(i)))
          return note_lower(&wrong, i);
        ++counts[edges.target[i] >> shift];
        if (edges.both_ways && edges.source[i] != edges.target[i])
          ++counts[edges.source[i] >> shift];
      }
    });
    if (wrong == e_.count) return;
    const Edges<Id> edges{e_};
    report->wrong = wrong;
    report->what = !edges.outside(wrong)                 ? FASTLA_WEIGHT
                   : !edges.is_node(edges.source[wrong]) ? FASTLA_SOURCE
                                                         : FASTLA_TARGET;
  }

  // Counts become places: of a part the pieces in order, so that edges keep theirs. How many records there are.
  int64_t arrange() {
    int64_t next = 0;
    for (int64_t part = 0; part < parts_; ++part) {
      firsts_[part] = next;
      for (int64_t piece = 0; piece < pieces_; ++piece) {
        int64_t &place = places_[piece * parts_ + part];
        const int64_t here = place;
        place = begins_[piece * parts_ + part] = next;
        next += here;
      }
    }
    return firsts_[parts_] = next;
  }

  void scatter(int64_t piece, Record *space) const {
    const Edges<Id> edges{e_};
    const Lines<Record> lines(records_, places_ + piece * parts_, begins_ + piece * parts_, space);
    const KeyBits key = bits();
    const int shift = shift_;
    const uint64_t low = (uint64_t{1} << shift) - 1;
    const auto put = [&](uint64_t from, uint64_t to, double w) {
      Record record;
      record.key = key.join(to & low, from);
      record.set_weight(w);
      lines.put(int64_t(to >> shift), record);
    };
    for (int64_t i = first_of(piece), end = first_of(piece + 1); i < end; ++i) {
      const uint64_t from = uint64_t(edges.source[i]), to = uint64_t(edges.target[i]);
      const double w = Record::weighted ? edges.weight(i) : 1;
      put(from, to, w);
      if (edges.both_ways && from != to) put(to, from, w);
    }
    lines.finish(parts_);
  }

  // Each worker has a copy's space of its own, which stays in its caches, unless one part is most of all.
  fastla_status sort_parts(fastla_edges_report *report) {
    int64_t largest = 0;
    for (int64_t part = 0; part < parts_; ++part)
      largest = length(part) > largest ? length(part) : largest;
    const bool own = largest * threads_ <= report->given;
    const Workspace buffers(size_t(own ? largest * threads_ : report->given) * sizeof(Record));
    if (!buffers.data()) return FASTLA_NO_MEMORY;
    Record *const buffer = reinterpret_cast<Record *>(buffers.data());
    std::atomic<int64_t> refused{parts_};
    parallel_for(parts_, threads_, [&](int64_t part, int worker) {
      Record *const records = records_ + firsts_[part];
      sort_records(records, buffer + (own ? worker * largest : firsts_[part]), length(part),
                   node_bits_ + shift_);
      stored_[part] =
          e_.duplicates == FASTLA_KEEP_ALL ? length(part) : distinct(records, length(part));
      if (e_.duplicates == FASTLA_REFUSE && stored_[part] < length(part))
        note_lower(&refused, part);
    });
    if (refused < parts_) return refuse(refused, report);
    int64_t next = 0;
    for (int64_t part = 0; part < parts_; ++part) {
      const int64_t here = stored_[part];
      stored_[part] = next;
      next += here;
    }
    report->stored = stored_[parts_] = next;
    return FASTLA_OK;
  }
  fastla_status refuse(int64_t part, fastla_edges_report *report) const {
    const Record *at = records_ + firsts_[part];
    while (at[0].key != at[1].key) ++at;
    report->what = FASTLA_DUPLICATE;
    report->source = int64_t(bits().source(at->key));
    report->target = (part << shift_) + int64_t(bits().target(at->key));
    return FASTLA_INVALID;
  }
  KeyBits bits() const { return {node_bits_}; }
  int64_t length(int64_t part) const { return firsts_[part + 1] - firsts_[part]; }

  template <class Index> void write_as(Index *starts, Index *indices, void *weight) const {
    const FpScope scope;
    starts[0] = 0;
    parallel_for(parts_, threads_, [&](int64_t part, int) {
      const int64_t row = part << shift_, end = (part + 1) << shift_;
      const Rows<Index> to{starts + 1 + row,
                           (end < e_.nodes ? end : e_.nodes) - row,
                           stored_[part],
                           indices,
                           weight,
                           e_.weight_bytes == 4,
                           bits()};
      to.write(records_ + firsts_[part], length(part), e_.duplicates);
    });
  }

  const fastla_edges e_;
  const int threads_, node_bits_, shift_;
  const int64_t parts_, pieces_;
  const Workspace places_space_, records_space_;
  Record *const records_;
  int64_t *places_ = nullptr;  // of each piece, of each part
  int64_t *begins_ = nullptr;  // where those were at first
  int64_t *firsts_ = nullptr;  // of each part, in records_, and where the last ends
  int64_t *stored_ = nullptr;  // the same, in the result
};

template <class Id, class Record> fastla_status sort(const fastla_edges &edges, int64_t records,
                                                     int threads, fastla_sorted_edges **result,
                                                     fastla_edges_report *report) {
  auto *const sorted = new (std::nothrow) Sorted<Id, Record>(edges, records, threads);
  if (!sorted) return FASTLA_NO_MEMORY;
  const fastla_status status = sorted->run(report);
  if (status == FASTLA_OK)
    *result = sorted;
  else
    delete sorted;
  return status;
}

bool valid(const fastla_edges &e) {
  return e.struct_size >= sizeof(e) && (e.id_bytes == 4 || e.id_bytes == 8) &&
         (e.weight_bytes == 0 || e.weight_bytes == 4 || e.weight_bytes == 8) &&
         e.num_threads >= 0 && e.duplicates >= FASTLA_KEEP_ALL && e.duplicates <= FASTLA_REFUSE &&
         e.nodes >= 0 && e.nodes < int64_t{1} << 32 && e.count >= 0 && e.count < INT64_MAX / 64 &&
         (e.count == 0 || (e.source && e.target && (e.weight || !e.weight_bytes)));
}

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" {

void fastla_edges_init(fastla_edges *edges) {
  memset(edges, 0, sizeof(*edges));
  edges->struct_size = sizeof(*edges);
}

fastla_status fastla_edges_sort(const fastla_edges *edges, fastla_sorted_edges **sorted,
                                fastla_edges_report *report) {
  const fastla_edges &e = *edges;
  *sorted = nullptr;
  memset(report, 0, sizeof(*report));
  if (!valid(e)) return FASTLA_INVALID;
  const FpScope scope;  // comparing a NaN raises a flag
  const int threads = e.num_threads ? e.num_threads : fastla_get_num_threads();
  const int64_t records = e.both_ways ? 2 * e.count : e.count;
  const bool narrow = e.id_bytes == 4;
  const auto run = e.weight_bytes
                       ? narrow ? sort<int32_t, WeightedRecord> : sort<int64_t, WeightedRecord>
                   : narrow ? sort<int32_t, PlainRecord>
                            : sort<int64_t, PlainRecord>;
  return run(e, records, threads, sorted, report);
}

void fastla_edges_write(const fastla_sorted_edges *sorted, int32_t index_bytes, void *starts,
                        void *indices, void *weight) {
  sorted->write(index_bytes, starts, indices, weight);
}
void fastla_edges_free(fastla_sorted_edges *sorted) { delete sorted; }

}  // extern "C"
