// Plain products: operands in place, all near, and one block of K. Much of a small product's time goes by between the
// chains of two tiles, so that such a tile decides nothing on its way and asks for nothing: the CPU then meets the next
// tile's steps before it has finished this one's (8 x 3 vectors: 45 cycles less). Tiles may have other shapes here than
// elsewhere, since nothing is packed for them.
#pragma once
#include "kernels/tile.hpp"

namespace {

// Columns of the last vector: all, some, or no more than half (which costs half).
enum class Last { whole, part, half };
template <class T, int MR, int V, Last last> void plain_tile(const Block &block, const char *a,
                                                             const char *b, int64_t i0, int64_t j0,
                                                             int64_t n) {
  constexpr bool whole = last == Last::whole;
  Tile<T, MR, V, last == Last::half> tile;
  DirectAt<T, MR, V, V, whole, Ask::nothing> at(a, b, block, i0, j0, n);
  tile.zero();
  tile.chain(block.k, at);
  if constexpr (last == Last::half) tile.join_low();
  if (block.finish) return tile.finish_buffered(block, i0, j0, n);
  tile.template store_rows<false, whole>(nullptr, 0, tile.c_at(block, i0, j0), block.c_row_stride,
                                         at.last);
}

// Tiles of V vectors have up to rows(V) rows. AVX-512 has registers for more, but they then leave too few of the file of
// renamed ones for the steps of the next tile to begin: 14 x 2 loses 85 cycles a tile, 10 x 2 and 8 x 3 20.
constexpr bool kHighTiles = kManyRegisters && FASTLA_VECTOR_BYTES > 16;
template <class T, int MR, int NV> struct PlainTiles {
  static constexpr int most = !kHighTiles ? NV : FASTLA_VECTOR_BYTES == 64 ? 4 : 3;
  static constexpr int rows(int vectors) {
    constexpr int most_rows[] = {FASTLA_VECTOR_BYTES == 64 ? 16 : 14, 10, 8, 6};
    return kHighTiles ? most_rows[vectors - 1] : MR;
  }
  static constexpr int64_t lanes = Simd<T>::lanes;
  TileFn of[kHalves ? 3 : 2][most + 1][rows(1) + 1];
  template <int V, int R> constexpr void fill() {
    of[int(Last::whole)][V][R] = &plain_tile<T, R, V, Last::whole>;
    of[int(Last::part)][V][R] = &plain_tile<T, R, V, Last::part>;
    if constexpr (kHalves) of[int(Last::half)][V][R] = &plain_tile<T, R, V, Last::half>;
    if constexpr (R > 1)
      fill<V, R - 1>();
    else if constexpr (V > 1)
      fill<V - 1, rows(V - 1)>();
  }
  constexpr PlainTiles() : of{} { fill<most, rows(most)>(); }

  // So that no last tile is narrow: all numbers but 1, 2 and 5 are sums of threes and fours.
  static int64_t width(int64_t vectors) {
    if (most < 4) return vectors < most ? vectors : most;
    return vectors <= 4 ? vectors : vectors % 3 && vectors != 5 ? 4 : 3;
  }

  void run(const Block &block) const {
    for (int64_t j = 0, n; j < block.n; j += n) {
      const int64_t left = block.n - j, v = width((left + lanes - 1) / lanes);
      n = left < v * lanes ? left : v * lanes;
      const int64_t spare = v * lanes - n;
      const Last last = !spare                          ? Last::whole
                        : kHalves && spare >= lanes / 2 ? Last::half
                                                        : Last::part;
      const TileFn *tiles = of[int(last)][v];
      // No higher than the plan's: rows that are pages apart are in the same sets of the cache.
      const int64_t fewest = fastla::panel_count(block.m, rows(int(v)));
      const int64_t panels = fewest > block.panels ? fewest : block.panels;
      const fastla::Panels heights(block.m, panels);
      const char *a = block.a, *b = block.b + j * int64_t(sizeof(T));
      for (int64_t panel = 0, i = 0; panel < panels; ++panel) {
        const int64_t height = heights.height + (panel < heights.taller);
        tiles[height](block, a, b, i, j, n);
        a += height * block.a_row_stride;
        i += height;
      }
    }
  }
};

}  // namespace
