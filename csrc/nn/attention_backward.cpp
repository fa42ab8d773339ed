// Attention's gradients: weights are computed again, for 256 queries and 256 keys at a time.
//
//   task: a head of keys -> chunk of keys -> head of its group -> chunk of queries:
//     weights P = exp(Q K^T - lse), their gradients dO V^T, the scores' dS; dV += P^T dO, dK += dS^T Q, dQ += dS K.
//
// Each product is a block of K in the contract's sense, so that sums are those of chunks in increasing order.
#include <string.h>

#include "fastla/runtime.h"
#include "kernels/ops.hpp"
#include "nn/heads.hpp"
#include "runtime/calls.hpp"
#include "runtime/fpenv.hpp"
#include "runtime/parallel.hpp"
#include "runtime/workspace.hpp"

namespace fastla {
namespace {

constexpr int64_t kQueries = 256;  // of a chunk: part of the result's definition
constexpr int64_t kScorePitch = kKeys + 16;

struct Places {
  explicit Places(const AttentionDesc &d) : wide(d.dtype) {
    pitch = whole_lines(d.size * wide.size) + 64;
    value_pitch = whole_lines(d.value_size * wide.size) + 64;
    const int64_t group = d.heads / d.kv_heads;
    scores = take(kQueries * kScorePitch * wide.size);
    gradients = take(kQueries * kScorePitch * wide.size);
    q = take(kQueries * pitch);
    out = take(kQueries * value_pitch);
    row = take(larger_of(pitch, value_pitch));
    k = take(kKeys * pitch);
    clean_k = take(kKeys * pitch);
    v = take(kKeys * value_pitch);
    dk = take(kKeys * pitch);
    dv = take(kKeys * value_pitch);
    dq = take(group * d.queries * pitch);
    lse = take(kQueries * wide.size);
    shift = take(kQueries * wide.size);
    places = take(kQueries * kRowPlaces);
    rows = take(kQueries * int64_t(sizeof(ScoreRow)));
  }
  int64_t take(int64_t bytes) {
    const int64_t start = total;
    total += whole_lines(bytes);
    return start;
  }
  Wide wide;
  int64_t total = 0;
  int64_t pitch, value_pitch, scores, gradients, q, out, row, k, clean_k, v, dk, dv, dq, lse, shift,
      places, rows;
};

class Task {
 public:
  Task(const AttentionDesc &d, const AttentionGradients &g, const Places &at, char *scratch,
       int64_t head)
      : d_(d),
        g_(g),
        at_(at),
        s_(scratch),
        size_(at.wide.size),
        batch_(head / d.kv_heads),
        kv_(head % d.kv_heads),
        group_(d.heads / d.kv_heads) {}

  fastla_status run() {
    memset(s_ + at_.dq, 0, size_t(group_ * d_.queries * at_.pitch));
    for (int64_t key = 0; key < d_.keys; key += kKeys) {
      keys_ = smaller_of(kKeys, d_.keys - key);
      first_key_ = key;
      load_keys();
      for (int64_t g = 0; g < group_; ++g)
        for (int64_t i = 0; i < d_.queries; i += kQueries) {
          queries_ = smaller_of(kQueries, d_.queries - i);
          if (end_seen(d_, i + queries_ - 1) <= key || first_seen(d_, i) >= key + keys_) continue;
          block(kv_ * group_ + g, i, s_ + at_.dq + (g * d_.queries + i) * at_.pitch);
        }
      for (int64_t j = 0; j < keys_; ++j)  // queries were times log2(e)
        scale_row(s_ + at_.dk + j * at_.pitch, d_.size, size_, 0x1.62e42fefa39efp-1);
      store(g_.k, kv_, key, keys_, at_.dk, at_.pitch, d_.size);
      store(g_.v, kv_, key, keys_, at_.dv, at_.value_pitch, d_.value_size);
    }
    for (int64_t g = 0; g < group_; ++g) {
      const int64_t from = at_.dq + g * d_.queries * at_.pitch;
      for (int64_t i = 0; i < d_.queries; ++i)
        scale_row(s_ + from + i * at_.pitch, d_.size, size_, d_.scale);
      store(g_.q, kv_ * group_ + g, 0, d_.queries, from, at_.pitch, d_.size);
    }
    return status_;
  }

 private:
  void store(const fastla_heads &to, int64_t head, int64_t first, int64_t rows, int64_t from,
             int64_t pitch, int64_t cols) const {
    for (int64_t i = 0; i < rows; ++i)
      at_.wide.store(s_ + from + i * pitch, const_cast<char *>(row_at(to, batch_, head, first + i)),
                     cols);
  }

  void load_keys() {
    for (int64_t j = 0; j < keys_; ++j) {
      char *const k = s_ + at_.k + j * at_.pitch;
      at_.wide.load(row_at(d_.k, batch_, kv_, first_key_ + j), k, d_.size);
      at_.wide.load(row_at(d_.v, batch_, kv_, first_key_ + j), s_ + at_.v + j * at_.value_pitch,
                    d_.value_size);
      // Hidden keys' gradients are 0, whose products with what is not finite would be NaN.
      copy_finite(k, s_ + at_.clean_k + j * at_.pitch, d_.size, size_);
    }
    memset(s_ + at_.dk, 0, size_t(keys_ * at_.pitch));
    memset(s_ + at_.dv, 0, size_t(keys_ * at_.value_pitch));
  }

  // C = A B, or C + A B, of matrices in the scratch memory.
  struct Operand {
    int64_t start, row_stride, col_stride;
  };
  void multiply(int64_t m, int64_t n, int64_t k, const Operand &a, const Operand &b, char *c,
                int64_t c_stride, bool add) {
    GemmDesc desc;
    fastla_gemm_desc_init(&desc);
    Epilogue epilogue;
    desc.dtype = size_ == 8 ? FASTLA_F64 : FASTLA_F32;
    desc.m = m;
    desc.n = n;
    desc.k = k;
    desc.a = {s_ + a.start, a.row_stride, a.col_stride, 0};
    desc.b = {s_ + b.start, b.row_stride, b.col_stride, 0};
    desc.c = c;
    desc.c_row_stride = c_stride;
    desc.c_col_stride = size_;
    desc.num_threads = 1;
    if (add) {
      fastla_epilogue_init(&epilogue);
      epilogue.beta = 1;
      epilogue.c = {c, c_stride, size_, 0};
      desc.epilogue = &epilogue;
    }
    const fastla_status status = fastla_gemm(&desc, nullptr);
    if (status != FASTLA_OK) status_ = status;
  }

  void load_queries(int64_t head, int64_t first) {
    for (int64_t i = 0; i < queries_; ++i) {
      char *const q = s_ + at_.q + i * at_.pitch, *const out = s_ + at_.out + i * at_.value_pitch;
      at_.wide.load(row_at(d_.q, batch_, head, first + i), q, d_.size);
      scale_row(q, d_.size, size_, score_scale(d_));
      at_.wide.load(row_at(g_.out, batch_, head, first + i), out, d_.value_size);
      char *const row = s_ + at_.row;
      at_.wide.load(row_at(d_.out, batch_, head, first + i), row, d_.value_size);
      const double dot = chosen_ops().of[size_ == 8].dot(row, out, d_.value_size);
      set_number(s_ + at_.shift + i * size_, size_, dot);
    }
    const int64_t place = (batch_ * d_.heads + head) * d_.queries + first;
    memcpy(s_ + at_.lse, static_cast<const char *>(d_.lse) + place * size_,
           size_t(queries_ * size_));
  }

  void weigh(int64_t head, int64_t first) const {
    ScoreRow *const rows = reinterpret_cast<ScoreRow *>(s_ + at_.rows);
    for (int64_t i = 0; i < queries_; ++i) rows[i] = {first + i, head};
    AttendArgs a = score_rows(d_, batch_, first_key_, keys_, queries_, rows, s_ + at_.places);
    a.end = (keys_ + 15) & -16;
    a.scores = s_ + at_.scores;
    a.stride = kScorePitch * size_;
    chosen_ops().of[size_ == 8].attend_backward(a,
                                                {s_ + at_.gradients, s_ + at_.lse, s_ + at_.shift});
  }

  // One chunk of queries against the chunk of keys.
  void block(int64_t head, int64_t first, char *dq) {
    load_queries(head, first);
    const int64_t stride = kScorePitch * size_;
    const Operand q{at_.q, at_.pitch, size_}, out{at_.out, at_.value_pitch, size_};
    multiply(queries_, keys_, d_.size, q, {at_.k, size_, at_.pitch}, s_ + at_.scores, stride,
             false);
    multiply(queries_, keys_, d_.value_size, out, {at_.v, size_, at_.value_pitch},
             s_ + at_.gradients, stride, false);
    weigh(head, first);
    const Operand weights{at_.scores, size_, stride}, turned{at_.gradients, size_, stride};
    multiply(keys_, d_.value_size, queries_, weights, out, s_ + at_.dv, at_.value_pitch, true);
    multiply(keys_, d_.size, queries_, turned, q, s_ + at_.dk, at_.pitch, true);
    multiply(queries_, d_.size, keys_, {at_.gradients, stride, size_},
             {at_.clean_k, at_.pitch, size_}, dq, at_.pitch, true);
  }

  const AttentionDesc &d_;
  const AttentionGradients &g_;
  const Places &at_;
  char *s_;
  int64_t size_, batch_, kv_, group_, keys_ = 0, first_key_ = 0, queries_ = 0;
  fastla_status status_ = FASTLA_OK;
};

}  // namespace
}  // namespace fastla

using namespace fastla;

extern "C" {

void fastla_attention_gradients_init(fastla_attention_gradients *gradients) {
  memset(gradients, 0, sizeof(*gradients));
  gradients->struct_size = sizeof(*gradients);
}

fastla_status fastla_attention_backward(const fastla_attention_desc *forward,
                                        const fastla_attention_gradients *gradients) {
  const AttentionDesc &d = *forward;
  const fastla_status status = fastla_check_attention(forward);
  if (status != FASTLA_OK) return status;
  if (gradients->struct_size < sizeof(AttentionGradients)) return FASTLA_INVALID;
  const int64_t tasks = d.batch * d.kv_heads;
  if (!d.lse && d.queries && tasks) return FASTLA_INVALID;
  count_call(FASTLA_CALL_ATTENTION_BACKWARD);
  if (tasks == 0) return FASTLA_OK;
  const int32_t wanted = d.num_threads ? d.num_threads : fastla_get_num_threads();
  const int threads = tasks < wanted ? int(tasks) : wanted;
  const Places places{d};
  const Workspace scratch{size_t(threads * places.total) + 64};
  if (!scratch.data()) return FASTLA_NO_MEMORY;
  FpScope scope;
  std::atomic<int> worst{FASTLA_OK};
  parallel_for(tasks, threads, [&](int64_t head, int worker) {
    Task task{d, *gradients, places, scratch.data() + worker * places.total, head};
    const fastla_status got = task.run();
    if (got != FASTLA_OK) worst.store(got);
  });
  return fastla_status(worst.load());
}

}  // extern "C"
