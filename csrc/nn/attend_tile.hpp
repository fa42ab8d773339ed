// Some rows of attention that share one head of keys and values, against chunks of keys.
#pragma once
#include "kernels/ops.hpp"
#include "kernels/row.hpp"
#include "nn/heads.hpp"

namespace fastla {

// Sizes of what a worker needs for a tile of so many rows.
struct AttendShape {
  AttendShape(const AttentionDesc &d, int64_t tile_rows);
  int64_t bytes() const { return total; }
  // Of one chunk: each row's sums, then maxima and sums of weights.
  int64_t state_bytes() const { return rows * (value_pitch + 2 * element); }

  const KernelRow *row;  // of the products, which read A in place, and B that is packed or not
  Wide wide_rows;
  const RowOps *ops;
  int64_t rows, element;
  int64_t pitch, value_pitch, score_pitch;  // bytes of rows: of queries, of sums, of scores
  int64_t q, wide, k, v, scores, chunk, out, most, sum, chunk_most, chunk_sum, places, score_rows,
      total;
};

class AttendTile {
 public:
  // Rows from `first` on, of batch and key head `head`. Row r is query r / group of head r % group of the group.
  AttendTile(const AttentionDesc &d, const AttendShape &shape, char *scratch, int64_t head,
             int64_t first, int64_t rows) noexcept;

  void begin() const noexcept;  // scales the queries
  void take(int64_t first_chunk, int64_t end_chunk) const noexcept;
  // The same, but chunks' states stay apart, and are taken later.
  void leave(int64_t first_chunk, int64_t end_chunk, char *states) const noexcept;
  void join(int64_t first_chunk, int64_t end_chunk, char *states) const noexcept;
  void finish() const noexcept;

 private:
  struct Chunk {
    int64_t first, keys;  // positions
    bool some;            // a row sees some of the keys, but not all
    const char *cleaned;  // V without what is not finite, or nullptr
    bool packed;
    const char *k, *v;  // rows
    int64_t k_stride, v_stride;
  };
  struct State {
    char *out, *most, *sum;
  };
  const ScoreRow &row(int64_t r) const {
    return reinterpret_cast<const ScoreRow *>(scratch_ + s_.score_rows)[r];
  }
  int64_t low(int64_t r) const;
  int64_t high(int64_t r) const;
  bool find(int64_t chunk, Chunk *found) const;
  State state_at(char *states, int64_t chunk) const;
  State state_of(int64_t row) const;  // its own

  const char *rows_of(const fastla_heads &x, int64_t first, int64_t count, int64_t cols, char *to,
                      int64_t *stride) const;
  void pack(Chunk *chunk) const;
  void clean(Chunk *chunk, char *copy) const;
  void panel(const Chunk &chunk, int64_t first, int64_t rows, const State &to) const;
  void scores(const Chunk &chunk, int64_t first, int64_t rows, int64_t begin, int64_t end) const;
  void weigh(const Chunk &chunk, int64_t first, int64_t rows, int64_t begin, int64_t end,
             const State &to) const;
  void sums(const Chunk &chunk, int64_t rows, int64_t begin, int64_t end, const State &to) const;
  void mend(const Chunk &chunk, int64_t first, int64_t rows, int64_t begin, int64_t end,
            const State &to) const;

  const AttentionDesc &d_;
  const AttendShape &s_;
  char *scratch_;
  int64_t batch_, kv_, group_, first_, rows_;
};

}  // namespace fastla
