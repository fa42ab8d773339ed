"""Asserts a contender's answer before it is timed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from benchmarks.shapes import Problem, fill_normal


class WrongAnswer(AssertionError):
    """A contender computed something else than the product that was asked for."""


Array = NDArray[np.floating]


class Check:
    """Fills a problem's arrays and knows the answer.

    A plain product gets small integers, so that every sum is exact in every order of additions, and
    C t = A (B t) is asked for exactly, in float64, with a vector t of random odd integers: one
    wrong element in a row is always seen, several escape only where they happen to cancel. A linear
    layer gets normal numbers, and sampled rows are compared within the error bound of its steps.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        self.problem = problem
        if problem.cell.kind == "linear":
            self._prepare_linear(rng)
        else:
            self._prepare_product(rng)

    def _prepare_product(self, rng: np.random.Generator) -> None:
        a, b, k = self.problem.a, self.problem.b, self.problem.cell.k
        mantissa = 2.0 ** np.finfo(a.dtype).nmant
        largest = min(8, int(math.sqrt(mantissa / k)))
        if largest < 1:
            raise ValueError(f"no exact check for k={k} in {a.dtype}")
        for array in (a, b):
            array[...] = rng.integers(-largest, largest + 1, array.shape, dtype=np.int8)
        self.t = 2.0 * rng.integers(-500, 500, b.shape[1]) + 1
        self.expected = a.astype(np.float64) @ (b.astype(np.float64) @ self.t)

    def _prepare_linear(self, rng: np.random.Generator) -> None:
        problem = self.problem
        fill_normal(problem, rng)
        self.rows = np.unique(rng.integers(0, problem.cell.m, 16))
        x, w, bias = (v.astype(np.float64) for v in (problem.a[self.rows], problem.b, problem.bias))
        y = x @ w.T + bias
        self.expected = 0.5 * y * (1 + np.vectorize(math.erf)(y / math.sqrt(2)))
        # gelu's slope is below 1.13; 8 u |y| covers its own steps, 1 + erf cancelling included.
        u = float(np.finfo(problem.a.dtype).eps) / 2
        gamma = (problem.cell.k + 2) * u
        self.bound = 1.13 * gamma * (abs(x) @ abs(w.T) + abs(bias)) + 8 * u * abs(y)

    def poison(self) -> None:
        """Nothing stale may pass for an answer."""
        self.problem.out.fill(np.nan)

    def verify(self, name: str, result: Array) -> None:
        cell = self.problem.cell
        if result.shape != (cell.m, cell.n) or result.dtype != cell.dtype:
            raise WrongAnswer(f"{name}, {cell.label}: got {result.shape} {result.dtype}")
        if cell.kind == "linear":
            error = abs(result[self.rows].astype(np.float64) - self.expected)
            right = bool((error <= self.bound).all())  # False for NaN
        else:
            right = np.array_equal(result.astype(np.float64) @ self.t, self.expected)
        if not right:
            raise WrongAnswer(f"{name}, {cell.label}: the product is wrong")
