// B packed once and kept by the user: the panels of every block of K, one after the other.
#pragma once
#include "fastla/gemm.h"
#include "kernels/row.hpp"

struct fastla_packed {
  const fastla::KernelRow *row;
  int64_t k, n;
  int64_t bytes;
  char *panels;
};
