// Stacks of small products: the items of a stack one after the other in one loop, so that what a product costs beside its
// multiply-adds is paid once.
//
// Rows of B contiguous: a tile for each item, a row of C in one vector or two; or, of 4 x 4 and the like, as many rows of
// C in a vector as it has quads. Columns of B contiguous (a stack of matrix-vector products among them): a vector is made
// of quads, each of which is four columns of some item, and four steps of a quad are transposed in registers on their way.
#pragma once
#include "kernels/pack.hpp"
#include "kernels/quads.hpp"
#include "kernels/tile.hpp"

namespace {

using fastla::Items;

// Items that are taken together: their operands stay in L1 for all their rows.
constexpr int64_t kItemsBytes = 16 << 10;

FASTLA_INLINE void ask_for_items(const Items &items, const char *a, const char *b,
                                 int64_t count = 1) {
  if (!items.ahead) return;
  for (int64_t at = 0; at < count * items.a_next; at += 64)
    __builtin_prefetch(a + items.ahead + at);
  for (int64_t at = 0; at < count * items.b_next; at += 64)
    __builtin_prefetch(b + items.ahead + at);
}

template <class T, int R, int V, bool whole>
void item_rows(const Items &items, const char *a, const char *b, char *c, int64_t count) {
  const Block &block = items.block;
  for (int64_t i = 0; i < count; ++i) {
    ask_for_items(items, a, b);
    Tile<T, R, V> tile;
    DirectAt<T, R, V, V, whole, Ask::nothing> at(a, b, block, 0, 0, block.n);
    tile.zero();
    tile.chain(block.k, at);
    tile.template store_rows<false, whole>(nullptr, 0, c, block.c_row_stride, at.last);
    a += items.a_next;
    b += items.b_next;
    c += items.c_next;
  }
}

using ItemFn = void (*)(const Items &, const char *a, const char *b, char *c, int64_t count);

template <class T> struct ItemTiles {
  static constexpr int most = kManyRegisters ? 8 : 4;
  ItemFn of[2][3][most + 1];
  template <int V, int R> constexpr void fill() {
    of[0][V][R] = &item_rows<T, R, V, false>;
    of[1][V][R] = &item_rows<T, R, V, true>;
    if constexpr (R > 1)
      fill<V, R - 1>();
    else if constexpr (V > 1)
      fill<V - 1, most>();
  }
  constexpr ItemTiles() : of{} { fill<2, most>(); }

  void run(const Items &items) const {
    constexpr int64_t lanes = Simd<T>::lanes;
    const Block &block = items.block;
    const int64_t vectors = block.n > lanes ? 2 : 1, panels = (block.m + most - 1) / most;
    const fastla::Panels heights(block.m, panels);
    const ItemFn *tiles = of[block.n == vectors * lanes][vectors];
    const int64_t bytes = (block.m + block.n) * block.k * int64_t(sizeof(T));
    const int64_t some = panels == 1 ? items.count : kItemsBytes / bytes + 1;
    for (int64_t first = 0; first < items.count; first += some) {
      const int64_t count = items.count - first < some ? items.count - first : some;
      for (int64_t panel = 0; panel < panels; ++panel) {
        const int64_t i = heights.start(panel);
        tiles[heights.height + (panel < heights.taller)](
            items, block.a + first * items.a_next + i * block.a_row_stride,
            block.b + first * items.b_next, block.c + first * items.c_next + i * block.c_row_stride,
            count);
      }
    }
  }
};

// Step number `step` of every quad, in all its lanes.
template <class T, int step> FASTLA_INLINE Vec<T> of_quads(Vec<T> v) {
  IVec<T> from;
  for (int i = 0; i < Simd<T>::lanes; ++i) from[i] = i / 4 * 4 + step;
  return __builtin_shuffle(v, from);
}

// Rows of C that are quads, and of A, all of them contiguous: whole vectors of them.
template <class T> constexpr int kQuads = Simd<T>::lanes / 4;
template <class T> bool has_quad_rows(const Block &block) {
  constexpr int64_t size = sizeof(T), row = 4 * size;
  return kQuads<T> > 1 && block.n == 4 && block.k == 4 && block.m % kQuads<T> == 0 &&
         block.a_col_stride == size && block.a_row_stride == row && block.c_row_stride == row;
}
template <class T> void item_quad_rows(const Items &items) {
  const char *a = items.block.a, *b = items.block.b;
  char *c = items.block.c;
  const int64_t bytes = items.block.m * 4 * int64_t(sizeof(T)), b_step = items.block.b_step;
  for (int64_t i = 0; i < items.count; ++i) {
    ask_for_items(items, a, b);
    Vec<T> rows[4];
#pragma GCC unroll 4
    for (int s = 0; s < 4; ++s) rows[s] = quad_everywhere<T>(b + s * b_step);
    for (int64_t at = 0; at < bytes; at += FASTLA_VECTOR_BYTES) {
      const Vec<T> x = load<T>(a + at);
      Vec<T> sums = fma(of_quads<T, 0>(x), rows[0], Vec<T>{});
      sums = fma(of_quads<T, 1>(x), rows[1], sums);
      sums = fma(of_quads<T, 2>(x), rows[2], sums);
      sums = fma(of_quads<T, 3>(x), rows[3], sums);
      store<T>(c + at, Vec<T>{} + sums);
    }
    a += items.a_next;
    b += items.b_next;
    c += items.c_next;
  }
}

template <class T, int R> class ItemColumns {
 public:
  // Of each item's product R rows, from row i on.
  static void run(const Items &items, int64_t i) {
    const Block &block = items.block;
    const int64_t parts = (block.n + 3) / 4, last = block.n < 4 ? 0 : block.n - 4;
    const QuadMask mask = first_of_quad(block.n < 4 ? int(block.n) : 4);
    // Beyond the last column it is repeated.
    int64_t column[4];
    for (int j = 0; j < 4; ++j) column[j] = (j < block.n ? j : block.n - 1) * block.b_step;
    const Place start{block.a + i * block.a_row_stride, block.b, block.c + i * block.c_row_stride};
    Place item = start;
    int64_t done = 0;
    if (R == 1 && block.n == 4 && block.k == 4 && items.c_next == 4 * int64_t(sizeof(T)))
      for (; done + quads <= items.count; done += quads) {
        ask_for_items(items, item.a, item.b, quads);
        Place place[quads];
#pragma GCC unroll 4
        for (int q = 0; q < quads; ++q)
          place[q] = {item.a + q * items.a_next, item.b + q * items.b_next, nullptr};
        ItemColumns tile;
        tile.zero();
        tile.four_steps(block, place, column, 0);
        store<T>(item.c, Vec<T>{} + tile.acc_[0]);
        item.a += quads * items.a_next;
        item.b += quads * items.b_next;
        item.c += quads * items.c_next;
      }
    int64_t at = 0;
    const auto next = [&]() FASTLA_LAMBDA {
      // The last four columns, if they are not a multiple of four, overlap those before them.
      const int64_t j = 4 * at < last ? 4 * at : last;
      const Place place{item.a, item.b + j * block.b_step, item.c + j * int64_t(sizeof(T))};
      if (++at == parts) {
        at = 0;
        ask_for_items(items, item.a, item.b);
        item.a += items.a_next;
        item.b += items.b_next;
        item.c += items.c_next;
      }
      return place;
    };
    for (int64_t left = (items.count - done) * parts; left > 0; left -= quads) {
      Place place[quads];
#pragma GCC unroll 4
      for (int q = 0; q < quads; ++q) place[q] = q < left ? next() : place[q - 1];
      ItemColumns tile;
      tile.chain(block, place, column);
      tile.put(block, place, mask);
    }
  }

 private:
  static constexpr int quads = kQuads<T>;
  struct Place {
    const char *a, *b;
    char *c;
  };
  Vec<T> acc_[R];

  template <int step> FASTLA_INLINE void add(const Vec<T> *columns, const Vec<T> *rows) {
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) acc_[i] = fma(of_quads<T, step>(rows[i]), columns[step], acc_[i]);
  }

  // Four steps, or some, of a line of each quad.
  template <bool whole, class Line>
  static FASTLA_INLINE Vec<T> steps(Line &&line, int64_t from, QuadMask mask) {
    Quad<T> all[quads];
#pragma GCC unroll 4
    for (int q = 0; q < quads; ++q)
      all[q] = whole ? Quad<T>::whole(line(q) + from) : Quad<T>::part(line(q) + from, mask);
    return join_quads<T>(all);
  }
  template <bool whole> FASTLA_INLINE void fetch(const Block &block, const Place *place,
                                                 const int64_t *column, int64_t s, QuadMask mask,
                                                 Vec<T> *columns, Vec<T> *rows) {
    const int64_t from = s * int64_t(sizeof(T));
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j)
      columns[j] =
          steps<whole>([&](int q) FASTLA_LAMBDA { return place[q].b + column[j]; }, from, mask);
    transpose<T, 4>(columns);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
      rows[i] = steps<whole>(
          [&](int q) FASTLA_LAMBDA { return place[q].a + i * block.a_row_stride; }, from, mask);
  }

  FASTLA_INLINE void zero() {
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) acc_[i] = Vec<T>{};
  }
  FASTLA_INLINE void four_steps(const Block &block, const Place *place, const int64_t *column,
                                int64_t s) {
    Vec<T> columns[4], rows[R];
    fetch<true>(block, place, column, s, first_of_quad(4), columns, rows);
    add<0>(columns, rows);
    add<1>(columns, rows);
    add<2>(columns, rows);
    add<3>(columns, rows);
  }
  FASTLA_INLINE void chain(const Block &block, const Place *place, const int64_t *column) {
    zero();
    int64_t s = 0;
    for (; s + 4 <= block.k; s += 4) four_steps(block, place, column, s);
    const int left = int(block.k - s);
    if (!left) return;
    Vec<T> columns[4], rows[R];
    fetch<false>(block, place, column, s, first_of_quad(left), columns, rows);
    add<0>(columns, rows);
    if (left > 1) add<1>(columns, rows);
    if (left > 2) add<2>(columns, rows);
  }

  FASTLA_INLINE void put(const Block &block, const Place *place, QuadMask mask) const {
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int q = 0; q < quads; ++q)
        quad_of<T>(Vec<T>{} + acc_[i], q).store(place[q].c + i * block.c_row_stride, mask);
  }
};

template <class T> void run_item_columns(const Items &items) {
  constexpr int64_t most = fastla::kItemColumnRows;
  for (int64_t i = 0; i < items.block.m; i += most) switch (items.block.m - i) {
      case 1:
        ItemColumns<T, 1>::run(items, i);
        break;
      case 2:
        ItemColumns<T, 2>::run(items, i);
        break;
      case 3:
        ItemColumns<T, 3>::run(items, i);
        break;
      default:
        ItemColumns<T, most>::run(items, i);
    }
}

template <class T> void run_items(const Items &items) {
  static constexpr ItemTiles<T> tiles;
  if constexpr (kHasQuads<T>) {
    if (items.block.down_columns) return run_item_columns<T>(items);
    if (has_quad_rows<T>(items.block)) return item_quad_rows<T>(items);
  }
  tiles.run(items);
}

}  // namespace
