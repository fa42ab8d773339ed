// Rows of attention: where operands lie, widened, scaled, without what is not finite; what each row of scores meets.
#pragma once
#include <string.h>

#include "fastla/nn.h"
#include "kernels/ops.hpp"
#include "kernels/row.hpp"

namespace fastla {

inline int64_t whole_lines(int64_t bytes) { return (bytes + 63) & -64; }
inline int64_t smaller_of(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t larger_of(int64_t a, int64_t b) { return a < b ? b : a; }
inline const char *row_at(const fastla_heads &x, int64_t batch, int64_t head, int64_t row) {
  return static_cast<const char *>(x.data) + batch * x.strides[0] + head * x.strides[1] +
         row * x.strides[2];
}

// body(float or double) for elements of that many bytes.
template <class Body> auto with_element(int64_t size, Body &&body) {
  return size == 8 ? body(double()) : body(float());
}
// Scores are times log2(e), so that their weights are powers of 2.
inline double score_scale(const AttentionDesc &d) { return d.scale * 0x1.71547652b82fep0; }
inline void scale_row(char *x, int64_t count, int64_t size, double scale) {
  with_element(size, [=](auto type) {
    auto *const values = reinterpret_cast<decltype(type) *>(x);
    const auto by = decltype(type)(scale);
    for (int64_t j = 0; j < count; ++j) values[j] *= by;
  });
}
inline bool is_finite_row(const char *x, int64_t count, int64_t size) {
  return with_element(size, [=](auto type) {
    const auto *const values = reinterpret_cast<const decltype(type) *>(x);
    decltype(type) sum = 0;
    for (int64_t j = 0; j < count; ++j) sum += values[j] * 0;
    return sum == 0;
  });
}
// A copy whose elements that are not finite are 0.
inline void copy_finite(const char *x, char *to, int64_t count, int64_t size) {
  with_element(size, [=](auto type) {
    const auto *const from = reinterpret_cast<const decltype(type) *>(x);
    auto *const values = reinterpret_cast<decltype(type) *>(to);
    for (int64_t j = 0; j < count; ++j) values[j] = from[j] * 0 == 0 ? from[j] : 0;
  });
}
inline double number_at(const char *x, int64_t size) {
  return with_element(
      size, [=](auto type) { return double(*reinterpret_cast<const decltype(type) *>(x)); });
}
inline void set_number(char *x, int64_t size, double value) {
  with_element(size,
               [=](auto type) { *reinterpret_cast<decltype(type) *>(x) = decltype(type)(value); });
}

inline bool is_half_type(int dtype) { return dtype == FASTLA_F16 || dtype == FASTLA_BF16; }

// Rows of q, k, v as elements that are computed with: 16 bits are widened.
struct Wide {
  explicit Wide(int dtype)
      : half(is_half_type(dtype) ? &chosen_row(dtype) : nullptr),
        size(dtype == FASTLA_F64 ? 8 : 4) {}

  void load(const char *from, char *to, int64_t count) const {
    if (half)
      half->to_floats(from, reinterpret_cast<float *>(to), count);
    else
      memcpy(to, from, size_t(count * size));
  }
  void store(const char *from, char *to, int64_t count) const {
    if (half)
      half->from_floats(reinterpret_cast<const float *>(from), to, count);
    else
      memcpy(to, from, size_t(count * size));
  }

  const KernelRow *half;
  int64_t size;
};

// The keys that query i sees: [low, high).
inline int64_t first_seen(const AttentionDesc &d, int64_t i) {
  return d.left < 0 ? 0 : larger_of(0, i + d.offset - d.left);
}
inline int64_t end_seen(const AttentionDesc &d, int64_t i) {
  return d.right < 0 ? d.keys : smaller_of(d.keys, i + d.offset + d.right + 1);
}

// What the kernels need of each row of scores, in so many bytes for each.
constexpr int64_t kRowPlaces = 7 * 8;

// Where a row of scores belongs.
struct ScoreRow {
  int64_t query, head;
};
// Rows of scores against some keys, but for where the scores are.
inline AttendArgs score_rows(const AttentionDesc &d, int64_t batch, int64_t first_key, int64_t keys,
                             int64_t rows, const ScoreRow *row, char *places) {
  int64_t *const low = reinterpret_cast<int64_t *>(places), *const high = low + rows,
                 *const position = high + rows, *const number = position + rows;
  double *const slope = reinterpret_cast<double *>(number + rows);
  const char **const bias = reinterpret_cast<const char **>(slope + rows),
                     **const mask = bias + rows;
  for (int64_t i = 0; i < rows; ++i) {
    const auto [query, head] = row[i];
    low[i] = larger_of(0, first_seen(d, query) - first_key);
    high[i] = smaller_of(keys, end_seen(d, query) - first_key);
    if (d.slopes) {
      slope[i] = d.slopes[head];
      position[i] = query + d.offset - first_key;
    }
    if (d.dropout != 0)
      number[i] = ((batch * d.heads + head) * d.queries + query) * d.keys + first_key;
    if (d.bias.data) bias[i] = row_at(d.bias, batch, head, query) + first_key * d.bias.strides[3];
    if (d.mask.data) mask[i] = row_at(d.mask, batch, head, query) + first_key * d.mask.strides[3];
  }
  AttendArgs a{};
  a.rows = rows;
  a.low = low;
  a.high = high;
  a.position = position;
  a.slope = d.slopes ? slope : nullptr;
  a.bias = d.bias.data ? bias : nullptr;
  a.mask = d.mask.data ? mask : nullptr;
  a.bias_step = d.bias.strides[3];
  a.mask_step = d.mask.strides[3];
  a.softcap = d.softcap;
  a.dropout = d.dropout;
  a.seed = d.seed;
  a.number = number;
  return a;
}

}  // namespace fastla
