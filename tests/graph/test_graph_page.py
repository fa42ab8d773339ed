"""docs/graph.md, docs/scale.md and the docstrings of Graph's methods are true: what they show runs."""

import doctest
import inspect
import re
from pathlib import Path

import pytest

from fastla.graph import Graph

DOCS = Path(__file__).parents[2] / "docs"
METHODS = [n for n, f in inspect.getmembers(Graph, inspect.isroutine) if not n.startswith("_")]


@pytest.mark.skipif(not DOCS.exists(), reason="needs the source tree")
@pytest.mark.parametrize("page", ["graph.md", "scale.md"])
def test_page_runs(page):
    pytest.importorskip("scipy", reason="needs the extra fastla[graph]")
    pytest.importorskip("networkx", minversion="3.4", reason="needs the extra fastla[graph]")
    failed, tried = doctest.testfile(str(DOCS / page), module_relative=False)
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
