// Edges in lines of text: pieces cut at newlines, parsed side by side, then put together.
#include <string.h>

#include "fastla/graph.h"
#include "fastla/runtime.h"
#include "graph/scan.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

constexpr int64_t kPieceBytes = 1 << 18;
// The shortest line that holds an edge: "0 1" and a newline.
constexpr int64_t kShortestLine = 4;

struct Piece {
  const char *begin, *end;
  int64_t first;  // where its edges are put
  fastla_text_report found;
};

const char *after_line(const char *p, const char *end) {
  const void *const newline = p < end ? memchr(p, '\n', size_t(end - p)) : nullptr;
  return newline ? static_cast<const char *>(newline) + 1 : end;
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

template <class Id> class Parser {
 public:
  Parser(const fastla_edge_text &text, Id *source, Id *target, double *weight)
      : t_(text), source_(source), target_(target), weight_(weight) {}

  void run(Piece *piece) const {
    int64_t at = piece->first;
    fastla_text_report &found = piece->found;
    found = {};
    for (const char *line = piece->begin; line < piece->end; ++found.lines) {
      const char *p = blanks(line);
      if (*p != '\n' && !is_comment(p)) {
        const int fault = edge(&p, piece->end, at);
        if (fault) {
          found.fault = fault;
          found.line = found.lines;
          found.begin = line - t_.text;
          break;
        }
        ++at;
      }
      line = *p == '\n' ? p + 1 : after_line(p, piece->end);
    }
    found.edges = at - piece->first;
  }

 private:
  const char *blanks(const char *p) const {
    while (is_blank(*p) && *p != t_.delimiter) ++p;
    return p;
  }
  bool is_comment(const char *p) const {
    return t_.comment_bytes && *p == t_.comment[0] &&
           memcmp(p, t_.comment, size_t(t_.comment_bytes)) == 0;
  }
  // From a field's end to the next one's begin; nullptr: there is none.
  const char *next_field(const char *p) const {
    const char *const from = p;
    p = blanks(p);
    if (*p == (t_.delimiter ? t_.delimiter : ',')) return blanks(p + 1);
    return t_.delimiter || p == from || *p == '\n' ? nullptr : p;
  }
  bool ends_field(char c) const {
    return is_blank(c) || c == '\n' || c == (t_.delimiter ? t_.delimiter : ',');
  }

  int edge(const char **from, const char *end, int64_t at) const {
    int64_t source, target;
    const char *p = scan_number(*from, &source);
    if (p) p = next_field(p);
    if (p) p = scan_number(p, &target);
    if (!p || !ends_field(*p)) return FASTLA_NO_EDGE;
    source -= t_.base;
    target -= t_.base;
    if (uint64_t(source) >= uint64_t(t_.nodes) || uint64_t(target) >= uint64_t(t_.nodes))
      return FASTLA_NO_NODE;
    if (sizeof(Id) == 4 && (source | target) > INT32_MAX) return FASTLA_NEEDS_WIDE_IDS;
    source_[at] = Id(source);
    target_[at] = Id(target);
    *from = p;
    return weight_ ? weight(from, end, at) : FASTLA_NO_FAULT;
  }
  int weight(const char **from, const char *end, int64_t at) const {
    const char *p = *from;
    for (int column = 2; (p = next_field(p)) && column < t_.weight_column; ++column)
      while (!ends_field(*p)) ++p;
    if (p) p = scan_weight(p, end, weight_ + at);
    if (!p || !ends_field(*p)) return FASTLA_NO_WEIGHT;
    *from = p;
    return FASTLA_NO_FAULT;
  }

  const fastla_edge_text t_;
  Id *const source_, *const target_;
  double *const weight_;
};

// Cut after newlines; how many there are.
int64_t cut(const fastla_edge_text &text, Piece *pieces, int64_t most) {
  int64_t count = 0;
  const char *const end = text.text + text.bytes;
  for (const char *p = text.text; p < end; ++count) {
    const char *const about = text.text + int64_t(__int128(text.bytes) * (count + 1) / most);
    Piece &piece = pieces[count];
    piece.begin = p;
    piece.end = count + 1 < most && about < end ? after_line(about > p ? about : p, end) : end;
    piece.first = (p - text.text + kShortestLine - 1) / kShortestLine;
    p = piece.end;
  }
  return count;
}

template <class Value> void close_up(Value *values, int64_t to, int64_t from, int64_t count) {
  if (values && to != from) memmove(values + to, values + from, size_t(count) * sizeof(Value));
}

template <class Id> fastla_status parse(const fastla_edge_text &text, Id *source, Id *target,
                                        double *weight, fastla_text_report *report) {
  const int threads = text.num_threads ? text.num_threads : fastla_get_num_threads();
  const int64_t most = threads == 1 ? 1 : text.bytes / kPieceBytes + 1;
  const Workspace space(size_t(most) * sizeof(Piece));
  if (!space.data()) return FASTLA_NO_MEMORY;
  Piece *const pieces = reinterpret_cast<Piece *>(space.data());
  const int64_t count = cut(text, pieces, most);
  const Parser<Id> parser{text, source, target, weight};
  parallel_for(count, threads, [&](int64_t i, int) { parser.run(pieces + i); });
  for (int64_t i = 0; i < count; ++i) {
    const fastla_text_report &found = pieces[i].found;
    if (found.fault) {
      report->fault = found.fault;
      report->line = report->lines + found.line;
      report->begin = found.begin;
      return FASTLA_INVALID;
    }
    close_up(source, report->edges, pieces[i].first, found.edges);
    close_up(target, report->edges, pieces[i].first, found.edges);
    close_up(weight, report->edges, pieces[i].first, found.edges);
    report->edges += found.edges;
    report->lines += found.lines;
  }
  return FASTLA_OK;
}

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" {

void fastla_edge_text_init(fastla_edge_text *text) {
  memset(text, 0, sizeof(*text));
  text->struct_size = sizeof(*text);
  text->weight_column = -1;
  text->nodes = INT64_MAX;
}

fastla_status fastla_edges_parse(const fastla_edge_text *text, void *source, void *target,
                                 double *weight, fastla_text_report *report) {
  const fastla_edge_text &t = *text;
  memset(report, 0, sizeof(*report));
  if (t.struct_size < sizeof(t) || t.num_threads < 0 || (t.id_bytes != 4 && t.id_bytes != 8) ||
      t.bytes < 0 || t.comment_bytes < 0 || t.comment_bytes > int32_t(sizeof(t.comment)) ||
      t.weight_column == 0 || t.weight_column == 1 || !weight != (t.weight_column < 0) ||
      (t.bytes && (!source || !target || !t.text || t.text[t.bytes - 1] != '\n')))
    return FASTLA_INVALID;
  if (t.bytes == 0) return FASTLA_OK;
  const FpScope scope;
  return t.id_bytes == 4 ? parse(t, static_cast<int32_t *>(source), static_cast<int32_t *>(target),
                                 weight, report)
                         : parse(t, static_cast<int64_t *>(source), static_cast<int64_t *>(target),
                                 weight, report);
}

}  // extern "C"
