/* Graphs: edges sorted into compressed form, and random ones. */
#ifndef FASTLA_GRAPH_H
#define FASTLA_GRAPH_H

#include <stdint.h>

#include "fastla/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes of several edges from one node to the same other. */
typedef enum fastla_duplicates {
  FASTLA_KEEP_ALL = 0,
  FASTLA_SUM = 1, /* of weights in double, in their order; where there are none, how many */
  FASTLA_FIRST = 2,
  FASTLA_LAST = 3,
  FASTLA_MAX = 4,
  FASTLA_MIN = 5,
  FASTLA_REFUSE = 6,
} fastla_duplicates;

typedef struct fastla_edges {
  uint32_t struct_size;
  int32_t id_bytes;     /* of source and target: 4 or 8 */
  int32_t weight_bytes; /* 4: float, 8: double, 0: all are 1 */
  int32_t num_threads;
  int32_t duplicates; /* a fastla_duplicates */
  int32_t both_ways;  /* each edge backwards too, but for loops */
  int64_t nodes;      /* below 2^32 */
  int64_t count;
  const void *source, *target, *weight; /* native, aligned, contiguous */
} fastla_edges;

typedef enum fastla_edge_part {
  FASTLA_NO_PART = 0,
  FASTLA_SOURCE = 1,
  FASTLA_TARGET = 2,
  FASTLA_WEIGHT = 3,
  FASTLA_DUPLICATE = 4,
} fastla_edge_part;

typedef struct fastla_edges_report {
  int64_t given;  /* edges, with those backwards */
  int64_t stored; /* of them, when duplicates are one */
  int32_t what;   /* a fastla_edge_part: what is wrong */
  int64_t
      wrong; /* the first edge that is: an end that is no node, a weight that is negative or not finite */
  int64_t source, target; /* of a duplicate that is refused */
} fastla_edges_report;

typedef struct fastla_sorted_edges fastla_sorted_edges;

void fastla_edges_init(fastla_edges *edges);

/* Sorts by target, then source, then place in the input: with any number of threads the same. FASTLA_INVALID with
 * report->what where an edge is wrong. *sorted is given to fastla_edges_free in the end. */
fastla_status fastla_edges_sort(const fastla_edges *edges, fastla_sorted_edges **sorted,
                                fastla_edges_report *report);

/* nodes + 1 starts, and of each target's edges the sources and weights; stored of them. index_bytes: 4 or 8, of starts and
 * indices. weight: floats if the edges' are, else doubles; NULL where they are not wanted. */
void fastla_edges_write(const fastla_sorted_edges *sorted, int32_t index_bytes, void *starts,
                        void *indices, void *weight);
void fastla_edges_free(fastla_sorted_edges *sorted);

/* Lines of text, each an edge: two node numbers in decimal and what else there is, of which one may be a weight. Empty
 * lines, and those that begin with `comment`, are passed over. */
typedef struct fastla_edge_text {
  uint32_t struct_size;
  int32_t num_threads;
  int32_t id_bytes;      /* of what is stored: 4 or 8 */
  int32_t weight_column; /* 2 is the first after the nodes; -1: none */
  int32_t delimiter;     /* a byte; 0: blanks, and one comma among them */
  int32_t comment_bytes; /* 0: no comments */
  char comment[8];
  int64_t base;     /* the first node's number: 0 or 1 */
  int64_t nodes;    /* numbers from base + nodes on are wrong */
  const char *text; /* ends with a newline; eight bytes after it may be read too */
  int64_t bytes;
} fastla_edge_text;

typedef enum fastla_line_fault {
  FASTLA_NO_FAULT = 0,
  FASTLA_NO_EDGE = 1,        /* not two numbers */
  FASTLA_NO_NODE = 2,        /* a number out of range */
  FASTLA_NO_WEIGHT = 3,      /* none in its column, negative or not finite */
  FASTLA_NEEDS_WIDE_IDS = 4, /* a number that four bytes do not hold */
} fastla_line_fault;

typedef struct fastla_text_report {
  int64_t edges, lines;
  int32_t fault; /* of the first line that is wrong */
  int64_t line;  /* how many are before it */
  int64_t begin; /* the byte that it begins with */
} fastla_text_report;

void fastla_edge_text_init(fastla_edge_text *text);

/* source, target and weight (NULL where weight_column is -1) have room for bytes / 4 + 1 edges. */
fastla_status fastla_edges_parse(const fastla_edge_text *text, void *source, void *target,
                                 double *weight, fastla_text_report *report);

/* Recursive matrix (R-MAT): count edges among 2^scale nodes, each a function of seed and its number, first, first + 1...
 * a, b, c: probabilities of the quarters (0, 0), (0, 1), (1, 0). scale: 0 to 31. scrambled: nodes renamed by a bijection
 * that the seed gives, so that the busy ones are not neighbours. */
typedef struct fastla_rmat_desc {
  uint32_t struct_size;
  int32_t scale;
  int32_t scrambled;
  int32_t num_threads;
  uint64_t seed;
  double a, b, c;
} fastla_rmat_desc;

void fastla_rmat_desc_init(fastla_rmat_desc *desc);
fastla_status fastla_rmat(const fastla_rmat_desc *desc, int64_t first, int64_t count,
                          int32_t *source, int32_t *target);

#ifdef __cplusplus
}
#endif
#endif
