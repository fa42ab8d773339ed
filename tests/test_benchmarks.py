"""The benchmark's own data."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import shapes


@pytest.mark.parametrize("kind", ["matmul", "linear"])
def test_the_data_that_is_timed(kind, dtype):
    cell = shapes.Cell(kind, 40, 30, 400, np.dtype(dtype).name, 1)
    problem = shapes.allocate(cell)
    shapes.fill_normal(problem, np.random.default_rng(1))
    result = problem.a.astype(float) @ (problem.b.T if kind == "linear" else problem.b).astype(float)
    spread = 1 if kind == "linear" else np.sqrt(cell.k)
    assert abs(result.std() / spread - 1) < 0.1
    assert (np.abs(problem.b) > np.finfo(dtype).tiny).all()
