"""docs/graph.md and the docstrings of Graph's methods are true: what they show runs."""

import doctest
import inspect
import re
from pathlib import Path

import pytest

from fastla.graph import Graph

PAGE = Path(__file__).parents[2] / "docs" / "graph.md"
METHODS = [n for n, f in inspect.getmembers(Graph, inspect.isroutine) if not n.startswith("_")]


@pytest.mark.skipif(not PAGE.exists(), reason="needs the source tree")
def test_page_runs():
    pytest.importorskip("scipy", reason="needs the extra fastla[graph]")
    pytest.importorskip("networkx", minversion="3.4", reason="needs the extra fastla[graph]")
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried > 15 and not failed


@pytest.mark.parametrize("name", METHODS)
def test_method_is_described_and_its_example_runs(name):
    for needed in ("scipy", "networkx"):
        pytest.importorskip(needed, reason="needs the extra fastla[graph]")
    method = getattr(Graph, name)
    for parameter in inspect.signature(method).parameters.keys() - {"self"}:
        assert re.search(rf"^        .*\b{parameter}\b.* : ", method.__doc__, re.M), parameter
    test = doctest.DocTestParser().get_doctest(method.__doc__, {}, name, None, 0)
    assert test.examples
    said = []
    runner = doctest.DocTestRunner()
    runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)
