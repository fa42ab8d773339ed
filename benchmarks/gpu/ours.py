"""fastla on the device. Nothing else here knows of plans and of the table of tuned ones."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import fastla
from benchmarks.gpu.cells import SUBJECT
from benchmarks.gpu.problems import Absent, Call, Problem


class Fastla:
    name = SUBJECT

    def prepare(self, problem: Problem) -> Call:
        """Absent, with fastla's own words, where it has nothing for the problem's dtypes."""
        a, b, out, precision = problem.a, problem.b, problem.out, problem.cell.precision
        if problem.cell.kind == "linear":
            w, options = b.swapaxes(-1, -2), {"activation": "gelu_tanh", "out": out, "precision": precision}
            call: Call = lambda: fastla.linear(a, w, problem.bias, **options)  # noqa: E731
        else:
            call = lambda: fastla.matmul(a, b, out, precision=precision)  # noqa: E731
        try:
            call()
        except TypeError as error:
            raise Absent(str(error)) from error
        return call

    def _planned(self, problem: Problem, chooser: Callable[[Any, Any], Any]) -> Call:
        """A product by the plan that chooser(desc, device) gives."""
        arrays, products = (importlib.import_module(f"fastla.cuda.{name}") for name in ("arrays", "products"))
        given = {"x1": problem.a, "x2": problem.b, "out": problem.out}
        precision = problem.cell.precision

        def call() -> None:
            x = arrays.describe("matmul", given)
            products.product("matmul", x["x1"], x["x2"], x["out"], None, precision, chooser)

        return call

    def _asked(self, problem: Problem) -> tuple[Any, Any, Any]:
        """The plan in force, and what it is chosen by."""
        plans, seen = importlib.import_module("fastla.cuda.plan"), []

        def chooser(desc: Any, device: Any) -> Any:
            seen.append((plans.choose(desc, device), desc, device))
            return seen[-1][0]

        self._planned(problem, chooser)()
        return seen[0]  # type: ignore[no-any-return]

    def plan(self, problem: Problem) -> str:
        """The plan's name."""
        try:
            return str(self._asked(problem)[0].name)
        except (ImportError, TypeError):
            return ""

    def candidates(self, problem: Problem) -> list[tuple[str, Callable[[Problem], Call]]]:
        """Plans by name, the best by the model first."""
        plans = importlib.import_module("fastla.cuda.plan")
        _, desc, device = self._asked(problem)

        def of_name(name: str, desc: Any, device: Any) -> Any:
            return next(plan for plan in plans.candidates(desc, device) if plan.name == name)

        names = [plan.name for plan in plans.candidates(desc, device)]
        # A chooser's identity is part of what a call is remembered by: one for each name.
        choosers = {name: functools.partial(of_name, name) for name in names}
        return [(name, lambda p, name=name: self._planned(p, choosers[name])) for name in names]

    def keep(self, problem: Problem, name: str) -> str:
        """Puts a plan into the table of tuned ones; the key it has there."""
        _, desc, device = self._asked(problem)
        importlib.import_module("fastla.cuda.cache").keep_tuned(device.name, {desc.key: name})
        return str(desc.key)
