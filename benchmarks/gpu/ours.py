"""fastla on the device. Nothing else here knows of plans and of the table of tuned ones."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import fastla
from benchmarks.gpu.cells import SUBJECT
from benchmarks.gpu.problems import Absent, Call, Problem

Chooser = Callable[[Any, Any], Any]  # a plan, from what is asked for and the device


def call_of(functions: Any, problem: Problem) -> Call:
    """matmul or linear of a module."""
    a, b, out, precision = problem.a, problem.b, problem.out, problem.cell.precision
    if problem.cell.kind == "linear":
        w, bias, linear = b.swapaxes(-1, -2), problem.bias, functions.linear
        return lambda: linear(a, w, bias, activation="gelu_tanh", out=out, precision=precision)
    matmul, more = functions.matmul, {"dtype": "int32"} if problem.cell.dtype == "int8" else {}
    return lambda: matmul(a, b, out, precision=precision, **more)


def planned(problem: Problem, chooser: Chooser) -> Call:
    """The problem by the plan that is chosen so."""
    products = importlib.import_module("fastla.cuda.products")
    call, product = call_of(products, problem), products.product
    product_by = functools.partial(product, chooser=chooser)

    def by_plan() -> None:
        products.product = product_by
        try:
            call()
        finally:
            products.product = product

    return by_plan


def asked(problem: Problem) -> tuple[Any, Any, Any]:
    """The plan in force, and what it is chosen by."""
    plans, seen = importlib.import_module("fastla.cuda.plan"), []

    def chooser(desc: Any, device: Any) -> Any:
        seen.append((plans.choose(desc, device), desc, device))
        return seen[-1][0]

    try:
        planned(problem, chooser)()
    except TypeError as error:
        raise Absent(str(error)) from error
    return seen[0]


class Fastla:
    name = SUBJECT

    def prepare(self, problem: Problem) -> Call:
        """Absent, with fastla's own words, where it has nothing for the problem's dtypes."""
        call = call_of(fastla, problem)
        try:
            call()
        except TypeError as error:
            raise Absent(str(error)) from error
        return call

    def plan(self, problem: Problem) -> str:
        """The plan's name."""
        return str(asked(problem)[0].name)

    def candidates(self, problem: Problem) -> list[tuple[str, Callable[[Problem], Call]]]:
        """Plans by name, the best by the model first."""
        plans = importlib.import_module("fastla.cuda.plan")
        _, desc, device = asked(problem)

        def of_name(name: str, desc: Any, device: Any) -> Any:
            return next(plan for plan in plans.candidates(desc, device) if plan.name == name)

        def prepare(chooser: Chooser, problem: Problem) -> Call:
            return planned(problem, chooser)

        names = [plan.name for plan in plans.candidates(desc, device)]
        # Calls are remembered by their chooser, too: each name has one.
        return [(name, functools.partial(prepare, functools.partial(of_name, name))) for name in names]

    def keep(self, problem: Problem, name: str) -> str:
        """Puts a plan into the table of tuned ones; the key it has there."""
        _, desc, device = asked(problem)
        importlib.import_module("fastla.cuda.cache").keep_tuned(device.name, {desc.key: name})
        return str(desc.key)
